//! `cutaway demo`: Wikipedia's edits or Bluesky's posts through a broker, with a ledger that balances to the record.
//!
//! ```text
//!   simulator ──SSE, WebSocket──▶ NAME-producer ──Produce──▶ broker ──Fetch──▶ NAME-consumer ──INCR──▶ Redis
//!     sent                         acknowledged               stored             read                  counted
//! ```
//!
//! The simulator runs in this process, so what it sent is known exactly; the programs are the ones a learner reads, as
//! processes; the broker is asked for its offsets like any other. At the end the simulator stops first, then what is on its
//! way arrives, and then everything has to add up.

mod broker;
mod ledger;
mod notes;
mod offsets;
mod options;
mod programs;
mod screen;
mod show;

use std::io::{IsTerminal, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use cutaway::clock::Clock;
use cutaway::storage::disk::Disk;
use event_simulator::Simulator;
use tokio::sync::watch;

use self::broker::Broker;
use self::ledger::{ConsumerSays, Ledger, ProducerSays};
use self::notes::Notes;
use self::offsets::{Offsets, Watcher};
use self::options::Service;
pub(crate) use self::options::{DemoOptions, EXAMPLES};
use self::programs::{Program, Programs};
use self::screen::{Key, Keys};
use self::show::{Figures, Show};
use super::converse_until_stopped;

/// How often the figures are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long it may take until everything that was sent has arrived, once nothing more is sent and the broker serves.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a demo until it is over or somebody ends it.
pub(crate) fn run(options: &DemoOptions) -> anyhow::Result<ExitCode> {
    let settings = options.settings()?;
    let programs = Programs::find(options.service)?;
    converse_until_stopped(async |stopped| {
        let is_screen = !options.json && stdout().is_terminal();
        let notes = Notes::new(!is_screen);
        let broker = Broker::find(options).await?;
        // For what the programs need as long as they run.
        let folder = std::env::temp_dir().join(format!("cutaway-demo-{}", std::process::id()));
        Disk::default().create_dir_all(&folder)?;
        let outcome = async {
            let simulator = Simulator::start(settings.clone()).await?;
            let mut demo = Demo::start(options, (&programs, &folder), &broker, simulator, notes).await?;
            let mut show = Show::new(options, settings.clone(), is_screen);
            demo.go_on(&mut show, stopped).await?;
            demo.end(&mut show).await
        };
        let outcome = outcome.await;
        Disk::default().remove_dir_all(&folder)?;
        broker.end(&Clock::system()).await?;
        let balances = outcome?;
        if !options.json {
            show::farewell(options.service, &broker)?;
        }
        Ok(if balances { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// All that takes part.
struct Demo<'a> {
    service: Service,
    clock: Clock,
    broker: &'a Broker,
    simulator: Simulator,
    producer: Program<ProducerSays>,
    consumer: Program<ConsumerSays>,
    watcher: Watcher,
    notes: Notes,
    ledger: Ledger,
    /// As it was before.
    first: Offsets,
    kill_every: Option<Duration>,
    /// Whether there is an end of events.
    is_finite: bool,
}

impl<'a> Demo<'a> {
    async fn start(
        options: &DemoOptions,
        (programs, folder): (&Programs, &Path),
        broker: &'a Broker,
        simulator: Simulator,
        notes: Notes,
    ) -> anyhow::Result<Demo<'a>> {
        let (service, address) = (options.service, broker.address());
        let first = offsets::ask_once(address, service).await?;
        let source = format!("http://{}", simulator.address());
        // The consumer waits until its topic is there.
        let consumer = programs.start_consumer(address, &notes)?;
        let producer = programs.start_producer(address, &source, folder, &notes)?;
        Ok(Demo {
            service,
            clock: Clock::system(),
            broker,
            simulator,
            producer,
            consumer,
            watcher: Watcher::start(address, service, first),
            notes,
            ledger: Ledger { left_over: first.lag.unsigned_abs(), ..Ledger::default() },
            first,
            kill_every: options.kill_every(),
            is_finite: options.events.is_some(),
        })
    }

    /// Looks at the figures until the events are over or somebody ends the demo.
    async fn go_on(&mut self, show: &mut Show, mut stopped: watch::Receiver<Option<u8>>) -> anyhow::Result<()> {
        let mut keys = Keys::listen();
        let mut last_kill = self.clock.instant();
        loop {
            self.look(show)?;
            self.producer.check(&self.notes)?;
            self.consumer.check(&self.notes)?;
            if self.is_finite && self.is_sent() && self.ledger.is_stored() && self.ledger.is_read() {
                return Ok(());
            }
            let is_due = |every| self.clock.elapsed_since(last_kill) >= every;
            let mut kills = !self.is_sent() && self.kill_every.is_some_and(is_due);
            tokio::select! {
                key = keys.next() => match key {
                    Key::Kill => kills = true,
                    Key::Quit => return Ok(()),
                },
                _ = stopped.wait_for(Option::is_some) => return Ok(()),
                () = self.clock.sleep(LOOK_EVERY) => {}
            }
            if kills {
                self.kill(show).await?;
                last_kill = self.clock.instant();
            }
        }
    }

    async fn kill(&mut self, show: &mut Show) -> anyhow::Result<()> {
        if let Some(why) = self.broker.is_out_of_reach() {
            self.notes.add(why.to_owned());
            return self.look(show);
        }
        self.notes.add("broker: SIGKILL".to_owned());
        self.look(show)?;
        let told = self.broker.kill_and_start(&self.clock).await?;
        self.notes.add(told);
        self.ledger.kills += 1;
        Ok(())
    }

    /// Brings the ledger up to date, and shows it.
    fn look(&mut self, show: &mut Show) -> anyhow::Result<()> {
        let (producer, consumer, offsets) = (self.producer.says(), self.consumer.says(), self.watcher.offsets());
        (self.ledger.sent, self.ledger.sent_again) = self.sent();
        self.ledger.hear_producer(&producer);
        self.ledger.hear_consumer(&consumer);
        if let Some(offsets) = offsets {
            self.ledger.stored = (offsets.end - self.first.end).unsigned_abs();
        }
        show.figures(&Figures {
            broker: self.broker,
            source: self.simulator.address(),
            producer: &producer,
            consumer: &consumer,
            offsets,
            ledger: &self.ledger,
            notes: &self.notes,
        })
    }

    /// What the service has sent: distinct events that become records, and how often one was sent again.
    fn sent(&self) -> (u64, u64) {
        let oracle = self.simulator.oracle();
        match self.service {
            Service::Wikipedia => oracle.wikipedia.map_or((0, 0), |sent| (sent.events, sent.again)),
            Service::Bluesky => {
                let streams = oracle.bluesky.into_iter().flat_map(|sent| sent.streams);
                streams.map(|sent| (sent.events, sent.again)).fold((0, 0), |sum, sent| (sum.0 + sent.0, sum.1 + sent.1))
            }
        }
    }

    /// Whether the service has sent all that there is.
    fn is_sent(&self) -> bool {
        let oracle = self.simulator.oracle();
        match self.service {
            Service::Wikipedia => oracle.wikipedia.is_some_and(|sent| sent.complete),
            Service::Bluesky => oracle.bluesky.is_some_and(|sent| sent.streams.iter().any(|stream| stream.complete)),
        }
    }

    /// Lets arrive what is on its way, stops the programs, and says whether the ledger balances.
    async fn end(mut self, show: &mut Show) -> anyhow::Result<bool> {
        self.simulator.finish();
        let begun = self.clock.instant();
        while !(self.is_sent() && self.ledger.is_stored() && self.ledger.is_read())
            && self.clock.elapsed_since(begun) < PATIENCE
        {
            self.clock.sleep(LOOK_EVERY).await;
            self.look(show)?;
        }
        let Demo { producer, consumer, clock, .. } = self;
        let (said, counted) = (producer.stop(&clock).await?, consumer.stop(&clock).await?);
        if said.kind != "summary" || counted.kind != "summary" {
            bail!("a program ended without its summary");
        }
        self.ledger.hear_producer(&said);
        self.ledger.hear_consumer(&counted);
        show.verdict(&self.ledger)?;
        Ok(self.ledger.gaps().is_empty())
    }
}
