//! An open file, and one that is not open yet.
//!
//! A log that nobody writes or reads should cost no descriptor, so a [`DiskFile`] may be opened when it is first used, and
//! made when something is first written to it. From then on it stays open: what is renamed or removed meanwhile can still
//! be used. One that was never opened is *sealed* before its folder is renamed, so that it is not found under another's.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::io::Errno;

use super::super::{Error, Result};
use super::{Change, Disk};

/// How many slices one `pwritev` may carry; Linux's IOV_MAX is 1024.
const MAX_SLICES: usize = 1024;

/// A file; clones share the descriptor. Positions are explicit: nothing seeks.
#[derive(Clone, Debug)]
pub struct DiskFile {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    disk: Disk,
    path: PathBuf,
    /// Empty until the first use; `None` inside when it must not be opened any more.
    handle: OnceLock<Option<File>>,
}

impl DiskFile {
    pub(super) fn open(disk: &Disk, path: &Path, create: bool) -> Result<DiskFile> {
        let file = DiskFile::closed(disk, path);
        if create {
            file.made()?
        } else {
            file.keep(open(path, false).map_err(Error::io("open", path))?)?
        };
        Ok(file)
    }

    pub(super) fn closed(disk: &Disk, path: &Path) -> DiskFile {
        DiskFile { shared: Arc::new(Shared { disk: disk.clone(), path: path.to_owned(), handle: OnceLock::new() }) }
    }

    /// Where the file was opened (a later rename of its folder does not show here).
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Whether this is the file at the path where it was opened; somebody may have removed or replaced it since.
    pub fn is_in_place(&self) -> bool {
        let own = self.descriptor().map(File::metadata);
        match (own, std::fs::metadata(self.path())) {
            (Ok(Ok(own)), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
            (_, Err(failure)) => failure.kind() != io::ErrorKind::NotFound,
            (_, Ok(_)) => true,
        }
    }

    /// The file's length in bytes.
    pub fn len(&self) -> Result<u64> {
        let metadata = match self.shared.handle.get() {
            Some(Some(file)) => file.metadata(),
            Some(None) => Err(sealed()),
            // Looking costs no descriptor.
            None => std::fs::metadata(self.path()),
        };
        match metadata {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound && self.shared.handle.get().is_none() => Ok(0),
            found => found.map(|metadata| metadata.len()).map_err(Error::io("look at", self.path())),
        }
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Makes the file if it is not there, without keeping it open.
    pub fn make(&self) -> Result<()> {
        if self.shared.handle.get().is_none() {
            self.open_or_make()?;
        }
        Ok(())
    }

    /// Keeps a file that was not used yet from ever being opened: something else may be at its path from now on.
    pub fn seal(&self) {
        // One that is open stays open.
        let _ = self.shared.handle.set(None);
    }

    /// Cuts the file, or lengthens it with zeros.
    pub fn set_len(&self, len: u64) -> Result<()> {
        if len == 0 && self.if_made()?.is_none() {
            return Ok(());
        }
        let file = self.made()?;
        self.note(|| Change::SetLen(self.path().to_owned(), len))?;
        file.set_len(len).map_err(Error::io("cut", self.path()))
    }

    /// Fills the buffer from `position`; returns how many bytes there were, fewer only at the end of the file.
    pub fn read_at(&self, position: u64, buffer: &mut [u8]) -> Result<usize> {
        let Some(file) = self.if_made()? else { return Ok(0) };
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_at(&mut buffer[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::io("read", self.path())(source)),
            }
        }
        Ok(filled)
    }

    /// Writes all slices one after another at `position`; after an error some of them may have been written.
    pub fn write_at(&self, position: u64, slices: &[&[u8]]) -> Result<()> {
        let file = self.made()?;
        self.note(|| Change::Write(self.path().to_owned(), position, slices.concat()))?;
        let mut vector: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        let mut remaining = &mut vector[..];
        IoSlice::advance_slices(&mut remaining, 0);
        let mut written = 0u64;
        while !remaining.is_empty() {
            let batch = &remaining[..remaining.len().min(MAX_SLICES)];
            match rustix::io::pwritev(file, batch, position + written) {
                Ok(0) => return Err(Error::io("write", self.path())(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    written += count as u64;
                    IoSlice::advance_slices(&mut remaining, count);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::io("write", self.path())(errno.into())),
            }
        }
        Ok(())
    }

    /// Makes the file's bytes durable (fdatasync).
    pub fn sync(&self) -> Result<()> {
        let Some(file) = self.if_made()? else { return Ok(()) };
        self.note(|| Change::Sync(self.path().to_owned()))?;
        file.sync_data().map_err(Error::io("sync", self.path()))
    }

    /// Lets the kernel copy at most `count` bytes from `position` to a socket (sendfile); 0 only at the end of the file.
    pub fn send_to(&self, socket: BorrowedFd<'_>, position: u64, count: usize) -> io::Result<usize> {
        let file = match self.shared.handle.get() {
            Some(Some(file)) => file,
            _ => self.descriptor().map_err(io::Error::other)?,
        };
        let mut offset = position;
        rustix::fs::sendfile(socket, file, Some(&mut offset), count).map_err(io::Error::from)
    }

    /// The open file, which must be there.
    pub(super) fn descriptor(&self) -> Result<&File> {
        let missing = || Error::io("open", self.path())(io::ErrorKind::NotFound.into());
        self.if_made()?.ok_or_else(missing)
    }

    /// The open file; `None` while it was not made.
    fn if_made(&self) -> Result<Option<&File>> {
        match self.shared.handle.get() {
            Some(Some(file)) => return Ok(Some(file)),
            Some(None) => return Err(Error::io("open", self.path())(sealed())),
            None => {}
        }
        match open(self.path(), false) {
            Ok(file) => self.keep(file).map(Some),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(Error::io("open", self.path())(failure)),
        }
    }

    /// The open file, which is made first if need be.
    fn made(&self) -> Result<&File> {
        match self.shared.handle.get() {
            Some(Some(file)) => Ok(file),
            _ => self.keep(self.open_or_make()?),
        }
    }

    fn open_or_make(&self) -> Result<File> {
        if let Some(None) = self.shared.handle.get() {
            return Err(Error::io("open", self.path())(sealed()));
        }
        let file = match open(self.path(), false) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                self.note(|| Change::CreateFile(self.path().to_owned()))?;
                open(self.path(), true)
            }
            opened => opened,
        };
        file.map_err(Error::io("open", self.path()))
    }

