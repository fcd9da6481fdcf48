//! What a partition knows of its idempotent producers: the sequence numbers that make retries harmless.
//!
//! For each producer id the last five batches are kept in memory, so that a retry of any of them is recognised and
//! answered with the offset it got the first time (Kafka's `ProducerStateManager`). The last batch of each goes into a
//! [`snapshot`] at every roll and at a clean stop.

mod snapshot;

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::storage::Refusal;
use crate::storage::batch::BatchHeader;
use crate::storage::transactions::{Aborted, Marker};

use crate::clock::TimestampMs;
pub(super) use snapshot::unusable;

/// How many batches of a producer are remembered (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
const BATCHES_REMEMBERED: usize = 5;
/// How often expired producers are looked for, at most (Kafka's `producer.id.expiration.check.interval.ms`).
const SWEEP_INTERVAL_MS: i64 = 600_000;
/// From this many producers on, they are looked for whenever their number has doubled as well.
const FIRST_SWEEP: usize = 1024;

/// One remembered batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RememberedBatch {
    pub(super) first_sequence: i32,
    pub(super) last_sequence: i32,
    pub(super) last_offset: i64,
    pub(super) offset_delta: i32,
    pub(super) timestamp: TimestampMs,
}

#[derive(Clone, Debug)]
struct Producer {
    epoch: i16,
    /// Oldest first, at most [`BATCHES_REMEMBERED`]; empty for a producer that only wrote a transaction marker.
    batches: VecDeque<RememberedBatch>,
    last_timestamp: TimestampMs,
    coordinator_epoch: i32,
    transaction_first_offset: i64,
}

/// A producer as it is told to those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// The producer's id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The sequence number of its last record; -1 if it only wrote a transaction marker.
    pub last_sequence: i32,
    /// The timestamp of its last batch.
    pub last_timestamp: TimestampMs,
    /// The epoch of the coordinator that wrote its last marker; -1 if there is none.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins; -1 if there is none.
    pub transaction_first_offset: i64,
}

/// What a batch is to its producer's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on where the producer stopped.
    New,
    /// It was appended before.
    Duplicate(RememberedBatch),
}

/// All producers of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Producers {
    by_id: HashMap<i64, Producer>,
    /// Where the open transactions begin.
    open: BTreeSet<i64>,
    /// Expired ones are looked for when there are this many, or from this time on, which is set by the first look.
    sweep_at: (usize, Option<TimestampMs>),
}

impl Producers {
    /// Judges a batch before it is appended at `offset` of `partition` (Kafka's `ProducerAppendInfo`).
    pub(super) fn check(
        &self,
        batch: &BatchHeader,
        offset: i64,
        partition: &str,
    ) -> std::result::Result<Verdict, Refusal> {
        let Some(producer) = self.by_id.get(&batch.producer_id).filter(|_| batch.has_producer_id()) else {
            return Ok(Verdict::New);
        };
        let (id, epoch) = (batch.producer_id, batch.producer_epoch);
        let first = batch.base_sequence;
        if epoch < producer.epoch {
            return Err(Refusal::ProducerEpoch(format!(
                "Epoch of producer {id} at offset {offset} in {partition} is {epoch}, which is smaller than the last seen epoch {}",
                producer.epoch
            )));
        }
        if batch.is_control() {
            return Ok(Verdict::New);
        }
        if epoch > producer.epoch {
            return if first == 0 {
                Ok(Verdict::New)
            } else {
                Err(Refusal::OutOfOrderSequence(format!(
                    "Invalid sequence number for new epoch of producer {id} at offset {offset} in partition {partition}: {epoch} (request epoch), {first} (seq. number), {} (current producer epoch)",
                    producer.epoch
                )))
            };
        }
        let same =
            |known: &&RememberedBatch| known.first_sequence == first && known.last_sequence == batch.last_sequence();
        if let Some(known) = producer.batches.iter().find(same) {
            return Ok(Verdict::Duplicate(*known));
        }
        let last = producer.batches.back().map_or(-1, |known| known.last_sequence);
        if first == last.checked_add(1).unwrap_or(0) {
            return Ok(Verdict::New);
        }
        Err(Refusal::OutOfOrderSequence(format!(
            "Out of order sequence number for producer {id} at offset {offset} in partition {partition}: {first} (incoming seq. number), {last} (current end sequence number)"
        )))
    }

    /// Remembers a batch that was appended with its final offsets, and what it says as a marker. Gives the transaction
    /// that it aborted.
    pub(super) fn remember(&mut self, batch: &BatchHeader, marker: Option<Marker>) -> Option<Aborted> {
        if !batch.has_producer_id() {
            return None;
        }
        let producer = self.by_id.entry(batch.producer_id).or_insert_with(|| Producer {
            epoch: batch.producer_epoch,
            batches: VecDeque::new(),
            last_timestamp: batch.max_timestamp,
            coordinator_epoch: -1,
            transaction_first_offset: -1,
        });
        if producer.epoch != batch.producer_epoch {
            producer.epoch = batch.producer_epoch;
            producer.batches.clear();
        }
        producer.last_timestamp = batch.max_timestamp;
        if batch.is_control() {
            return marker.and_then(|marker| self.end_transaction(batch, marker));
        }
        if batch.is_transactional() && producer.transaction_first_offset < 0 {
            producer.transaction_first_offset = batch.base_offset;
            self.open.insert(batch.base_offset);
        }
        if producer.batches.len() == BATCHES_REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(RememberedBatch {
            first_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            last_offset: batch.last_offset(),
            offset_delta: batch.last_offset_delta,
            timestamp: batch.max_timestamp,
        });
        None
    }

