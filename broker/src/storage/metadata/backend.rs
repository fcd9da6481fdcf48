//! What redb keeps its pages in: [`FileBackend`], the file, reached through [`Disk`](crate::storage::disk::Disk) like every other, so
//! that a script can record its writes and make them fail; and [`MemoryBackend`], for files that are being made or checked.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use super::super::Error;
use super::super::disk::DiskFile;

/// redb's view of one open file. The data folder's own lock keeps other processes out.
#[derive(Debug)]
pub(super) struct FileBackend {
    file: DiskFile,
    sync_failed: Arc<AtomicBool>,
}

impl FileBackend {
    /// A view that notes when a sync failed.
    pub(super) fn new(file: DiskFile, sync_failed: &Arc<AtomicBool>) -> FileBackend {
        FileBackend { file, sync_failed: Arc::clone(sync_failed) }
    }
}

impl StorageBackend for FileBackend {
    fn len(&self) -> io::Result<u64> {
        self.file.len().map_err(into_io)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.file.read_at(offset, out).map_err(into_io)? {
            filled if filled == out.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len).map_err(into_io)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync().map_err(into_io).inspect_err(|_| self.sync_failed.store(true, Ordering::Relaxed))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, &[data]).map_err(into_io)
    }
}

/// A whole file in memory, which whoever holds a clone can take out again.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryBackend(Arc<Mutex<Vec<u8>>>);

impl MemoryBackend {
    pub(super) fn new(bytes: Vec<u8>) -> MemoryBackend {
        MemoryBackend(Arc::new(Mutex::new(bytes)))
    }

    pub(super) fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for MemoryBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes();
        let range = span(&bytes, offset, out.len())?;
        out.copy_from_slice(&bytes[range]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes().resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.bytes();
        let range = span(&bytes, offset, data.len())?;
        bytes[range].copy_from_slice(data);
        Ok(())
    }
}

/// Where `count` bytes from `offset` lie; a damaged file may lead redb to ask for bytes that are not there.
fn span(bytes: &[u8], offset: u64, count: usize) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).map_err(io::Error::other)?;
    match start.checked_add(count) {
        Some(end) if end <= bytes.len() => Ok(start..end),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// redb adds where it happened itself; what the operating system said must stay readable to it.
fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io { source, .. } => source,
        other => io::Error::other(other),
    }
}