    /// Of two that open the file at once both go on with the same descriptor.
    fn keep(&self, file: File) -> Result<&File> {
        let kept = self.shared.handle.get_or_init(|| Some(file));
        kept.as_ref().ok_or_else(|| Error::io("open", self.path())(sealed()))
    }

    fn note(&self, change: impl FnOnce() -> Change) -> Result<()> {
        self.shared.disk.note(self.path(), change)
    }
}

/// A part of a file that goes to a client as it stands. It owns its handle, so the file may be removed meanwhile.
#[derive(Clone, Debug)]
pub struct FileRange {
    /// The file.
    pub file: DiskFile,
    /// The first byte.
    pub position: u64,
    /// How many bytes.
    pub length: u32,
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)
}

fn sealed() -> io::Error {
    io::Error::other("its folder was renamed before it was opened")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_not_made_is_empty_and_is_made_by_the_first_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("later");
        let file = Disk::default().open_later(&path);
        let mut buffer = [0; 4];
        assert_eq!((file.len().expect("a length"), file.read_at(0, &mut buffer).expect("nothing")), (0, 0));
        file.set_len(0).expect("nothing to cut");
        file.sync().expect("nothing to sync");
        assert!(!path.exists());
        file.write_at(1, &[b"abc"]).expect("written");
        assert_eq!((file.len().expect("a length"), file.read_at(0, &mut buffer).expect("read")), (4, 4));
        assert_eq!(&buffer, b"\0abc");
    }

    #[test]
    fn a_sealed_file_is_not_found_under_anothers_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::default();
        let (open, later) = (folder.path().join("open"), folder.path().join("later"));
        let (open, later) = (disk.open(&open, true).expect("made"), disk.open_later(&later));
        [&open, &later].into_iter().for_each(DiskFile::seal);
        std::fs::write(later.path(), "another's").expect("written");
        let mut buffer = [0; 4];
        later.read_at(0, &mut buffer).expect_err("it is another's");
        later.write_at(0, &[b"x"]).expect_err("it is another's");
        later.len().expect_err("it is another's");
        later.make().expect("nothing happens");
        open.write_at(0, &[b"x"]).expect("what is open stays open");
    }
}