    /// As Kafka's `ProducerAppendInfo.appendEndTxnMarker`: a marker without records before it changes nothing for readers.
    fn end_transaction(&mut self, batch: &BatchHeader, marker: Marker) -> Option<Aborted> {
        let producer = self.by_id.get_mut(&batch.producer_id)?;
        producer.coordinator_epoch = marker.coordinator_epoch;
        let first_offset = std::mem::replace(&mut producer.transaction_first_offset, -1);
        if !self.open.remove(&first_offset) || !marker.is_abort {
            return None;
        }
        let last_offset = batch.last_offset();
        let last_stable_offset = self.first_open().unwrap_or(last_offset + 1);
        Some(Aborted { producer_id: batch.producer_id, first_offset, last_offset, last_stable_offset })
    }

    /// Ends a transaction of whose marker only an index tells any more.
    pub(super) fn forget_open(&mut self, ended: &Aborted) {
        if let Some(producer) = self.by_id.get_mut(&ended.producer_id)
            && producer.transaction_first_offset == ended.first_offset
        {
            producer.transaction_first_offset = -1;
            self.open.remove(&ended.first_offset);
        }
    }

    /// Where the earliest open transaction begins.
    pub(super) fn first_open(&self) -> Option<i64> {
        self.open.first().copied()
    }

    /// Forgets producers that wrote nothing for `expiration_ms`. Looks at all of them now and then, and when their number
    /// has doubled, so that programs which open a producer per record stay cheap and bounded. As in Kafka a producer is
    /// known until such a look, however old its records say that they are.
    pub(super) fn expire(&mut self, now_ms: TimestampMs, expiration_ms: i64) {
        let (count, time_ms) = self.sweep_at;
        let next_ms = Some(now_ms.saturating_add(SWEEP_INTERVAL_MS));
        if self.by_id.len() < count.max(FIRST_SWEEP) && time_ms.is_none_or(|time_ms| now_ms < time_ms) {
            self.sweep_at.1 = time_ms.or(next_ms);
            return;
        }
        self.by_id.retain(|_, producer| !producer.is_expired(now_ms, expiration_ms));
        self.sweep_at = (self.by_id.len() * 2, next_ms);
    }

    /// The producers by their ids.
    pub(super) fn active(&self) -> Vec<ActiveProducer> {
        let mut active: Vec<_> = self.by_id.iter().map(|(id, producer)| producer.describe(*id)).collect();
        active.sort_unstable_by_key(|producer| producer.id);
        active
    }

    /// Every producer id known here.
    pub(super) fn ids(&self) -> impl Iterator<Item = i64> {
        self.by_id.keys().copied()
    }
}

impl Producer {
    /// As Kafka's `ProducerStateManager.isProducerExpired`: whoever has a transaction open stays.
    fn is_expired(&self, now_ms: TimestampMs, expiration_ms: i64) -> bool {
        self.transaction_first_offset < 0 && now_ms.saturating_sub(self.last_timestamp) >= expiration_ms
    }

    fn describe(&self, id: i64) -> ActiveProducer {
        ActiveProducer {
            id,
            epoch: self.epoch,
            last_sequence: self.batches.back().map_or(-1, |batch| batch.last_sequence),
            last_timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            transaction_first_offset: self.transaction_first_offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::batch::BatchBuilder;
    use crate::storage::compression::Compression;

    const EXPIRATION_MS: i64 = 1000;

    fn remember(producers: &mut Producers, id: i64, timestamp: TimestampMs, is_transactional: bool) {
        let mut builder = BatchBuilder::new(Compression::None).from_producer(id, 0, 0);
        if is_transactional {
            builder = builder.transactional();
        }
        builder.push(timestamp, None, None, &[]);
        producers.remember(builder.build().header(), None);
    }

    fn ids(producers: &Producers) -> Vec<i64> {
        let mut ids: Vec<i64> = producers.ids().collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn silent_producers_are_forgotten_but_for_those_with_an_open_transaction() {
        let (mut producers, soon) = (Producers::default(), SWEEP_INTERVAL_MS);
        remember(&mut producers, 1, 0, false);
        remember(&mut producers, 2, 0, true);
        remember(&mut producers, 3, soon - EXPIRATION_MS, false);
        remember(&mut producers, 4, soon - EXPIRATION_MS + 1, false);
        producers.expire(0, EXPIRATION_MS);
        producers.expire(soon, EXPIRATION_MS);
        assert_eq!(ids(&producers), [2, 4]);
    }

    #[test]
    fn they_are_looked_for_now_and_then_and_when_there_are_many() {
        let mut producers = Producers::default();
        producers.expire(0, EXPIRATION_MS);
        remember(&mut producers, 1, 0, false);
        producers.expire(SWEEP_INTERVAL_MS - 1, EXPIRATION_MS);
        assert_eq!(ids(&producers), [1]);
        producers.expire(SWEEP_INTERVAL_MS, EXPIRATION_MS);
        assert!(ids(&producers).is_empty());
        let many = i64::try_from(FIRST_SWEEP).expect("a thousand");
        (0..many).for_each(|id| remember(&mut producers, id, 0, false));
        producers.expire(SWEEP_INTERVAL_MS + 1, EXPIRATION_MS);
        assert!(ids(&producers).is_empty());
    }
}
