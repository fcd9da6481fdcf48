//! A file of fixed-size entries that grows at its end: what `.index` and `.timeindex` have in common.
//!
//! Entries are read where they are needed, straight from the page cache; nothing is kept in memory but their count.
//! The count is published after the entry's bytes, so that readers need no lock. Entries only help to find things:
//! whoever follows one checks that it leads where it says.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::disk::{Disk, DiskFile};
use super::{Error, Result};

/// A file of entries of `SIZE` bytes.
#[derive(Debug)]
pub(super) struct EntryFile<const SIZE: usize> {
    file: DiskFile,
    count: AtomicU64,
    capacity: u64,
    /// The last entry, once it was written or asked for.
    last: Mutex<Option<[u8; SIZE]>>,
}

impl<const SIZE: usize> EntryFile<SIZE> {
    /// Opens (or makes) a file that may hold as many entries as fit `max_bytes`. A trailing part of an entry, and the
    /// zero tail that Kafka leaves behind a file it had preallocated, do not count.
    pub(super) fn open(disk: &Disk, path: &Path, max_bytes: u32) -> Result<EntryFile<SIZE>> {
        let file = disk.open(path, true)?;
        let whole = file.len()? / SIZE as u64;
        let capacity = u64::from(max_bytes) / SIZE as u64;
        let entries = EntryFile { file, count: AtomicU64::new(whole), capacity, last: Mutex::new(None) };
        entries.count.store(entries.without_zero_tail(whole)?, Ordering::Release);
        Ok(entries)
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(super) fn is_full(&self) -> bool {
        self.count() >= self.capacity
    }

    /// Entry number `index`, which must be below the count.
    pub(super) fn get(&self, index: u64) -> Result<[u8; SIZE]> {
        let mut entry = [0; SIZE];
        let position = index * SIZE as u64;
        if self.file.read_at(position, &mut entry)? < SIZE {
            let what = format!("entry {index} is cut off");
            return Err(Error::Damaged { path: self.file.path().to_owned(), position, what });
        }
        Ok(entry)
    }

    /// The last entry.
    pub(super) fn last(&self) -> Result<Option<[u8; SIZE]>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none() {
            *last = self.count().checked_sub(1).map(|index| self.get(index)).transpose()?;
        }
        Ok(*last)
    }

    /// The last entry for which `at_or_below` holds, where it holds for a first part of the entries and for none after.
    pub(super) fn search(&self, at_or_below: impl Fn(&[u8; SIZE]) -> bool) -> Result<Option<[u8; SIZE]>> {
        let (mut low, mut high, mut found) = (0, self.count(), None);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = self.get(middle)?;
            if at_or_below(&entry) {
                found = Some(entry);
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(found)
    }

    /// Adds an entry. One writer at a time; a failed write changes nothing that readers see.
    pub(super) fn push(&self, entry: &[u8; SIZE]) -> Result<()> {
        let count = self.count();
        self.file.write_at(count * SIZE as u64, &[entry])?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(*entry);
        self.count.store(count + 1, Ordering::Release);
        Ok(())
    }

    /// Forgets all entries.
    pub(super) fn clear(&self) -> Result<()> {
        self.count.store(0, Ordering::Release);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.file.set_len(0)
    }

    /// Cuts the file to exactly its entries and makes them durable.
    pub(super) fn finish(&self) -> Result<()> {
        let len = self.count() * SIZE as u64;
        if self.file.len()? != len {
            self.file.set_len(len)?;
        }
        self.file.sync()
    }

    /// Kafka preallocates the index of an active segment with zeros; after a kill they are still there. No genuine
    /// entry but the very first is all zeros, so the entries end before the first zero one.
    fn without_zero_tail(&self, whole: u64) -> Result<u64> {
        if whole == 0 || self.get(whole - 1)? != [0; SIZE] {
            return Ok(whole);
        }
        let (mut low, mut high) = (0, whole - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle)? == [0; SIZE] {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }
}
