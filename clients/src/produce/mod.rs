//! The run of a producer: from the source's events to records that the broker acknowledged.
//!
//! ```text
//!   source ──► canaries, duplicates, malformed events are counted ──► sender ──► broker
//!                                                                       │ acknowledged
//!                                        resume token on disk ◄─────────┘
//! ```
//!
//! When the sender has no room the program takes no more from the source, which then stops reading its connection: the
//! pressure goes back to where the events come from, and nothing is dropped.

pub mod report;
mod standstill;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::event::gaps::Gaps;
use crate::event::seen::Seen;
use crate::event::{Event, Malformed};
use crate::kafka::sender::{Offered, Sender};
use crate::kafka::topic::Topic;
use crate::options::ProducerOptions;
use crate::resume::{Belonging, StateFile};
use crate::source::{Address, Item, Service, Source};
use crate::stop::Stop;
use crate::talk::{Pace, counted, say};
use report::{Counts, Report};
use standstill::Standstill;

/// How long a full sender is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// How long the end waits for acknowledgements.
const FLUSH_PATIENCE: Duration = Duration::from_secs(10);

/// What makes a demo of its own.
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    /// The program's name.
    pub program: &'static str,
    /// Where the events come from.
    pub service: Service,
    /// The topic, unless another is given.
    pub topic: &'static str,
    /// Settings of the Kafka client for this demo, by librdkafka's names.
    pub settings: &'static [(&'static str, &'static str)],
}

/// Produces until somebody stops it, or what was asked for is done.
///
/// # Errors
/// When a setting is wrong, the source turns us away, or nothing can be sent any more.
pub async fn run(demo: Demo, options: ProducerOptions, mut stop: Stop) -> anyhow::Result<()> {
    let address = Address::of(demo.service, &options.source)?;
    let name = options.topic.clone().unwrap_or_else(|| demo.topic.to_owned());
    let topic = tokio::select! {
        topic = Topic::create(&options.broker, &name, options.partitions) => topic?,
        () = stop.asked() => return Ok(()),
    };
    let belonging =
        Belonging { source: address.url.to_string(), topic: name.clone(), cluster_id: topic.cluster_id.clone() };
    let path = options.state.clone().unwrap_or_else(|| PathBuf::from(format!("./{}.resume", demo.program)));
    let state = StateFile::new(path, belonging);
    let position = if options.fresh { None } else { state.load() };
    let sender = Sender::new(&options.broker, topic, demo.settings)?;
    let mut seen = Seen::default();
    if let Some(position) = &position {
        position.recent.iter().for_each(|identity| _ = seen.is_new(*identity));
        sender.ledger().remember(&position.recent);
    }
    let mut source = Source::open(demo.service, &address, &options.source, position.map(|position| position.token))?;
    if !options.ending.quiet {
        say(format_args!("% {} sends {} to the topic {name} at {}", demo.program, address.url, options.broker.broker));
    }
    let mut run = Run {
        sender,
        state,
        seen,
        gaps: Gaps::default(),
        counts: Counts::default(),
        malformed: Pace::new(1, Duration::from_secs(10)),
        waiting: Vec::new().into_iter(),
        blocked: None,
        last_event: Instant::now(),
        standstill: Standstill::new(Instant::now()),
        report: Report::new(demo.program, &options.ending),
        options,
    };
    let ended = run.go(&mut source, &mut stop).await;
    drop(source);
    run.end(&name).await?;
    ended
}

struct Run {
    options: ProducerOptions,
    sender: Sender,
    state: StateFile,
    seen: Seen,
    gaps: Gaps,
    counts: Counts,
    malformed: Pace,
    /// What the source handed on and was not looked at yet.
    waiting: std::vec::IntoIter<Item>,
    /// An event that the sender has no room for.
    blocked: Option<Box<Event>>,
    /// When something came from the source last.
    last_event: Instant,
    standstill: Standstill,
    report: Report,
}

