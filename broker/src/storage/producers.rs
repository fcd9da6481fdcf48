//! What a partition knows of its idempotent producers: the sequence numbers that make retries harmless.
//!
//! For each producer id the last five batches are kept in memory, so that a retry of any of them is recognised and
//! answered with the offset it got the first time (Kafka's `ProducerStateManager`). The last batch of each goes into a
//! `.snapshot` file at every roll and at a clean stop:
//!
//! ```text
//!   version i16 = 1 | crc u32 | count i32 | count x 46 bytes
//!   producer id i64 | epoch i16 | last sequence i32 | last offset i64 | offset delta i32 | timestamp i64 |
//!   coordinator epoch i32 | first offset of the open transaction i64 (-1: none)
//! ```
//!
//! The CRC-32C covers everything after itself. The file's name is the offset up to which it holds.

use std::collections::{HashMap, VecDeque};

use super::batch::BatchHeader;
use super::crc::crc32c;
use super::{Error, Refusal};
use crate::clock::TimestampMs;

/// How many batches of a producer are remembered (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
const BATCHES_REMEMBERED: usize = 5;
/// Below this many producers nobody looks for expired ones.
const FIRST_SWEEP: usize = 1024;
const SNAPSHOT_HEADER: usize = 10;
const SNAPSHOT_ENTRY: usize = 46;

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
    next_sweep: usize,
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

    /// Remembers a batch that was appended with its final offsets.
    pub(super) fn remember(&mut self, batch: &BatchHeader) {
        if !batch.has_producer_id() {
            return;
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
            producer.transaction_first_offset = -1;
            return;
        }
        if batch.is_transactional() && producer.transaction_first_offset < 0 {
            producer.transaction_first_offset = batch.base_offset;
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
    }

    /// Forgets producers that wrote nothing for `expiration_ms`. Looks at all of them only when their number has
    /// doubled since the last look, so that programs which open a producer per record stay cheap and bounded.
    pub(super) fn expire(&mut self, now_ms: TimestampMs, expiration_ms: i64) {
        if self.by_id.len() < self.next_sweep.max(FIRST_SWEEP) {
            return;
        }
        self.by_id.retain(|_, producer| {
            producer.transaction_first_offset >= 0 || now_ms.saturating_sub(producer.last_timestamp) < expiration_ms
        });
        self.next_sweep = self.by_id.len() * 2;
    }

    /// The content of a `.snapshot` file.
    pub(super) fn snapshot(&self) -> Vec<u8> {
        let mut ids: Vec<_> = self.by_id.keys().copied().collect();
        ids.sort_unstable();
        let mut body = Vec::with_capacity(4 + ids.len() * SNAPSHOT_ENTRY);
        let count = i32::try_from(ids.len()).expect("fewer producers than i32 counts");
        body.extend(count.to_be_bytes());
        for id in ids {
            self.by_id[&id].write(id, &mut body);
        }
        let mut file = Vec::with_capacity(6 + body.len());
        file.extend(1i16.to_be_bytes());
        file.extend(crc32c(&body).to_be_bytes());
        file.extend(body);
        file
    }

    /// Reads a `.snapshot` file; `None` if version, CRC or length is wrong.
    pub(super) fn from_snapshot(file: &[u8]) -> Option<Producers> {
        let (header, entries) = file.split_at_checked(SNAPSHOT_HEADER)?;
        let version = i16::from_be_bytes(header[..2].try_into().ok()?);
        let crc = u32::from_be_bytes(header[2..6].try_into().ok()?);
        let count = usize::try_from(i32::from_be_bytes(header[6..].try_into().ok()?)).ok()?;
        if version != 1 || crc != crc32c(&file[6..]) || Some(entries.len()) != count.checked_mul(SNAPSHOT_ENTRY) {
            return None;
        }
        let by_id = entries.chunks_exact(SNAPSHOT_ENTRY).map(Producer::read).collect();
        Some(Producers { by_id, next_sweep: 0 })
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

    fn write(&self, id: i64, out: &mut Vec<u8>) {
        let last = self.batches.back();
        out.extend(id.to_be_bytes());
        out.extend(self.epoch.to_be_bytes());
        out.extend(last.map_or(-1, |batch| batch.last_sequence).to_be_bytes());
        out.extend(last.map_or(-1, |batch| batch.last_offset).to_be_bytes());
        out.extend(last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        out.extend(self.last_timestamp.to_be_bytes());
        out.extend(self.coordinator_epoch.to_be_bytes());
        out.extend(self.transaction_first_offset.to_be_bytes());
    }

    /// Reads one entry of exactly [`SNAPSHOT_ENTRY`] bytes.
    fn read(entry: &[u8]) -> (i64, Producer) {
        let i64_at = |at: usize| i64::from_be_bytes(entry[at..at + 8].try_into().expect("eight bytes"));
        let i32_at = |at: usize| i32::from_be_bytes(entry[at..at + 4].try_into().expect("four bytes"));
        let epoch = i16::from_be_bytes([entry[8], entry[9]]);
        let (last_sequence, last_offset, offset_delta, timestamp) = (i32_at(10), i64_at(14), i32_at(22), i64_at(26));
        let remembered = RememberedBatch {
            first_sequence: first_sequence(last_sequence, offset_delta),
            last_sequence,
            last_offset,
            offset_delta,
            timestamp,
        };
        let producer = Producer {
            epoch,
            batches: if last_offset >= 0 { VecDeque::from([remembered]) } else { VecDeque::new() },
            last_timestamp: timestamp,
            coordinator_epoch: i32_at(34),
            transaction_first_offset: i64_at(38),
        };
        (i64_at(0), producer)
    }
}

/// Sequences go round from 2147483647 to 0.
fn first_sequence(last_sequence: i32, offset_delta: i32) -> i32 {
    let first = i64::from(last_sequence) - i64::from(offset_delta);
    i32::try_from(if first < 0 { first + (1 << 31) } else { first }).unwrap_or(0)
}

/// The error of a `.snapshot` that cannot be used; recovery goes on without it.
pub(super) fn unusable(path: &std::path::Path) -> Error {
    Error::Damaged {
        path: path.to_owned(),
        position: 0,
        what: "the version, CRC or length of the snapshot is wrong".into(),
    }
}
