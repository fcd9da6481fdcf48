//! What all connections share: both worlds, the clock, the ledgers, and the answers that were planned.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast;

use super::pace::Pace;
use crate::bluesky::Bluesky;
use crate::ledger::Ledger;
use crate::settings::{Answer, Settings};
use crate::timeline::Timeline;
use crate::wikipedia::Wikipedia;

/// How many notes wait for a reader that is slow.
const NOTES: usize = 1000;

/// One of the two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Wikipedia,
    Bluesky,
}

impl Service {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::Wikipedia => "wikipedia",
            Service::Bluesky => "bluesky",
        }
    }
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) pace: Pace,
    pub(crate) wikipedia: Wikipedia,
    pub(crate) bluesky: Bluesky,
    pub(crate) notes: broadcast::Sender<String>,
    /// The first event that there will not be, of each service.
    ends: [Option<u64>; 2],
    books: Mutex<Books>,
}

/// What was sent, and to whom.
#[derive(Debug, Default)]
struct Books {
    wikipedia: Ledger,
    /// By what was wanted.
    bluesky: BTreeMap<String, Ledger>,
    connections: [Connections; 2],
    answers: VecDeque<Answer>,
}

/// What became of the connections to a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Connections {
    /// Served now.
    pub open: u64,
    /// Ever served.
    pub opened: u64,
    /// Ended by the service.
    pub cut: u64,
    /// Got an error instead of events.
    pub refused: u64,
}

/// A connection that is served; when it is dropped, it is over.
#[derive(Debug)]
pub(crate) struct Served {
    world: Arc<World>,
    service: Service,
}

impl World {
    /// Both worlds, as they were asked for.
    pub(crate) fn new(settings: Settings) -> World {
        let Settings { seed, from_us, others, .. } = settings;
        let wikipedia = Wikipedia::new(seed, settings.wikipedia_timeline(), from_us, settings.faults.flip_after);
        let bluesky = Bluesky::new(seed, settings.bluesky_timeline(), others);
        let end = |timeline: &Timeline| settings.events.map(|events| timeline.count_before(from_us) + events);
        World {
            pace: Pace::new(from_us, settings.speed),
            ends: [end(wikipedia.timeline()), end(bluesky.timeline())],
            wikipedia,
            bluesky,
            notes: broadcast::Sender::new(NOTES),
            books: Mutex::new(Books { answers: settings.faults.answers.iter().copied().collect(), ..Books::default() }),
            settings,
        }
    }

    /// When a service's events happen.
    pub(crate) fn timeline(&self, service: Service) -> &Timeline {
        match service {
            Service::Wikipedia => self.wikipedia.timeline(),
            Service::Bluesky => self.bluesky.timeline(),
        }
    }

    /// The event of a service that comes next, and whether it ever comes.
    pub(crate) fn live(&self, service: Service) -> (u64, bool) {
        let happened = self.timeline(service).count_before(self.pace.now_us());
        match self.ends[service as usize] {
            Some(end) if happened >= end => (end, false),
            _ => (happened, !self.pace.is_stopped()),
        }
    }

    /// Says something to whoever listens.
    pub(crate) fn note(&self, service: Service, sentence: impl std::fmt::Display) {
        // Nobody may be listening.
        let _ = self.notes.send(format!("{}: {sentence}", service.name()));
    }

    /// Looks what a new connection from this address gets; a connection that is served counts until it is dropped.
    pub(crate) fn admit(self: &Arc<World>, service: Service, from: IpAddr) -> Result<Served, Answer> {
        let mut books = self.books();
        let planned = books.answers.pop_front().unwrap_or(Answer::Events);
        let connections = &mut books.connections[service as usize];
        let is_full = connections.open >= self.settings.faults.max_connections as u64;
        let answer = if is_full && planned == Answer::Events { Answer::Status(429) } else { planned };
        if answer != Answer::Events {
            connections.refused += 1;
            drop(books);
            self.note(service, format_args!("{from} is refused: {answer}"));
            return Err(answer);
        }
        connections.open += 1;
        connections.opened += 1;
        drop(books);
        self.pace.start();
        Ok(Served { world: Arc::clone(self), service })
    }

    /// Counts a connection that got an error for what it asked.
    pub(crate) fn refuse(&self, service: Service, sentence: &str) {
        self.books().connections[service as usize].refused += 1;
        self.note(service, format_args!("a client is refused: {sentence}"));
    }

    /// Counts a connection that the service ended.
    pub(crate) fn cut(&self, service: Service, sentence: impl std::fmt::Display) {
        self.books().connections[service as usize].cut += 1;
        self.note(service, sentence);
    }

    /// What became of a service's connections.
    pub(crate) fn connections(&self, service: Service) -> Connections {
        self.books().connections[service as usize]
    }

    /// Writes into the ledger of Wikipedia's events.
    pub(crate) fn with_wikipedia<T>(&self, work: impl FnOnce(&mut Ledger) -> T) -> T {
        work(&mut self.books().wikipedia)
    }

    /// Writes into the ledger of the events of Bluesky's that are wanted so.
    pub(crate) fn with_bluesky<T>(&self, wanted: &str, work: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut books = self.books();
        match books.bluesky.get_mut(wanted) {
            Some(ledger) => work(ledger),
            None => work(books.bluesky.entry(wanted.to_owned()).or_default()),
        }
    }

    /// All that was ever wanted of Bluesky's events.
    pub(crate) fn wanted(&self) -> Vec<String> {
        self.books().bluesky.keys().cloned().collect()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Each change is one addition, so what a panic leaves behind is whole.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.world.books().connections[self.service as usize].open -= 1;
    }
}
