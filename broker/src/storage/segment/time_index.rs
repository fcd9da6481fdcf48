//! The time index, `.timeindex`: up to which offset no record of the segment is younger than a timestamp.
//!
//! ```text
//!   0                8        12
//!   +----------------+--------+
//!   |   timestamp    |relative|     the largest timestamp so far, and the last offset of the batch that had it
//!   +----------------+--------+
//! ```
//!
//! An entry is added together with one in the offset index, if the timestamp grew; a last one for the overall maximum
//! when the segment stops being written.

use std::path::Path;

use super::entry_file::EntryFile;
use crate::clock::TimestampMs;
use crate::storage::Result;
use crate::storage::disk::Disk;

/// One entry, and the largest timestamp of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct TimeEntry {
    pub(in crate::storage) timestamp: TimestampMs,
    /// Last offset of the batch whose largest timestamp this is.
    pub(in crate::storage) offset: i64,
}

/// One segment's time index.
#[derive(Debug)]
pub(in crate::storage) struct TimeIndex {
    base_offset: i64,
    entries: EntryFile<12>,
}

impl TimeIndex {
    pub(in crate::storage) fn open(disk: &Disk, path: &Path, base_offset: i64, max_bytes: u32) -> Result<TimeIndex> {
        Ok(TimeIndex { base_offset, entries: EntryFile::open(disk, path, max_bytes)? })
    }

    /// The entry with the largest timestamp at or below `timestamp`.
    pub(in crate::storage) fn lookup(&self, timestamp: TimestampMs) -> Result<Option<TimeEntry>> {
        let found = self.entries.search(|entry| self.decode(entry).timestamp <= timestamp)?;
        Ok(found.map(|entry| self.decode(&entry)))
    }

    pub(in crate::storage) fn unmade(disk: &Disk, path: &Path, base_offset: i64, max_bytes: u32) -> TimeIndex {
        TimeIndex { base_offset, entries: EntryFile::unmade(disk, path, max_bytes) }
    }

    pub(in crate::storage) fn last(&self) -> Option<TimeEntry> {
        self.entries.last().map(|entry| self.decode(&entry))
    }

    /// Adds the entry if its timestamp is larger than the last one's (Kafka's `TimeIndex.maybeAppend`).
    pub(in crate::storage) fn push_if_later(&self, entry: TimeEntry) -> Result<()> {
        let last_timestamp = self.last().map_or(-1, |last| last.timestamp);
        if entry.timestamp <= last_timestamp {
            return Ok(());
        }
        let relative =
            i32::try_from(entry.offset - self.base_offset).expect("a segment rolls before offsets leave i32");
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&entry.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&relative.to_be_bytes());
        self.entries.push(&bytes)
    }

    pub(in crate::storage) fn is_full(&self) -> bool {
        self.entries.is_full()
    }

    pub(in crate::storage) fn clear(&self) -> Result<()> {
        self.entries.clear()
    }

    pub(in crate::storage) fn make(&self) -> Result<()> {
        self.entries.make()
    }

    pub(in crate::storage) fn seal(&self) {
        self.entries.seal();
    }

    pub(in crate::storage) fn finish(&self) -> Result<()> {
        self.entries.finish()
    }

    fn decode(&self, entry: &[u8; 12]) -> TimeEntry {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *entry;
        TimeEntry {
            timestamp: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            offset: self.base_offset.saturating_add(i64::from(i32::from_be_bytes([i, j, k, l]))),
        }
    }
}
