//! Incremental fetch sessions (KIP-227): the broker remembers what a consumer wants, and answers only with what
//! has changed.
//!
//! ```text
//!   id 0, epoch 0 -----> full fetch, a session is made ---+
//!                                                         v
//!   id n, epoch e -----> e is the one expected -----> incremental: e + 1 is expected next
//!                 |----> another epoch: INVALID_FETCH_SESSION_EPOCH, the session stays
//!                 '----> no such session: FETCH_SESSION_ID_NOT_FOUND
//!   id n, epoch 0 -----> the session ends, a full fetch makes a new one
//!   id n, epoch -1 ----> the session ends, a full fetch without one
//! ```
//!
//! The number of sessions is bounded; Kafka's rules decide which one makes room.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchRequest;
use uuid::Uuid;

use super::encode::{PartitionAnswer, names_by_id};
use crate::clock::TimestampMs;
use crate::names::TopicName;

/// No session.
const NO_SESSION: i32 = 0;
/// The epoch of a full fetch that wants a session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a full fetch that wants none.
const FINAL_EPOCH: i32 = -1;

/// A session that was not used for this long makes room for any other, and one that is younger never does.
const EVICTION_MS: i64 = 120_000;

/// All sessions together remember at most so many partitions, about 200 bytes each and at worst as much again for a
/// name that no other has; Kafka has no such limit.
const LARGEST_TOTAL: usize = 1_000_000;

/// A topic as the client names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum TopicKey {
    /// Up to version 12.
    Name(Arc<str>),
    /// From version 13.
    Id(Uuid),
}

/// A partition as the client names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PartitionKey {
    pub(super) topic: TopicKey,
    pub(super) index: i32,
}

/// What a client wants of a partition.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) key: PartitionKey,
    pub(super) fetch_offset: i64,
    pub(super) max_bytes: u32,
    /// -1: the client does not say.
    pub(super) current_leader_epoch: i32,
    /// -1: the client does not say.
    pub(super) last_fetched_epoch: i32,
}

/// What becomes of the session when the answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// There is none.
    Sessionless,
    /// One is made, if there is room.
    Create { by_id: bool },
    /// This one goes on, if nobody used it meanwhile.
    Continue { id: i32, next_epoch: i32 },
}

/// The sessions of one node.
#[derive(Debug)]
pub(in crate::handlers) struct FetchSessions {
    /// `max.incremental.fetch.session.cache.slots`.
    slots: usize,
    largest_total: usize,
    cache: Mutex<Cache>,
    next_id: AtomicI32,
}

/// The sessions by id, and how many partitions they remember together.
#[derive(Debug, Default)]
struct Cache {
    sessions: HashMap<i32, Session>,
    total: usize,
}

#[derive(Debug)]
struct Session {
    by_id: bool,
    /// The epoch of the request that may come next.
    epoch: i32,
    created_ms: TimestampMs,
    used_ms: TimestampMs,
    partitions: HashMap<PartitionKey, Remembered>,
    /// The partitions in the order in which they are read; who returned records goes to the end of the queue.
    queue: BTreeMap<u64, PartitionKey>,
    next_place: u64,
}

/// What is wanted of a partition, and what the client was last told of it.
#[derive(Debug)]
struct Remembered {
    wanted: Wanted,
    place: u64,
    high_watermark: i64,
    log_start_offset: i64,
}

/// What a request wants, and what it forgets; nothing of it points into the request.
pub(super) fn keys(request: &FetchRequest, version: i16) -> (Vec<Wanted>, Vec<PartitionKey>) {
    let topic_key = |name: &str, id: Uuid| {
        if names_by_id(version) { TopicKey::Id(id) } else { TopicKey::Name(name.into()) }
    };
    let mut wanted = Vec::with_capacity(request.topics.iter().map(|topic| topic.partitions.len()).sum());
    for topic in &request.topics {
        let topic_key = topic_key(&topic.topic, topic.topic_id);
        wanted.extend(topic.partitions.iter().map(|partition| Wanted {
            key: PartitionKey { topic: topic_key.clone(), index: partition.partition },
            fetch_offset: partition.fetch_offset,
            max_bytes: partition.partition_max_bytes.max(0).unsigned_abs(),
            // To Kafka's Fetch, unlike its ListOffsets, every epoch below 0 is none.
            current_leader_epoch: partition.current_leader_epoch.max(-1),
            last_fetched_epoch: partition.last_fetched_epoch.max(-1),
        }));
    }
    merge_repeated(&mut wanted);
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        let topic_key = topic_key(&topic.topic, topic.topic_id);
        forgotten.extend(topic.partitions.iter().map(|&index| PartitionKey { topic: topic_key.clone(), index }));
    }
    (wanted, forgotten)
}

