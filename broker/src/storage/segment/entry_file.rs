//! A file of fixed-size entries that grows at its end: what `.index` and `.timeindex` have in common.
//!
//! Entries are read where they are needed, straight from the page cache; nothing is kept in memory but their count and the
//! last one, so that a log whose end alone is written and read needs no descriptor for them. The count is published after the entry's bytes, so that readers need no lock. Entries only help to find things:
//! whoever follows one checks that it leads where it says.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::storage::disk::{Disk, DiskFile};
use crate::storage::{Error, Result};

/// A file of entries of `SIZE` bytes.
#[derive(Debug)]
pub(in crate::storage) struct EntryFile<const SIZE: usize> {
    file: DiskFile,
    count: AtomicU64,
    capacity: u64,
    /// The last entry.
    last: Mutex<Option<[u8; SIZE]>>,
}

impl<const SIZE: usize> EntryFile<SIZE> {
    /// Looks at a file that may hold as many entries as fit `max_bytes`; it is opened for good when it is needed. A
    /// trailing part of an entry, and the zero tail that Kafka leaves behind a file it had preallocated, do not count.
    pub(in crate::storage) fn open(disk: &Disk, path: &Path, max_bytes: u32) -> Result<EntryFile<SIZE>> {
        let first_look = disk.open_later(path);
        let whole = first_look.len()? / SIZE as u64;
        let count = without_zero_tail::<SIZE>(&first_look, whole)?;
        let last = count.checked_sub(1).map(|index| entry_at(&first_look, index)).transpose()?;
        Ok(EntryFile {
            file: disk.open_later(path),
            count: AtomicU64::new(count),
            capacity: u64::from(max_bytes) / SIZE as u64,
            last: Mutex::new(last),
        })
    }

    /// The same for a file that is known not to be there.
    pub(in crate::storage) fn unmade(disk: &Disk, path: &Path, max_bytes: u32) -> EntryFile<SIZE> {
        let capacity = u64::from(max_bytes) / SIZE as u64;
        EntryFile { file: disk.open_later(path), count: AtomicU64::new(0), capacity, last: Mutex::new(None) }
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(in crate::storage) fn is_full(&self) -> bool {
        self.count() >= self.capacity
    }

    /// The first entry.
    pub(in crate::storage) fn first(&self) -> Result<Option<[u8; SIZE]>> {
        if self.count() == 0 { Ok(None) } else { entry_at(&self.file, 0).map(Some) }
    }

    /// The last entry.
    pub(in crate::storage) fn last(&self) -> Option<[u8; SIZE]> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last entry for which `at_or_below` holds, where it holds for a first part of the entries and for none after.
    pub(in crate::storage) fn search(&self, at_or_below: impl Fn(&[u8; SIZE]) -> bool) -> Result<Option<[u8; SIZE]>> {
        // Most look for what was written last.
        if let Some(last) = self.last().filter(&at_or_below) {
            return Ok(Some(last));
        }
        let (mut low, mut high, mut found) = (0, self.count().saturating_sub(1), None);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = entry_at(&self.file, middle)?;
            if at_or_below(&entry) {
                found = Some(entry);
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(found)
    }

    /// The first entry for which `below` does not hold, where it holds for a first part of the entries and for none after.
    pub(in crate::storage) fn first_not(&self, below: impl Fn(&[u8; SIZE]) -> bool) -> Result<Option<[u8; SIZE]>> {
        let Some(last) = self.last().filter(|last| !below(last)) else { return Ok(None) };
        let (mut low, mut high, mut found) = (0, self.count().saturating_sub(1), last);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = entry_at(&self.file, middle)?;
            if below(&entry) {
                low = middle + 1;
            } else {
                found = entry;
                high = middle;
            }
        }
        Ok(Some(found))
    }

    /// Adds an entry. One writer at a time; a failed write changes nothing that readers see.
    pub(in crate::storage) fn push(&self, entry: &[u8; SIZE]) -> Result<()> {
        let count = self.count();
        self.file.write_at(count * SIZE as u64, &[entry])?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(*entry);
        self.count.store(count + 1, Ordering::Release);
        Ok(())
    }

    /// Forgets all entries.
    pub(in crate::storage) fn clear(&self) -> Result<()> {
        self.count.store(0, Ordering::Release);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.file.set_len(0)
    }

    /// Makes the file if it is not there.
    pub(in crate::storage) fn make(&self) -> Result<()> {
        self.file.make()
    }

    /// Keeps the file from being opened under its former name.
    pub(in crate::storage) fn seal(&self) {
        self.file.seal();
    }

    /// Cuts the file to exactly its entries and makes them durable.
    pub(in crate::storage) fn finish(&self) -> Result<()> {
        let len = self.count() * SIZE as u64;
        if self.file.len()? != len {
            self.file.set_len(len)?;
        }
        self.file.sync()
    }
}

/// Entry number `index` of a file that has as many.
fn entry_at<const SIZE: usize>(file: &DiskFile, index: u64) -> Result<[u8; SIZE]> {
    let mut entry = [0; SIZE];
    let position = index * SIZE as u64;
    if file.read_at(position, &mut entry)? < SIZE {
        let what = format!("entry {index} is cut off");
        return Err(Error::Damaged { path: file.path().to_owned(), position, what });
    }
    Ok(entry)
}

/// Kafka preallocates the index of an active segment with zeros; after a kill they are still there. No genuine entry but
/// the very first is all zeros, so the entries end before the first zero one.
fn without_zero_tail<const SIZE: usize>(file: &DiskFile, whole: u64) -> Result<u64> {
    if whole == 0 || entry_at(file, whole - 1)? != [0; SIZE] {
        return Ok(whole);
    }
    let (mut low, mut high) = (0, whole - 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if entry_at(file, middle)? == [0; SIZE] {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}
