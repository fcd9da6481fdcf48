//! Brokers that are killed, or stopped, in the middle of their work. Whatever was acknowledged is there afterwards, at its
//! offset, byte for byte; what was not acknowledged is there whole or not at all.
//!
//! `CUTAWAY_KILLS` says how often (20 times unless it is set); `CUTAWAY_SEED` makes the same random choices again.

mod groups;
mod ledger;
mod stops;
mod topics;
mod writer;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use cutaway_tests::broker::Broker;
use cutaway_tests::chance::Chance;
use cutaway_tests::client::Client;
use cutaway_tests::patience;

use ledger::Ledger;
use writer::Writer;

/// How many kills one run of a test makes.
const KILLS: &str = "CUTAWAY_KILLS";

const WRITERS: u64 = 4;
const PARTITIONS: i32 = 2;

/// One topic whose records are acknowledged from the page cache, and one where each waits for the disk.
const TOPICS: [&str; 2] = ["written", "flushed"];

/// A restart is a matter of milliseconds; the limit is for machines that do many things at once.
const RESTART_LIMIT: Duration = Duration::from_secs(20);

/// A broker under load, and what everybody was told.
struct Load {
    broker: Broker,
    ledger: Ledger,
    writers: Vec<Writer>,
}

#[test]
fn after_kills_in_the_middle_of_writes_everything_acknowledged_is_there() -> anyhow::Result<()> {
    let seed = Chance::seed(0x6b69_6c6c);
    eprintln!("CUTAWAY_SEED={seed} {KILLS}={}", kills());
    let mut chance = Chance::new(seed);
    let mut load = Load::begin(&mut chance)?;
    for round in 0..kills() {
        let acknowledgements = 1 + chance.below(150);
        load.write(acknowledgements, false, |broker| broker.kill().map(drop))
            .and_then(|()| load.restart())
            .with_context(|| format!("round {round}, seed {seed}"))?;
    }
    load.finish().with_context(|| format!("after the last kill, seed {seed}"))
}

/// How often a test kills: what `CUTAWAY_KILLS` says.
fn kills() -> usize {
    std::env::var(KILLS).ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

impl Load {
    fn begin(chance: &mut Chance) -> anyhow::Result<Load> {
        // Segments are full after a few batches, so that they are rolled all the time.
        let tiny = [("internal.segment.bytes", "100000"), ("index.interval.bytes", "1000")];
        let flushed = [&tiny[..], &[("flush.messages", "1")]].concat();
        let broker = Broker::start(&["--quiet"])?;
        let mut client = Client::connect(broker.bootstrap())?;
        for (topic, configs) in TOPICS.iter().zip([&tiny[..], &flushed]) {
            let code = client.create_topic(topic, PARTITIONS, configs)?;
            ensure!(code == 0, "{topic} cannot be created: error {code}");
        }
        let writers = (0..WRITERS).map(|_| Ok(Writer::new(chance.number(), client.producer_id()?)));
        Ok(Load { writers: writers.collect::<anyhow::Result<_>>()?, broker, ledger: Ledger::default() })
    }

    /// Has everybody write until so much was acknowledged, and then ends the broker. Only a stop may refuse records.
    fn write(
        &mut self,
        acknowledgements: usize,
        may_refuse: bool,
        end: impl FnOnce(&mut Broker) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (address, count) = (self.broker.bootstrap(), AtomicUsize::new(0));
        let told = thread::scope(|scope| -> anyhow::Result<Vec<_>> {
            let writing =
                self.writers.iter_mut().map(|writer| scope.spawn(|| writer.write(address, &count, may_refuse)));
            let writing: Vec<_> = writing.collect();
            let enough = patience::until("acknowledgements", || {
                let is_over = writing.iter().any(thread::ScopedJoinHandle::is_finished);
                Ok(is_over || count.load(Ordering::Relaxed) >= acknowledgements)
            });
            end(&mut self.broker)?;
            enough?;
            writing.into_iter().map(|writer| writer.join().expect("a writer does not panic")).collect()
        })?;
        told.into_iter().flatten().try_for_each(|told| self.ledger.note(told))
    }

    /// Starts the broker again, which takes no time, and looks at what was written lately.
    fn restart(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        self.broker.restart()?;
        let took = begun.elapsed();
        ensure!(took < RESTART_LIMIT, "the restart took {took:?}");
        self.ledger.check_new(&mut Client::connect(self.broker.bootstrap())?)
    }

    /// Lets everybody send once more what was not answered, and looks at everything there is.
    fn finish(&mut self) -> anyhow::Result<()> {
        let address = self.broker.bootstrap();
        for writer in &mut self.writers {
            for told in writer.retry(address)? {
                self.ledger.note(told)?;
            }
        }
        self.ledger.check_all(&mut Client::connect(address)?)
    }
}
