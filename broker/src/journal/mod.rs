//! What the broker just did, as plain values for whoever looks.
//!
//! A room that has news calls [`Journal::record`]; it does not know who listens. The journal keeps the newest
//! [`Entry`]s in a ring bounded in bytes, and hands each one to the live subscribers ([`Journal::subscribe`]): the
//! story on the terminal, later the page. While the ring is off and nobody listens, recording costs one atomic load.
//! This is not a log file: what falls out of the ring is gone.

mod event;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::clock::{Clock, TimestampMs};
use crate::config::limits::JOURNAL_SUBSCRIBER_EVENTS;

pub use event::{Event, TopicOrigin};

/// The target of those log lines that clients can provoke as often as they like. Whoever writes the log may hold some of
/// them back; the library only marks them.
pub const PROVOKED: &str = "cutaway::provoked";

/// One event with its place in time.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// Counts the events of this run, from 1.
    pub sequence: u64,
    /// When, by the broker's clock.
    pub time_ms: TimestampMs,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// One broker's journal; clones share it.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// Subscribers, and one more while the ring is on. At 0, nothing is recorded.
    lookers: AtomicUsize,
    ring: Mutex<Ring>,
    live: broadcast::Sender<Arc<Entry>>,
}

/// The newest entries. Invariant: `used_bytes` is the sum of their sizes and at most `limit_bytes`.
#[derive(Debug)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    used_bytes: usize,
    limit_bytes: usize,
    /// The sequence number of the newest entry of this run, kept or not.
    newest: u64,
}

/// A live view of a journal, from the moment of subscribing on.
#[derive(Debug)]
pub struct Subscription {
    live: broadcast::Receiver<Arc<Entry>>,
    journal: Journal,
}

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The next event.
    Happened(Arc<Entry>),
    /// So many events came faster than they were read, and are lost to this subscriber.
    Missed(u64),
}

impl Default for Journal {
    /// A journal without a ring.
    fn default() -> Journal {
        Journal::new(Clock::system(), 0)
    }
}

impl Journal {
    /// A journal that keeps about `ring_bytes` of the past; 0 for none.
    pub fn new(clock: Clock, ring_bytes: usize) -> Journal {
        let ring = Ring { entries: VecDeque::new(), used_bytes: 0, limit_bytes: ring_bytes, newest: 0 };
        let (live, _) = broadcast::channel(JOURNAL_SUBSCRIBER_EVENTS);
        let lookers = AtomicUsize::new(usize::from(ring_bytes > 0));
        Journal(Arc::new(Shared { clock, lookers, ring: Mutex::new(ring), live }))
    }

    /// Records an event; the closure is not called when nobody looks and the ring is off.
    pub fn record(&self, event: impl FnOnce() -> Event) {
        if self.0.lookers.load(Ordering::Relaxed) == 0 {
            return;
        }
        // Made before the ring is locked: it may allocate.
        let event = event();
        let time_ms = self.0.clock.now_ms();
        let mut ring = self.ring();
        ring.newest += 1;
        let entry = Arc::new(Entry { sequence: ring.newest, time_ms, event });
        ring.push(Arc::clone(&entry));
        // Sent under the lock, so that subscribers see the order of the ring. An error means that nobody listens.
        let _ = self.0.live.send(entry);
    }

    /// The past that is still in the ring, the oldest first.
    pub fn recent(&self) -> Vec<Arc<Entry>> {
        self.ring().entries.iter().cloned().collect()
    }

    /// The past, and a live view that continues it without a gap.
    pub fn subscribe(&self) -> (Vec<Arc<Entry>>, Subscription) {
        let ring = self.ring();
        self.0.lookers.fetch_add(1, Ordering::Relaxed);
        let subscription = Subscription { live: self.0.live.subscribe(), journal: self.clone() };
        (ring.entries.iter().cloned().collect(), subscription)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // A panic between two fields of the ring would leave at worst a wrong sum, and this is no record of anything.
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, entry: Arc<Entry>) {
        let size = cost(&entry);
        if size > self.limit_bytes {
            return;
        }
        self.used_bytes += size;
        self.entries.push_back(entry);
        while self.used_bytes > self.limit_bytes {
            let oldest = self.entries.pop_front().expect("bytes are used, so there is an entry");
            self.used_bytes -= cost(&oldest);
        }
    }
}

