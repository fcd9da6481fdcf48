//! The readers' side of a log: finds offsets and timestamps without ever taking the writer's lock.
//!
//! Segments are held as an immutable list that the writer swaps whole when it rolls. A read hands out a [`FileRange`]
//! that owns its file handle, so nothing can pull the file from under a slow client.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::clock::TimestampMs;
use crate::config::limits::MAX_DECOMPRESSED_BATCH_BYTES;
use crate::storage::Result;
use crate::storage::disk::{Disk, FileRange};
use crate::storage::leader_epochs::{EpochEnd, LeaderEpochs};
use crate::storage::record;
use crate::storage::segment::scan::Located;
use crate::storage::segment::{Damage, Segment};
use crate::storage::transactions::{Aborted, Transactions};

/// All segments in order of their base offsets; the last one is active.
pub(in crate::storage) type Segments = Arc<Vec<Arc<Segment>>>;

/// What readers share with the writer.
#[derive(Debug)]
pub struct LogReader {
    segments: RwLock<Segments>,
    log_start_offset: AtomicI64,
    epochs: RwLock<LeaderEpochs>,
    transactions: RwLock<Transactions>,
}

/// What a read found.
#[derive(Clone, Debug)]
pub struct Read {
    /// Bytes that begin with the batch that contains the offset. They end at the limit, which may be in the middle of
    /// a batch, as in Kafka.
    pub range: FileRange,
    offset: i64,
    segment: Arc<Segment>,
}

/// A transaction whose records a read_committed consumer must skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Who wrote it.
    pub producer_id: i64,
    /// Its first record.
    pub first_offset: i64,
}

/// The answer of a search by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's own timestamp.
    pub timestamp: TimestampMs,
    /// The record's offset.
    pub offset: i64,
    /// The epoch in its batch.
    pub leader_epoch: i32,
}

impl LogReader {
    pub(in crate::storage) fn new(
        segments: Vec<Arc<Segment>>,
        log_start_offset: i64,
        epochs: LeaderEpochs,
        transactions: Transactions,
    ) -> LogReader {
        LogReader {
            segments: RwLock::new(Arc::new(segments)),
            log_start_offset: AtomicI64::new(log_start_offset),
            epochs: RwLock::new(epochs),
            transactions: RwLock::new(transactions),
        }
    }

