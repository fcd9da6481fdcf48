//! The active segment as its writer sees it: what goes into the indexes, and when it is full.

use std::path::Path;
use std::sync::Arc;

use super::options::LogOptions;
use crate::clock::TimestampMs;
use crate::storage::Result;
use crate::storage::batch::BatchHeader;
use crate::storage::disk::Disk;
use crate::storage::segment::index::IndexEntry;
use crate::storage::segment::scan::{Depth, Located, Rules, Scanner, Step};
use crate::storage::segment::time_index::TimeEntry;
use crate::storage::segment::{Published, Segment, later};

/// How much room a segment asks for at a time, and from which size on. It is what a log may take more than it holds.
const RESERVED_BYTES: u64 = 1024 * 1024;

/// The writer's side of the segment that grows.
#[derive(Debug)]
pub(in crate::storage) struct ActiveSegment {
    pub(in crate::storage) segment: Arc<Segment>,
    size: u64,
    next_offset: i64,
    /// Room was asked for up to here.
    reserved: u64,
    /// Bytes since the batch of the last index entry began; an entry is due once there are more than the interval.
    bytes_since_index_entry: u64,
    largest: Option<TimeEntry>,
    /// Largest timestamp of the first batch, from which `segment.ms` counts.
    first_timestamp: Option<TimestampMs>,
    opened_ms: TimestampMs,
    /// An entry could not be written, and somebody was told.
    index_has_holes: bool,
}

impl ActiveSegment {
    /// A new, empty segment without files. Those of that name, left behind by a roll that did not finish, are emptied.
    pub(in crate::storage) fn create(
        disk: &Disk,
        dir: &Path,
        base_offset: i64,
        options: &LogOptions,
        rules: Rules,
        now_ms: TimestampMs,
    ) -> Result<ActiveSegment> {
        let rules = rules.for_segment(base_offset, i64::MAX);
        let segment = Segment::open(disk, dir, base_offset, options.segment_index_bytes, rules, Arc::default())?;
        if segment.log.len()? > 0 {
            segment.log.set_len(0)?;
        }
        segment.trust_from(0);
        let active = ActiveSegment::blank(Arc::new(segment), now_ms);
        active.clear_indexes()?;
        Ok(active)
    }

    /// The first segment of a new log.
    pub(in crate::storage) fn first(
        disk: &Disk,
        dir: &Path,
        options: &LogOptions,
        rules: Rules,
        now_ms: TimestampMs,
    ) -> ActiveSegment {
        let segment = Segment::unmade(disk, dir, 0, options.segment_index_bytes, rules.for_segment(0, i64::MAX));
        segment.trust_from(0);
        ActiveSegment::blank(Arc::new(segment), now_ms)
    }

    /// A segment whose bytes are still to be noted, one batch after the other.
    pub(in crate::storage) fn blank(segment: Arc<Segment>, now_ms: TimestampMs) -> ActiveSegment {
        ActiveSegment {
            next_offset: segment.base_offset,
            segment,
            size: 0,
            reserved: 0,
            bytes_since_index_entry: 0,
            largest: None,
            first_timestamp: None,
            opened_ms: now_ms,
            index_has_holes: false,
        }
    }

    /// A segment that was written before and is whole: its counters are worked out from its files.
    pub(in crate::storage) fn resume(
        segment: Arc<Segment>,
        published: Published,
        now_ms: TimestampMs,
    ) -> Result<ActiveSegment> {
        segment.publish(published);
        let indexed = segment.index.last().map_or(0, |entry| u64::from(entry.position));
        let mut first = Scanner::new(&segment.log, 0, published.size, None, segment.rules, Depth::Headers);
        let first_timestamp = match first.step()? {
            Step::Batch(found) => Some(found.header.max_timestamp),
            Step::Bad(_) | Step::End => None,
        };
        let largest = segment.largest_timestamp()?;
        let mut active = ActiveSegment::blank(segment, now_ms);
        active.size = published.size;
        active.next_offset = published.next_offset;
        active.bytes_since_index_entry = published.size.saturating_sub(indexed);
        active.largest = largest;
        active.first_timestamp = first_timestamp;
        Ok(active)
    }

    pub(in crate::storage) fn size(&self) -> u64 {
        self.size
    }