impl Run {
    async fn go(&mut self, source: &mut Source, stop: &mut Stop) -> anyhow::Result<()> {
        let mut every_second = interval(Duration::from_secs(1));
        every_second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        every_second.tick().await;
        loop {
            let has_room = self.take_waiting()?;
            let is_done = self.is_done();
            // What was asked for is done when the broker has all of it, however long that takes.
            if is_done && self.sender.ledger().in_flight() == 0 {
                return Ok(());
            }
            tokio::select! {
                () = stop.asked() => return Ok(()),
                _ = every_second.tick() => self.each_second()?,
                () = tokio::time::sleep(FULL_PAUSE), if is_done || !has_room => {}
                batch = source.next(), if has_room && !is_done => self.waiting = batch?.into_iter(),
            }
        }
    }

    fn is_done(&self) -> bool {
        // While the sender has no room nothing is taken, whatever the source has.
        let is_idle = |limit| self.blocked.is_none() && self.last_event.elapsed() >= limit;
        self.options.ending.limit.is_some_and(|limit| self.counts.sent >= limit)
            || self.options.ending.idle_exit.is_some_and(is_idle)
    }

    fn each_second(&mut self) -> anyhow::Result<()> {
        self.sender.check()?;
        self.save();
        let is_gone = self.sender.is_broker_gone();
        let ledger = self.sender.ledger();
        let (acknowledged, broker) = (ledger.acknowledged().total(), &self.options.broker.broker);
        self.standstill.look(Instant::now(), acknowledged, ledger.in_flight(), broker, is_gone);
        self.report.progress(&self.counts, &ledger)?;
        Ok(())
    }

    fn save(&mut self) {
        // The file is written when nobody waits for the ledger any more.
        let position = self.sender.ledger().take_position();
        if let Some((token, recent)) = position {
            self.state.save(&token, recent);
        }
    }

    /// Takes what is there; false when the sender has no room for it.
    fn take_waiting(&mut self) -> anyhow::Result<bool> {
        if let Some(event) = self.blocked.take()
            && !self.offer(event)?
        {
            return Ok(false);
        }
        while !self.is_limit_reached() {
            let Some(item) = self.waiting.next() else { break };
            if !self.take(item)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_limit_reached(&self) -> bool {
        self.options.ending.limit.is_some_and(|limit| self.counts.sent >= limit)
    }

    fn take(&mut self, item: Item) -> anyhow::Result<bool> {
        if matches!(item, Item::Connected) {
            self.counts.connections += 1;
            return Ok(true);
        }
        self.counts.received += 1;
        self.last_event = Instant::now();
        match item {
            Item::Connected => {}
            Item::Skipped { name, place } => {
                *self.counts.skipped.entry(name).or_default() += 1;
                self.look_for_gaps(place.as_ref());
            }
            Item::Malformed(malformed) => self.tell_malformed(&malformed),
            Item::Event(event) => {
                self.look_for_gaps(event.place.as_ref());
                if !self.seen.is_new(event.identity) {
                    self.counts.duplicates += 1;
                    return Ok(true);
                }
                return self.offer(event);
            }
        }
        Ok(true)
    }

    /// Sends an event, or keeps it until there is room.
    fn offer(&mut self, mut event: Box<Event>) -> anyhow::Result<bool> {
        match self.sender.offer(&mut event)? {
            Offered::Taken => {
                self.counts.sent += 1;
                Ok(true)
            }
            Offered::Full => {
                self.blocked = Some(event);
                Ok(false)
            }
        }
    }

    fn look_for_gaps(&mut self, place: Option<&(Box<str>, u64)>) {
        if let Some((topic, offset)) = place {
            self.gaps.see(topic, *offset);
            self.counts.gaps = self.gaps.missing();
        }
    }

    fn tell_malformed(&mut self, malformed: &Malformed) {
        self.counts.malformed += 1;
        self.malformed.say(Instant::now(), format_args!("an event is malformed: {malformed}; going on without it"));
    }

    /// Waits for what is on its way, and tells what was done.
    async fn end(&mut self, topic: &str) -> anyhow::Result<()> {
        // The event that found no room was counted as received, and is not lost: its token was never kept.
        self.counts.received -= u64::from(self.blocked.is_some());
        let left = self.sender.flush(FLUSH_PATIENCE).await;
        self.save();
        if left > 0 {
            let what = counted(left, "event");
            say(format_args!("% {what} got no acknowledgement in time; the next run sends them again"));
        }
        let ledger = self.sender.ledger();
        self.report.summary(&self.counts, &ledger, topic)?;
        Ok(())
    }
}
