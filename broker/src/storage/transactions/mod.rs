//! Which records of a log belong to transactions that were aborted, or that are still open.
//!
//! A transaction has no beginning in the log: it begins with its producer's first transactional batch. It ends with a
//! [`Marker`], a control batch of one record that says commit or abort. Readers who want committed records only get those
//! below the *last stable offset*, before which no transaction is open, and a list of the aborted transactions that
//! reach into what they got, so that they can leave those records out (KIP-98).
//!
//! The open ones are part of what a log knows of its producers; the aborted ones are kept here, and in an
//! [`index`] beside each segment in which one ended.

pub(super) mod index;

use std::ops::Range;

use bytes::Bytes;

use super::batch::{BatchBuilder, BatchHeader, Compression, RecordBatch, crc_of};
use super::record;
use crate::clock::TimestampMs;

/// What the records of a marker may take at most; those of Kafka take 11 bytes.
const MAX_MARKER_BYTES: usize = 1024;

const VERSION: [u8; 2] = 0i16.to_be_bytes();
/// The epoch of a coordinator that there is none of.
const NO_COORDINATOR: i32 = -1;
const ABORT: [u8; 2] = 0i16.to_be_bytes();
const COMMIT: [u8; 2] = 1i16.to_be_bytes();

/// The end of a transaction (Kafka's `EndTransactionMarker`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) is_abort: bool,
    pub(super) coordinator_epoch: i32,
}

impl Marker {
    /// An abort of which only the index tells any more.
    pub(super) const LOST: Marker = Marker { is_abort: true, coordinator_epoch: NO_COORDINATOR };

    /// What a batch says as a marker; `None` if it is none, or damaged.
    ///
    /// ```text
    ///   key: version i16 | type i16 (0 abort, 1 commit)      value: version i16 | coordinator epoch i32
    /// ```
    pub(super) fn of(batch: &Bytes) -> Option<Marker> {
        let (header, _) = BatchHeader::split(batch).ok()?;
        if !header.is_control() || !header.has_producer_id() || header.crc != crc_of(batch) {
            return None;
        }
        let only = record::records(batch.clone(), MAX_MARKER_BYTES).next()?.ok()?;
        let is_abort = match *only.key?.get(2..4)? {
            [a, b] if [a, b] == ABORT => true,
            [a, b] if [a, b] == COMMIT => false,
            _ => return None,
        };
        let coordinator_epoch = i32::from_be_bytes(*only.value?.get(2..)?.first_chunk()?);
        Some(Marker { is_abort, coordinator_epoch })
    }

    /// The batch of a marker that aborts a transaction, where no coordinator is there to write it.
    pub(super) fn abort(producer_id: i64, producer_epoch: i16, now_ms: TimestampMs) -> RecordBatch {
        let marker = BatchBuilder::new(Compression::None).from_producer(producer_id, producer_epoch, -1);
        let mut marker = marker.transactional().control();
        let key = [VERSION, ABORT].concat();
        let value = [&VERSION[..], &NO_COORDINATOR.to_be_bytes()].concat();
        marker.push(now_ms, Some(&key), Some(&value), &[]);
        marker.build()
    }
}

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Aborted {
    pub(super) producer_id: i64,
    /// Of its first record.
    pub(super) first_offset: i64,
    /// Of its marker.
    pub(super) last_offset: i64,
    /// Below it no transaction was open once this one had ended.
    pub(super) last_stable_offset: i64,
}

/// What a log's readers have to know of its transactions.
#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    /// In the order in which they ended.
    pub(super) aborted: Vec<Aborted>,
    /// Where the earliest open one begins.
    pub(super) first_open: Option<i64>,
}

impl Transactions {
    /// The aborted ones that reach into what was read from `offset` on, where `upper_bound` is not in it any more
    /// (Kafka's `TransactionIndex.collectAbortedTxns`).
    pub(super) fn aborted_between(&self, offset: i64, upper_bound: i64) -> impl Iterator<Item = &Aborted> {
        let begin = self.aborted.partition_point(|one| one.last_offset < offset);
        let rest = &self.aborted[begin..];
        // Behind the first of which it is known that everything below the bound had ended, nothing else can reach in.
        let last = rest.iter().position(|one| one.last_stable_offset >= upper_bound);
        let rest = &rest[..last.map_or(rest.len(), |last| last + 1)];
        rest.iter().filter(move |one| one.first_offset < upper_bound)
    }

    /// Those whose markers have offsets in a range, such as that of a segment.
    pub(super) fn aborted_in(&self, offsets: Range<i64>) -> &[Aborted] {
        let first = self.aborted.partition_point(|one| one.last_offset < offsets.start);
        let end = self.aborted.partition_point(|one| one.last_offset < offsets.end);
        &self.aborted[first..end]
    }
}