    pub(in crate::storage) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Whether a batch has to go into a new segment (Kafka's `LogSegment.shouldRoll`). `header` carries final offsets.
    pub(in crate::storage) fn should_roll(
        &self,
        header: &BatchHeader,
        batch_size: u64,
        options: &LogOptions,
        now_ms: TimestampMs,
    ) -> bool {
        let waited_ms = match self.first_timestamp {
            Some(first) if first >= 0 => header.max_timestamp.saturating_sub(first),
            _ => now_ms.saturating_sub(self.opened_ms),
        };
        self.size + batch_size > options.segment_bytes
            || (self.size > 0 && waited_ms > options.segment_ms)
            || self.segment.index.is_full()
            || self.segment.time_index.is_full()
            || i32::try_from(header.last_offset() - self.segment.base_offset).is_err()
    }

    /// Asks the disk for room before a batch of this size is written, once the segment has shown that it grows.
    pub(in crate::storage) fn reserve(&mut self, batch_size: u64, segment_bytes: u64) {
        let end = self.size + batch_size;
        if self.size >= RESERVED_BYTES && end > self.reserved {
            let upto = (end + RESERVED_BYTES).min(segment_bytes).max(end);
            self.segment.log.reserve(self.size, upto - self.size);
            self.reserved = upto;
        }
    }

    /// Takes note of a batch whose bytes are in the file: index entries by Kafka's rule (`LogSegment.append`), counters,
    /// and what readers may see. An index that cannot be written only makes lookups slower, so that is no failure.
    pub(in crate::storage) fn note(&mut self, batch: &Located, index_interval_bytes: u32) {
        if self.size == 0 {
            self.first_timestamp = Some(batch.header.max_timestamp);
        }
        self.largest = later(self.largest, *batch);
        if self.bytes_since_index_entry > u64::from(index_interval_bytes) {
            if let Err(error) = self.push_index_entries(batch)
                && !std::mem::replace(&mut self.index_has_holes, true)
            {
                tracing::warn!("{error}; reading there will be slower");
            }
            self.bytes_since_index_entry = 0;
        }
        let size = batch.end() - batch.position;
        self.bytes_since_index_entry += size;
        self.size = batch.end();
        self.next_offset = batch.header.last_offset() + 1;
        if let Some(largest) = self.largest {
            self.segment.set_largest_timestamp(largest);
        }
        self.publish();
    }

    /// Steps over damaged bytes, which stay in the file without being indexed.
    pub(in crate::storage) fn skip_damage(&mut self, end: u64, next_offset: i64) {
        self.bytes_since_index_entry += end.saturating_sub(self.size);
        self.size = end;
        self.next_offset = self.next_offset.max(next_offset);
        self.publish();
    }

    /// Empties the indexes, before they are written anew.
    pub(in crate::storage) fn clear_indexes(&self) -> Result<()> {
        self.segment.index.clear()?;
        self.segment.time_index.clear()
    }

    /// The last time index entry, and all files cut to their length: the segment will not be written again, or not soon.
    pub(in crate::storage) fn finish(&self) -> Result<()> {
        self.segment.log.give_back_reserved();
        if let Some(largest) = self.largest {
            self.segment.time_index.push_if_later(largest)?;
        }
        self.segment.index.finish()?;
        self.segment.time_index.finish()
    }

    /// As [`ActiveSegment::finish`], for a segment that was there before this start: where a full disk has no room for its
    /// indexes it is read without them. Half of a time index would hide the rest, and half of an offset index keep the
    /// next start from making it anew; so there are none.
    pub(in crate::storage) fn finish_or_drop_indexes(&self) -> Result<()> {
        let Err(error) = self.finish() else { return Ok(()) };
        tracing::warn!("{error}; reading segment {} will be slower until a restart", self.segment.base_offset);
        self.clear_indexes()
    }

    fn publish(&self) {
        self.segment.publish(Published { size: self.size, next_offset: self.next_offset });
    }

    fn push_index_entries(&self, batch: &Located) -> Result<()> {
        let position = u32::try_from(batch.position).expect("a segment is below 4 GiB");
        self.segment.index.push(IndexEntry { offset: batch.header.last_offset(), position })?;
        self.largest.map_or(Ok(()), |largest| self.segment.time_index.push_if_later(largest))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::names::TopicId;
    use crate::storage::batch::BatchBuilder;
    use crate::storage::compression::Compression;
    use crate::storage::log::Log;

    fn options() -> LogOptions {
        LogOptions {
            segment_bytes: 3 * RESERVED_BYTES,
            segment_ms: i64::MAX,
            index_interval_bytes: 4096,
            segment_index_bytes: 4096,
            gaps_allowed: false,
            producer_id_expiration_ms: i64::MAX,
        }
    }

    /// A log grows by mebibytes: what it takes of the disk is told before the roll, after it, and after the stop.
    #[test]
    fn a_growing_segment_has_room_reserved_until_it_is_sealed_or_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("t-0");
        let mut log = Log::create(&Disk::default(), &dir, TopicId::random(), 0, options(), 0).expect("made");
        let unused = |base: i64| {
            let file = std::fs::metadata(dir.join(format!("{base:020}.log"))).expect("it is there");
            (file.blocks() * 512).saturating_sub(file.len().next_multiple_of(4096))
        };
        let mut grow = |count: usize| {
            for _ in 0..count {
                let mut batch = BatchBuilder::new(Compression::None);
                batch.push(0, None, Some(&[7; 300_000]), &[]);
                log.append(&batch.build(), 0).expect("appended");
            }
            log.begin_flush().run().expect("flushed");
        };
        grow(3);
        assert_eq!(unused(0), 0, "a small segment asks for nothing");
        grow(2);
        if unused(0) == 0 {
            return eprintln!("the file system of {} reserves nothing", dir.display());
        }
        assert!(unused(0) < RESERVED_BYTES + 8192, "{} bytes", unused(0));
        grow(10);
        assert!(unused(0) < 8192 && unused(10) > 0, "{} and {} bytes", unused(0), unused(10));
        log.close().expect("closed");
        assert!(unused(10) < 8192, "{} bytes", unused(10));
    }
}