/// What an entry takes in the ring.
fn cost(entry: &Entry) -> usize {
    size_of::<Entry>() - size_of::<Event>() + entry.event.size_bytes()
}

impl Subscription {
    /// The next news; waits for it. Cancel-safe.
    pub async fn next(&mut self) -> News {
        match self.live.recv().await {
            Ok(entry) => News::Happened(entry),
            Err(broadcast::error::RecvError::Lagged(count)) => News::Missed(count),
            Err(broadcast::error::RecvError::Closed) => unreachable!("the subscription holds the journal open"),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.journal.0.lookers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deleted(topic: &str) -> Event {
        Event::TopicDeleted { topic: topic.into(), topic_id: "id".into(), by: "User:ANONYMOUS".into() }
    }

    fn topics(entries: &[Arc<Entry>]) -> Vec<String> {
        let name = |entry: &Arc<Entry>| match &entry.event {
            Event::TopicDeleted { topic, .. } => topic.clone(),
            other => panic!("unexpected {other:?}"),
        };
        entries.iter().map(name).collect()
    }

    #[test]
    fn nothing_is_made_while_nobody_looks() {
        let journal = Journal::default();
        journal.record(|| panic!("made an event that nobody sees"));
        assert!(journal.recent().is_empty());
    }

    #[test]
    fn entries_are_stamped_by_the_clock_and_counted() {
        let clock = Clock::frozen_at(1_000);
        let journal = Journal::new(clock.clone(), 4096);
        journal.record(|| deleted("a"));
        clock.advance(std::time::Duration::from_millis(5));
        journal.record(|| deleted("b"));
        let stamps: Vec<(u64, i64)> = journal.recent().iter().map(|entry| (entry.sequence, entry.time_ms)).collect();
        assert_eq!(stamps, [(1, 1_000), (2, 1_005)]);
    }

    #[test]
    fn the_ring_drops_the_oldest_and_stays_in_its_bounds() {
        let one = cost(&Entry { sequence: 0, time_ms: 0, event: deleted("x") });
        let journal = Journal::new(Clock::frozen_at(0), 3 * one);
        for topic in ["a", "b", "c", "d"] {
            journal.record(|| deleted(topic));
        }
        assert_eq!(topics(&journal.recent()), ["b", "c", "d"]);
        journal.record(|| deleted(&"long".repeat(one)));
        assert_eq!(topics(&journal.recent()), ["b", "c", "d"], "one that never fits pushes nothing out");
        assert_eq!(journal.ring().used_bytes, 3 * one);
    }

    #[tokio::test]
    async fn a_subscriber_continues_where_the_past_ends() {
        let journal = Journal::new(Clock::frozen_at(0), 4096);
        journal.record(|| deleted("a"));
        let (past, mut live) = journal.subscribe();
        journal.record(|| deleted("b"));
        assert_eq!(topics(&past), ["a"]);
        let News::Happened(entry) = live.next().await else { panic!("nothing was missed") };
        assert_eq!(entry.sequence, 2);
        assert_eq!(topics(&[entry]), ["b"]);
    }

    #[tokio::test]
    async fn a_subscriber_alone_turns_recording_on_and_off_again() {
        let journal = Journal::default();
        let (past, mut live) = journal.subscribe();
        assert!(past.is_empty());
        journal.record(|| deleted("a"));
        assert!(matches!(live.next().await, News::Happened(_)));
        drop(live);
        journal.record(|| panic!("made an event that nobody sees"));
    }

    #[tokio::test]
    async fn a_slow_subscriber_learns_what_it_missed() {
        let journal = Journal::default();
        let (_, mut live) = journal.subscribe();
        for _ in 0..JOURNAL_SUBSCRIBER_EVENTS + 3 {
            journal.record(|| deleted("a"));
        }
        assert_eq!(live.next().await, News::Missed(3));
    }

    #[test]
    fn entries_are_flat_json() {
        let entry = Entry { sequence: 1, time_ms: 2, event: deleted("a") };
        assert_eq!(
            serde_json::to_string(&entry).expect("plain values"),
            r#"{"sequence":1,"time_ms":2,"event":"topic_deleted","topic":"a","topic_id":"id","by":"User:ANONYMOUS"}"#
        );
    }
}
