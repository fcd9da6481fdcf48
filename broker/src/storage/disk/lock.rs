//! Locks that keep brokers out of each other's folders.
//!
//! There are two kinds, which do not know of each other: flock, which tells brokers of one process apart, and the one of
//! fcntl, which Java takes, and so Kafka. A lock here is both.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;

use super::{Disk, DiskFile};
use crate::storage::{Error, Result};

/// A lock that is shared with others who only read. It is let go of on drop.
#[derive(Debug)]
pub struct SharedLock {
    _file: File,
}

impl Disk {
    /// Takes a file's exclusive lock without waiting; `None` while somebody else holds it. Makes the file if it is not there.
    pub fn try_lock(&self, path: &Path) -> Result<Option<DiskFile>> {
        self.lock(path, true)
    }

    /// As [`Disk::try_lock`], but makes nothing in a folder that somebody may be removing.
    pub fn try_lock_existing(&self, path: &Path) -> Result<Option<DiskFile>> {
        self.lock(path, false)
    }

    /// Shares a file's lock; `None` while a broker holds it. The file need not be writable.
    pub fn try_lock_shared(&self, path: &Path) -> Result<Option<SharedLock>> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let taken = take(&file, FlockOperation::NonBlockingLockShared).map_err(Error::io("lock", path))?;
        Ok(taken.then_some(SharedLock { _file: file }))
    }

    fn lock(&self, path: &Path, create: bool) -> Result<Option<DiskFile>> {
        let file = self.open(path, create)?;
        let taken = take(file.descriptor()?, FlockOperation::NonBlockingLockExclusive);
        Ok(taken.map_err(Error::io("lock", path))?.then_some(file))
    }
}

/// Takes both kinds of lock; false while somebody else holds one of them.
fn take(file: impl AsFd, operation: FlockOperation) -> io::Result<bool> {
    match flock(&file, operation).and_then(|()| fcntl_lock(&file, operation)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK | Errno::ACCESS) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
