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
use std::time::{Duration, Instant};

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
use super::converse;
use super::stops::Stops;

/// How often the figures are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long nothing has to move until nothing is waited for any more, once nothing more is sent.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs a demo until it is over or somebody ends it.
pub(crate) fn run(options: &DemoOptions) -> anyhow::Result<ExitCode> {
    let settings = options.settings()?;
    let programs = Programs::find(options.service)?;
    converse(async {
        let is_screen = !options.json && stdout().is_terminal() && screen::width().is_some();
        let notes = Notes::new(!is_screen);
        let stops = count_stops(Stops::listen()?);
        // For what the programs need as long as they run.
        let folder = std::env::temp_dir().join(format!("cutaway-demo-{}", std::process::id()));
        let broker = Broker::find(options).await?;
        let outcome = async {
            Disk::default().create_dir_all(&folder)?;
            let simulator = Simulator::start(settings.clone()).await?;
            let mut demo = Demo::start(options, (&programs, &folder), &broker, simulator, notes, stops).await?;
            let mut show = Show::new(options, settings.clone(), is_screen);
            demo.go_on(&mut show).await?;
            demo.end(&mut show).await
        };
        let outcome = outcome.await;
        let (ended, removed) = (broker.end(&Clock::system()).await, Disk::default().remove_dir_all(&folder));
        // The first error is the one to tell.
        let balances = outcome?;
        ended?;
        removed?;
        if !options.json {
            show::farewell(options.service, &broker)?;
        }
        Ok(if balances { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })?
}

/// How often somebody has asked for an end: once for one in good order, twice for one without waiting.
fn count_stops(mut stops: Stops) -> watch::Receiver<u32> {
    let (tell, asked) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            stops.next().await;
            tell.send_modify(|count| *count += 1);
        }
    });
    asked
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
    stops: watch::Receiver<u32>,
    /// The figures when they moved last, and when that was.
    moved: (Ledger, Instant),
}

impl<'a> Demo<'a> {
    async fn start(
        options: &DemoOptions,
        (programs, folder): (&Programs, &Path),
        broker: &'a Broker,
        simulator: Simulator,
        notes: Notes,
        stops: watch::Receiver<u32>,
    ) -> anyhow::Result<Demo<'a>> {
        let (service, address) = (options.service, broker.address());
        let (first, members) = offsets::ask_once(address, service).await?;
        if members > 0 {
            bail!(
                "the group {} has members already, which would read what this demo sends; stop them first: another demo, or \
                 {}-consumer (one that was killed stays a member for up to 45 s)",
                service.group(),
                service.name()
            );
        }
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
            stops,
            moved: (Ledger::default(), Clock::system().instant()),
        })
    }

    /// Looks at the figures until the events are over or somebody ends the demo.
    async fn go_on(&mut self, show: &mut Show) -> anyhow::Result<()> {
        let mut stops = self.stops.clone();
        let mut keys = Keys::listen();
        let mut last_kill = self.clock.instant();
        loop {
            self.look(show)?;
            self.producer.check(&self.notes)?;
            self.consumer.check(&self.notes)?;
            if self.is_finite && self.is_sent() && (self.is_over() || self.stands_still()) {
                return Ok(());
            }
            let is_due = |every| self.clock.elapsed_since(last_kill) >= every;
            let mut kills = !self.is_sent() && self.kill_every.is_some_and(is_due);
            tokio::select! {
                key = keys.next() => match key {
                    Key::Kill => kills = true,
                    Key::Quit => return Ok(()),
                },
                _ = stops.wait_for(|count| *count > 0) => return Ok(()),
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
        (self.ledger.sent, self.ledger.besides, self.ledger.sent_again) = self.sent();
        self.ledger.hear_producer(&producer);
        self.ledger.hear_consumer(&consumer);
        if let Some(offsets) = offsets {
            self.ledger.stored = u64::try_from(offsets.end - self.first.end).unwrap_or(0);
        }
        show.figures(&Figures {
            broker: self.broker,
            source: self.simulator.address(),
            producer: &producer,
            consumer: &consumer,
            offsets,
            ledger: &self.ledger,
            notes: &self.notes,
            are_final: false,
        })
    }

    /// What the service has sent: distinct events that become records, others, and how often one was sent again.
    fn sent(&self) -> (u64, u64, u64) {
        let oracle = self.simulator.oracle();
        let of_wikipedia = oracle.wikipedia.iter().map(|sent| (sent.events, sent.canaries, sent.again));
        let streams = oracle.bluesky.iter().flat_map(|sent| &sent.streams);
        let of_bluesky = streams.map(|sent| (sent.events, sent.identity + sent.account, sent.again));
        of_wikipedia.chain(of_bluesky).fold((0, 0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1, sum.2 + it.2))
    }

    /// Whether all that was sent has come to its end.
    fn is_over(&self) -> bool {
        self.ledger.is_stored() && self.ledger.is_read()
    }

    /// Whether nothing has moved for so long that nothing will.
    fn stands_still(&mut self) -> bool {
        if self.moved.0 != self.ledger {
            self.moved = (self.ledger.clone(), self.clock.instant());
        }
        self.clock.elapsed_since(self.moved.1) > PATIENCE
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
        self.notes.add("ending: waits for what is on its way; once more (Ctrl-C) ends without".to_owned());
        let mut stops = self.stops.clone();
        while !(self.is_sent() && self.is_over() || self.stands_still()) {
            tokio::select! {
                () = self.clock.sleep(LOOK_EVERY) => {}
                _ = stops.wait_for(|count| *count > 1) => break,
            }
            self.look(show)?;
            self.producer.check(&self.notes)?;
            self.consumer.check(&self.notes)?;
        }
        let (said, counted) = (self.producer.stop(&self.clock).await?, self.consumer.stop(&self.clock).await?);
        if said.kind != "summary" || counted.kind != "summary" {
            bail!("a program ended without its summary");
        }
        self.ledger.hear_producer(&said);
        self.ledger.hear_consumer(&counted);
        show.figures(&Figures {
            broker: self.broker,
            source: self.simulator.address(),
            producer: &said,
            consumer: &counted,
            offsets: self.watcher.offsets(),
            ledger: &self.ledger,
            notes: &self.notes,
            are_final: true,
        })?;
        show.verdict(&self.ledger)?;
        Ok(self.ledger.gaps().is_empty())
    }
}
