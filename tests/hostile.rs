//! Clients that mean harm, or do not know better. Whatever they send, the broker lives, serves the others, takes no more
//! memory than they paid for in bytes, and says in its log who it was.

mod crowds;
mod frames;
mod logs;
mod mutations;
mod names;
mod records;

use std::time::Duration;

use anyhow::{Context, ensure};
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::{Broker, Launch};
use cutaway_tests::client::Client;
use cutaway_tests::patience;
use cutaway_tests::raw_client::{RawClient, Reply};

/// The topic that the good client uses.
const TOPIC: &str = "besieged";

/// What the broker's memory may grow by whatever happens: buffers and stacks that are used for the first time.
const SLACK_KIB: u64 = 16 * 1024;

/// A broker, one good client, and how much memory was in use before the others came.
struct Siege {
    broker: Broker,
    good: Client,
    resident_before_kib: u64,
    sent: u32,
}

impl Siege {
    fn begin() -> anyhow::Result<Siege> {
        Siege::begin_with(Launch::default())
    }

    fn begin_with(mut launch: Launch) -> anyhow::Result<Siege> {
        // Each attacker is looked for in the log, which tells of some only when it tells of all.
        launch.arguments.extend(["--quiet".into(), "--verbose".into()]);
        let broker = Broker::launch(launch)?;
        let mut good = Client::connect(broker.bootstrap())?;
        ensure!(good.create_topic(TOPIC, 1, &[])? == 0, "the topic cannot be created");
        let mut siege = Siege { broker, good, resident_before_kib: 0, sent: 0 };
        // What is used once is warm afterwards.
        for _ in 0..20 {
            siege.serve_once()?;
        }
        siege.resident_before_kib = siege.broker.resident_kib()?;
        siege.broker.forget_peak()?;
        Ok(siege)
    }

    /// One more who means harm.
    fn attacker(&self) -> anyhow::Result<RawClient> {
        RawClient::connect_with_patience(self.broker.bootstrap(), Duration::from_secs(60))
    }

    /// The good client, and a new one, get what they ask for, and at no moment had the memory grown by more than this.
    fn endures(&mut self, growth_kib: u64) -> anyhow::Result<()> {
        ensure!(self.broker.is_alive(), "the broker has ended");
        self.serve_once()?;
        self.good = Client::connect(self.broker.bootstrap())?;
        self.serve_once()?;
        let (before, peak) = (self.resident_before_kib, self.broker.peak_kib()?);
        let growth = peak.saturating_sub(before);
        ensure!(growth <= growth_kib, "memory grew from {before} to {peak} KiB; {growth_kib} were allowed");
        Ok(())
    }

    /// A record goes in and comes out.
    fn serve_once(&mut self) -> anyhow::Result<()> {
        self.sent += 1;
        let value = format!("record {}", self.sent).into_bytes();
        let batch = Batch { records: vec![(None, Some(value))], ..Batch::default() }.bytes();
        let produced = self.good.produce(TOPIC, 0, batch.clone()).context("the good client is not served")?;
        ensure!(produced.error_code == 0, "the good client's record was refused: {produced:?}");
        let fetched = self.good.fetch(TOPIC, 0, produced.base_offset)?;
        let fetched = fetched.map_err(|code| anyhow::anyhow!("the good client cannot fetch: error {code}"))?;
        // Base offset, length and leader epoch are the broker's.
        ensure!(fetched.get(16..) == Some(&batch[16..]), "the good client got other bytes than it had sent");
        Ok(())
    }

    /// The attacker is out, and the log names it.
    fn throws_out(&self, attacker: &mut RawClient, what: &str) -> anyhow::Result<()> {
        let reply = attacker.receive(18, 0)?;
        ensure!(reply == Reply::Closed, "{what}: the connection is not closed, but {reply:?}");
        self.log_names(attacker).with_context(|| what.to_owned())
    }

    fn log_names(&self, attacker: &RawClient) -> anyhow::Result<()> {
        let name = format!("peer={}", attacker.address()?);
        patience::until("a line in the log that names the peer", || Ok(self.broker.log().contains(&name)))
    }
}
