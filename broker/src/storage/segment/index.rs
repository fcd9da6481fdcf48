//! The offset index, `.index`: where in the log a batch begins, for about one batch in every 4 KiB.
//!
//! ```text
//!   0        4        8
//!   +--------+--------+
//!   |relative|position|     big-endian; relative = last offset of the batch - base offset of the segment
//!   +--------+--------+
//! ```
//!
//! The first batch of a segment is never indexed: the segment's name says where it is.

use std::path::Path;

use super::entry_file::EntryFile;
use crate::storage::Result;
use crate::storage::disk::Disk;

/// One entry: the batch that ends with `offset` begins at byte `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct IndexEntry {
    pub(in crate::storage) offset: i64,
    pub(in crate::storage) position: u32,
}

/// One segment's offset index.
#[derive(Debug)]
pub(in crate::storage) struct OffsetIndex {
    base_offset: i64,
    entries: EntryFile<8>,
}

impl OffsetIndex {
    pub(in crate::storage) fn open(disk: &Disk, path: &Path, base_offset: i64, max_bytes: u32) -> Result<OffsetIndex> {
        Ok(OffsetIndex { base_offset, entries: EntryFile::open(disk, path, max_bytes)? })
    }

    pub(in crate::storage) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// The entry with the largest offset at or below `offset`.
    pub(in crate::storage) fn lookup(&self, offset: i64) -> Result<Option<IndexEntry>> {
        let found = self.entries.search(|entry| self.decode(entry).offset <= offset)?;
        Ok(found.map(|entry| self.decode(&entry)))
    }

    /// The first entry for a batch that begins at or behind the byte `position`. As Kafka's search has it, the very first
    /// entry of all must lie behind it.
    pub(in crate::storage) fn first_from(&self, position: u64) -> Result<Option<IndexEntry>> {
        let first = self.entries.first()?;
        let begins = |entry: &[u8; 8]| u64::from(self.decode(entry).position);
        let found = self
            .entries
            .first_not(|entry| begins(entry) < position || (begins(entry) == position && Some(*entry) == first))?;
        Ok(found.map(|entry| self.decode(&entry)))
    }

    pub(in crate::storage) fn unmade(disk: &Disk, path: &Path, base_offset: i64, max_bytes: u32) -> OffsetIndex {
        OffsetIndex { base_offset, entries: EntryFile::unmade(disk, path, max_bytes) }
    }

    pub(in crate::storage) fn last(&self) -> Option<IndexEntry> {
        self.entries.last().map(|entry| self.decode(&entry))
    }

    /// Adds an entry; both numbers grow from entry to entry.
    pub(in crate::storage) fn push(&self, entry: IndexEntry) -> Result<()> {
        let relative =
            i32::try_from(entry.offset - self.base_offset).expect("a segment rolls before offsets leave i32");
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&relative.to_be_bytes());
        bytes[4..].copy_from_slice(&entry.position.to_be_bytes());
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

    fn decode(&self, entry: &[u8; 8]) -> IndexEntry {
        let [a, b, c, d, e, f, g, h] = *entry;
        IndexEntry {
            offset: self.base_offset.saturating_add(i64::from(i32::from_be_bytes([a, b, c, d]))),
            position: u32::from_be_bytes([e, f, g, h]),
        }
    }
}