/// As in Kafka, of a partition that is listed twice the first place and the last wish count.
fn merge_repeated(wanted: &mut Vec<Wanted>) {
    if wanted.len() < 2 {
        return;
    }
    let mut places: HashMap<PartitionKey, usize> = HashMap::with_capacity(wanted.len());
    let mut merged: Vec<Wanted> = Vec::with_capacity(wanted.len());
    for one in wanted.drain(..) {
        match places.entry(one.key.clone()) {
            Entry::Occupied(place) => merged[*place.get()] = one,
            Entry::Vacant(free) => {
                free.insert(merged.len());
                merged.push(one);
            }
        }
    }
    *wanted = merged;
}

impl FetchSessions {
    /// No sessions yet, and room for so many.
    pub(in crate::handlers) fn new(slots: i32) -> FetchSessions {
        let slots = usize::try_from(slots).unwrap_or(0);
        FetchSessions {
            slots,
            largest_total: LARGEST_TOTAL,
            cache: Mutex::default(),
            next_id: AtomicI32::new(first_id()),
        }
    }

    /// Finds out what is to be read: what the request lists, or what its session remembers.
    pub(super) fn open(
        &self,
        id: i32,
        epoch: i32,
        by_id: bool,
        wanted: Vec<Wanted>,
        forgotten: &[PartitionKey],
        now_ms: TimestampMs,
    ) -> Result<(Plan, Vec<Wanted>), ResponseError> {
        if id == NO_SESSION && epoch == FINAL_EPOCH {
            return Ok((Plan::Sessionless, wanted));
        }
        let mut cache = self.lock();
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            // A full fetch ends the session that it names.
            cache.remove(id);
            let sessionless = epoch == FINAL_EPOCH || !may_be_remembered(&wanted);
            let plan = if sessionless { Plan::Sessionless } else { Plan::Create { by_id } };
            return Ok((plan, wanted));
        }
        let Cache { sessions, total } = &mut *cache;
        let session = sessions.get_mut(&id).ok_or(ResponseError::FetchSessionIdNotFound)?;
        if session.epoch != epoch {
            return Err(ResponseError::InvalidFetchSessionEpoch);
        }
        if session.by_id != by_id {
            return Err(ResponseError::FetchSessionTopicIdError);
        }
        if !may_be_remembered(&wanted) {
            // The client asks for everything anew, and gets it without a session.
            cache.remove(id);
            return Err(ResponseError::FetchSessionIdNotFound);
        }
        let listed = wanted.clone();
        *total -= session.partitions.len();
        wanted.into_iter().for_each(|one| session.remember(one, -1, -1));
        forgotten.iter().for_each(|key| session.forget(key));
        *total += session.partitions.len();
        session.used_ms = now_ms;
        session.epoch = next_epoch(epoch);
        let (plan, wanted) = (Plan::Continue { id, next_epoch: session.epoch }, session.in_order());
        if wanted.is_empty() {
            cache.remove(id);
            return Ok((Plan::Sessionless, listed));
        }
        if cache.total > self.largest_total {
            // As above.
            cache.remove(id);
            return Err(ResponseError::FetchSessionIdNotFound);
        }
        Ok((plan, wanted))
    }

    /// Brings the session up to date, leaves out of the answer what has not changed, and gives the id to answer.
    ///
    /// # Errors
    /// When another request has used the session meanwhile.
    pub(super) fn close(
        &self,
        plan: Plan,
        wanted: &[Wanted],
        answers: &mut Vec<(PartitionKey, PartitionAnswer)>,
        now_ms: TimestampMs,
    ) -> Result<i32, (ResponseError, i32)> {
        match plan {
            Plan::Sessionless => Ok(NO_SESSION),
            Plan::Create { by_id } => Ok(self.create(by_id, wanted, answers, now_ms)),
            Plan::Continue { id, next_epoch } => {
                let mut cache = self.lock();
                match cache.sessions.get_mut(&id).filter(|session| session.epoch == next_epoch) {
                    Some(session) => {
                        answers.retain(|(key, answer)| session.must_tell(key, answer));
                        Ok(id)
                    }
                    None => Err((ResponseError::InvalidFetchSessionEpoch, id)),
                }
            }
        }
    }

    fn create(
        &self,
        by_id: bool,
        wanted: &[Wanted],
        answers: &[(PartitionKey, PartitionAnswer)],
        now_ms: TimestampMs,
    ) -> i32 {
        let mut cache = self.lock();
        if cache.total + wanted.len() > self.largest_total {
            return NO_SESSION;
        }
        if cache.sessions.len() >= self.slots && !cache.make_room(wanted.len(), now_ms) {
            return NO_SESSION;
        }
        let mut session = Session::new(by_id, now_ms);
        let wanted: HashMap<&PartitionKey, &Wanted> = wanted.iter().map(|one| (&one.key, one)).collect();
        for (key, answer) in answers {
            session.remember(wanted[key].clone(), answer.high_watermark, answer.log_start_offset);
        }
        let id = loop {
            let id = self.next_id.fetch_add(1, Ordering::Relaxed) & i32::MAX;
            if id != NO_SESSION && !cache.sessions.contains_key(&id) {
                break id;
            }
        };
        cache.total += session.partitions.len();
        cache.sessions.insert(id, session);
        id
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // Nothing panics while holding the lock; if it did, a session at worst tells its client too little.
        self.cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A name that is too long for a topic is answered, and not kept: it could be 32 KiB.
fn may_be_remembered(wanted: &[Wanted]) -> bool {
    wanted.iter().all(|one| match &one.key.topic {
        TopicKey::Name(name) => name.len() <= TopicName::MAX_LENGTH,
        TopicKey::Id(_) => true,
    })
}

/// Kafka draws ids at random, so that a client of the run before does not meet another's session.
fn first_id() -> i32 {
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    i32::from_be_bytes([a, b, c, d])
}

/// After the largest epoch comes 1: 0 and -1 have meanings of their own.
fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

impl Cache {
    fn remove(&mut self, id: i32) -> bool {
        let Some(removed) = self.sessions.remove(&id) else { return false };
        self.total -= removed.partitions.len();
        true
    }

    /// Ends the session that was unused for longest, if that was long; else the smallest of those that have lived
    /// for a while, if the new one is larger.
    fn make_room(&mut self, partition_count: usize, now_ms: TimestampMs) -> bool {
        let stale = self
            .sessions
            .iter()
            .filter(|(_, session)| now_ms - session.used_ms > EVICTION_MS)
            .min_by_key(|(id, session)| (session.used_ms, **id));
        let smaller = || {
            self.sessions
                .iter()
                .filter(|(_, session)| now_ms - session.created_ms > EVICTION_MS)
                .min_by_key(|(id, session)| (session.partitions.len(), **id))
                .filter(|(_, session)| session.partitions.len() < partition_count)
        };
        let id = stale.or_else(smaller).map(|(id, _)| *id);
        id.is_some_and(|id| self.remove(id))
    }
}

impl Session {
    fn new(by_id: bool, now_ms: TimestampMs) -> Session {
        Session {
            by_id,
            epoch: next_epoch(INITIAL_EPOCH),
            created_ms: now_ms,
            used_ms: now_ms,
            partitions: HashMap::new(),
            queue: BTreeMap::new(),
            next_place: 0,
        }
    }

    /// Takes a partition in at the end of the queue, or what is wanted of one that is there.
    fn remember(&mut self, wanted: Wanted, high_watermark: i64, log_start_offset: i64) {
        if let Some(remembered) = self.partitions.get_mut(&wanted.key) {
            remembered.wanted = wanted;
            return;
        }
        let (key, place) = (wanted.key.clone(), self.next_place);
        self.next_place += 1;
        self.queue.insert(place, key.clone());
        self.partitions.insert(key, Remembered { wanted, place, high_watermark, log_start_offset });
    }

    fn forget(&mut self, key: &PartitionKey) {
        if let Some(forgotten) = self.partitions.remove(key) {
            self.queue.remove(&forgotten.place);
        }
    }

    fn in_order(&self) -> Vec<Wanted> {
        self.queue.values().map(|key| self.partitions[key].wanted.clone()).collect()
    }

    /// Whether the client has to hear of a partition; notes that it did.
    fn must_tell(&mut self, key: &PartitionKey, answer: &PartitionAnswer) -> bool {
        let Some(remembered) = self.partitions.get_mut(key) else { return false };
        let news = (answer.high_watermark, answer.log_start_offset);
        let changed = (remembered.high_watermark, remembered.log_start_offset) != news;
        (remembered.high_watermark, remembered.log_start_offset) = news;
        let has_records = answer.records_size() > 0;
        if has_records {
            self.queue.remove(&remembered.place);
            remembered.place = self.next_place;
            self.next_place += 1;
            self.queue.insert(remembered.place, key.clone());
        }
        has_records || changed || answer.code != 0 || answer.diverging.is_some()
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