    /// The first offset that may be read.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset.load(Ordering::Acquire)
    }

    /// Bytes in all `.log` files.
    pub fn size(&self) -> u64 {
        self.segments().iter().map(|segment| segment.published().size).sum()
    }

    /// Writes `leader-epoch-checkpoint` if it says something else.
    pub(in crate::storage) fn write_leader_epochs(&self, disk: &Disk) -> Result<()> {
        self.epochs.write().unwrap_or_else(PoisonError::into_inner).write(disk)
    }

    /// Writes `leader-epoch-checkpoint` before the first record.
    pub(in crate::storage) fn write_first_leader_epoch(&self, disk: &Disk) -> Result<()> {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner).write_first(disk)
    }

    /// The epoch under which `offset` was written.
    pub fn leader_epoch_of(&self, offset: i64) -> Option<i32> {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner).epoch_of(offset)
    }

    /// Where the largest epoch up to `epoch` ends; `None` for one that is still to come.
    pub fn end_of_epoch(&self, epoch: i32, log_end_offset: i64) -> Option<EpochEnd> {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner).end_of(epoch, log_end_offset)
    }

    /// Bytes from the batch that contains `offset` on, below `end_offset`, at most `max_bytes`; but the first batch
    /// whatever its size when `at_least_one` (KIP-74); `None` when there is nothing, or not within the limit. The caller
    /// has checked that the offset is inside the log.
    pub fn read(&self, offset: i64, end_offset: i64, max_bytes: u32, at_least_one: bool) -> Result<Option<Read>> {
        if offset >= end_offset {
            return Ok(None);
        }
        let Some((segment, first)) = self.locate(offset)? else { return Ok(None) };
        let first_size = first.end() - first.position;
        if first.header.base_offset >= end_offset || (first_size > u64::from(max_bytes) && !at_least_one) {
            return Ok(None);
        }
        let limit = segment.position_of_end(end_offset)?;
        let wanted = first.position + u64::from(max_bytes).max(first_size);
        let end = segment.audit(&first, limit.min(wanted))?;
        let length = u32::try_from(end - first.position).expect("a fetch is limited by an i32");
        let range = FileRange { file: segment.log.clone(), position: first.position, length };
        Ok(Some(Read { range, offset, segment }))
    }

    /// Where reading goes on behind damage that a read at `offset` has met.
    pub fn behind_damage(&self, offset: i64) -> Option<i64> {
        let segments = self.segments();
        let damage = segments.iter().map(|segment| segment.damage()).collect::<Vec<_>>();
        let all = damage.iter().flat_map(|damage| damage.iter());
        let met = all.filter(|damage| damage.offsets.contains(&offset));
        let next_segment = segments.iter().map(|segment| segment.base_offset).find(|base| *base > offset);
        met.map(|damage| damage.offsets.end).max().or(next_segment)
    }

    /// Where the earliest open transaction begins.
    pub fn first_open_transaction(&self) -> Option<i64> {
        self.transactions().first_open
    }

    /// How many transactions were aborted.
    pub fn aborted_transactions(&self) -> usize {
        self.transactions().aborted.len()
    }

    /// The aborted transactions that reach into what was read. How far that is in offsets is worked out as Kafka does,
    /// from the next index entry (`LogSegment.fetchUpperBoundOffset`).
    pub fn aborted_in(&self, read: &Read) -> Result<Vec<AbortedTransaction>> {
        if self.transactions().aborted.is_empty() {
            return Ok(Vec::new());
        }
        let Read { range, offset, segment } = read;
        let end = range.position + u64::from(range.length);
        let upper_bound = match segment.index.first_from(end)? {
            Some(entry) => entry.offset,
            None => segment.published().next_offset,
        };
        let transactions = self.transactions();
        let reach_in = transactions.aborted_between(*offset, upper_bound);
        Ok(reach_in
            .map(|&Aborted { producer_id, first_offset, .. }| AbortedTransaction { producer_id, first_offset })
            .collect())
    }

    pub(in crate::storage) fn transactions(&self) -> RwLockReadGuard<'_, Transactions> {
        self.transactions.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells readers what a marker or the beginning of a transaction has changed.
    pub(in crate::storage) fn note_transaction(&self, aborted: Option<Aborted>, first_open: Option<i64>) {
        let mut transactions = self.transactions.write().unwrap_or_else(PoisonError::into_inner);
        transactions.aborted.extend(aborted);
        transactions.first_open = first_open;
    }

    /// Gives readers nothing below `offset` any more, nor from any but these segments.
    pub(in crate::storage) fn begin_at(&self, offset: i64, segments: Vec<Arc<Segment>>) {
        let begin = segments.first().map_or(offset, |segment| segment.base_offset);
        // In this order: who still finds an offset below finds its segment as well.
        self.set_log_start_offset(offset);
        self.set_segments(segments);
        self.epochs.write().unwrap_or_else(PoisonError::into_inner).begin_at(offset);
        let mut transactions = self.transactions.write().unwrap_or_else(PoisonError::into_inner);
        transactions.aborted.retain(|one| one.last_offset >= begin);
    }

    /// The first record below `end_offset` whose timestamp is at least `timestamp`. Reads and decompresses: may block.
    pub fn find_by_timestamp(&self, timestamp: TimestampMs, end_offset: i64) -> Result<Option<TimestampOffset>> {
        for segment in self.segments().iter() {
            if segment.largest_timestamp()?.is_none_or(|largest| largest.timestamp < timestamp) {
                continue;
            }
            let start = self.log_start_offset();
            let from = search_start(segment, timestamp)?;
            if let Some(found) = first_record(segment, from, timestamp, start)? {
                return Ok(Some(found).filter(|found| found.offset < end_offset));
            }
        }
        Ok(None)
    }

    /// The first of the records with the largest timestamp. Reads and decompresses: may block.
    pub fn find_max_timestamp(&self, end_offset: i64) -> Result<Option<TimestampOffset>> {
        let mut best = None;
        for segment in self.segments().iter() {
            if let Some(largest) = segment.largest_timestamp()?
                && best.as_ref().is_none_or(|(_, timestamp, _)| largest.timestamp > *timestamp)
            {
                best = Some((Arc::clone(segment), largest.timestamp, largest.offset));
            }
        }
        let Some((segment, timestamp, offset)) = best else { return Ok(None) };
        let found = first_record(&segment, offset, timestamp, self.log_start_offset())?;
        Ok(found.filter(|found| found.offset < end_offset))
    }

    pub(in crate::storage) fn set_log_start_offset(&self, offset: i64) {
        self.log_start_offset.store(offset, Ordering::Release);
    }

    pub(in crate::storage) fn segments(&self) -> Segments {
        Arc::clone(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(in crate::storage) fn set_segments(&self, segments: Vec<Arc<Segment>>) {
        *self.segments.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(segments);
    }

    /// The batch that contains `offset` or is the first after it, across segments.
    fn locate(&self, offset: i64) -> Result<Option<(Arc<Segment>, Located)>> {
        let segments = self.segments();
        let containing = segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1);
        for segment in &segments[containing..] {
            let Some(found) = segment.locate(offset)? else { continue };
            if found.header.base_offset > offset && !segment.rules.gaps_allowed && offset >= self.log_start_offset() {
                let lost = Damage {
                    bytes: found.position..found.position,
                    offsets: offset..found.header.base_offset,
                    why: "the records before this batch are gone".into(),
                };
                return Err(segment.damaged(&lost));
            }
            return Ok(Some((Arc::clone(segment), found)));
        }
        Ok(None)
    }
}

/// The offset from which a search for `timestamp` must read, by the time index if its entry bears out.
fn search_start(segment: &Segment, timestamp: TimestampMs) -> Result<i64> {
    match segment.time_index.lookup(timestamp)? {
        Some(entry) if segment.confirms(entry)? => Ok(entry.offset),
        _ => Ok(segment.base_offset),
    }
}

/// The first record at or after `least_offset` that is not older than `timestamp`, in the batches from `from` on.
fn first_record(
    segment: &Segment,
    from: i64,
    timestamp: TimestampMs,
    least_offset: i64,
) -> Result<Option<TimestampOffset>> {
    let mut first = None;
    segment.visit(from, |batch| {
        if batch.header.max_timestamp < timestamp {
            return Ok(ControlFlow::Continue(()));
        }
        let mut records = record::timestamps(segment.bytes_of(batch)?, MAX_DECOMPRESSED_BATCH_BYTES);
        let fits = |record: &std::result::Result<(i64, TimestampMs), _>| {
            record.as_ref().map_or(true, |(offset, when)| *when >= timestamp && *offset >= least_offset)
        };
        // A batch that cannot be read through may hold the record: better an error than a later one.
        let Some((offset, timestamp)) = records.find(fits).transpose()? else {
            return Ok(ControlFlow::Continue(()));
        };
        first = Some(TimestampOffset { timestamp, offset, leader_epoch: batch.header.partition_leader_epoch });
        Ok(ControlFlow::Break(()))
    })?;
    Ok(first)
}
