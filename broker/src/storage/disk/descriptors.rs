//! Descriptors for those who need more than a [`Disk`] operation: a folder to reach a socket through, a log file to
//! give to a child process.

use std::fs::{File, OpenOptions};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::Mode;

use super::super::{Error, Result};
use super::Disk;

impl Disk {
    /// Opens a folder; `/proc/self/fd/N` then names it however long its path is.
    pub fn open_dir(&self, path: &Path) -> Result<OwnedFd> {
        File::open(path).map(OwnedFd::from).map_err(Error::io("open folder", path))
    }

    /// Opens a text file that only grows, readable by its owner alone; makes it if it is not there.
    pub fn open_to_append(&self, path: &Path) -> Result<OwnedFd> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        file.map(OwnedFd::from).map_err(Error::io("open", path))
    }

    /// Lets only the owner connect to a Unix socket; called before the socket is bound to its `path`.
    pub fn restrict_to_owner(&self, socket: BorrowedFd<'_>, path: &Path) -> Result<()> {
        rustix::fs::fchmod(socket, Mode::RUSR | Mode::WUSR).map_err(|errno| Error::io("restrict", path)(errno.into()))
    }
}
