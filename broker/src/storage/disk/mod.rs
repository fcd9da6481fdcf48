//! The only file that calls the operating system on files.
//!
//! [`Disk`] is a plain struct of a dozen operations, [`DiskFile`] an open file. Both are thin: what they add to
//! `std::fs` is errors that name the path and the attempt, positions instead of seeks, and an optional [`Script`]
//! that records every change and makes chosen ones fail. Crash tests build the folder that a power cut would leave
//! from such a recording, and open it with the real recovery.

mod descriptors;
mod owner;
mod script;
mod space;

pub use script::{Change, Script};
pub use space::Space;

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::{Error, Result};

/// How many slices one `pwritev` may carry; Linux's IOV_MAX is 1024.
const MAX_SLICES: usize = 1024;

/// One broker's door to the file system; clones share its script.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    script: Option<Arc<Script>>,
}

impl Disk {
    /// A disk that records what is changed, and fails where the script says so.
    pub fn scripted(script: Arc<Script>) -> Disk {
        Disk { script: Some(script) }
    }

    /// Makes a folder and those above it, readable by their owner alone; the names of all of them are durable.
    pub fn create_dir_durably(&self, path: &Path) -> Result<()> {
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
        for folder in missing.into_iter().rev() {
            self.create_dir_all(folder)?;
            let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            self.sync_dir(parent.unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    /// Makes a folder and those above it, readable by their owner alone.
    pub fn create_dir_all(&self, path: &Path) -> Result<()> {
        self.note(path, || Change::CreateDir(path.to_owned()))?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("create folder", path))
    }

    /// Makes the names in a folder durable.
    pub fn sync_dir(&self, path: &Path) -> Result<()> {
        self.note(path, || Change::SyncDir(path.to_owned()))?;
        File::open(path).and_then(|dir| dir.sync_all()).map_err(Error::io("sync folder", path))
    }

    /// Opens a file for reading and writing, making it first when `create` and it is not there.
    pub fn open(&self, path: &Path, create: bool) -> Result<DiskFile> {
        let open = |create| OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path);
        let file = match open(false) {
            Err(missing) if create && missing.kind() == io::ErrorKind::NotFound => {
                self.note(path, || Change::CreateFile(path.to_owned()))?;
                open(true)
            }
            opened => opened,
        };
        let file = file.map_err(Error::io("open", path))?;
        Ok(DiskFile { file: Arc::new(file), path: Arc::new(path.to_owned()), disk: self.clone() })
    }

    /// Whether something stands at a path.
    pub fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    /// Whether a path is a folder.
    pub fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    /// Reads a whole (small) file.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        std::fs::read(path).map_err(Error::io("read", path))
    }

    /// Puts a file in place whole: writes `<path>.tmp`, fsyncs it, renames it, fsyncs the folder.
    pub fn replace(&self, path: &Path, contents: &[u8]) -> Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let file = self.open(&temporary, true)?;
        file.set_len(0)?;
        file.write_at(0, &[contents])?;
        file.sync()?;
        self.rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |folder| self.sync_dir(folder))
    }

    /// Renames a file or a folder.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.note(from, || Change::Rename(from.to_owned(), to.to_owned()))?;
        std::fs::rename(from, to).map_err(Error::io("rename", from))
    }

    /// Removes a file; one that is gone already is fine.
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        self.note(path, || Change::RemoveFile(path.to_owned()))?;
        absent_is_fine(std::fs::remove_file(path)).map_err(Error::io("remove", path))
    }

    /// Removes a folder with all that is in it; one that is gone already is fine.
    pub fn remove_dir_all(&self, path: &Path) -> Result<()> {
        self.note(path, || Change::RemoveDir(path.to_owned()))?;
        absent_is_fine(std::fs::remove_dir_all(path)).map_err(Error::io("remove folder", path))
    }

    /// The names in a folder, sorted; names that are not UTF-8 are left out.
    pub fn list(&self, path: &Path) -> Result<Vec<String>> {
        let entries = std::fs::read_dir(path).map_err(Error::io("list", path))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("list", path))?;
            names.extend(entry.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// Takes a file's exclusive lock (flock) without waiting; `None` while somebody else holds it. Makes the file if it is
    /// not there.
    pub fn try_lock(&self, path: &Path) -> Result<Option<DiskFile>> {
        self.lock(path, true)
    }

    /// As [`Disk::try_lock`], but makes nothing in a folder that somebody may be removing.
    pub fn try_lock_existing(&self, path: &Path) -> Result<Option<DiskFile>> {
        self.lock(path, false)
    }

    fn lock(&self, path: &Path, create: bool) -> Result<Option<DiskFile>> {
        let file = self.open(path, create)?;
        match rustix::fs::flock(&*file.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(Error::io("lock", path)(errno.into())),
        }
    }

    /// Tells the script of a change before it happens; the script may refuse it.
    fn note(&self, path: &Path, change: impl FnOnce() -> Change) -> Result<()> {
        match &self.script {
            Some(script) => script.note(change()).map_err(Error::io("change", path)),
            None => Ok(()),
        }
    }
}

/// An open file; clones share the descriptor. Positions are explicit: nothing seeks.
#[derive(Clone, Debug)]
pub struct DiskFile {
    file: Arc<File>,
    path: Arc<PathBuf>,
    disk: Disk,
}

impl DiskFile {
    /// Where the file was opened (a later rename of its folder does not show here).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is the file at the path where it was opened; somebody may have removed or replaced it since.
    pub fn is_in_place(&self) -> bool {
        match (self.file.metadata(), std::fs::metadata(&*self.path)) {
            (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
            (_, Err(failure)) => failure.kind() != io::ErrorKind::NotFound,
            (Err(_), _) => true,
        }
    }

    /// The file's length in bytes.
    pub fn len(&self) -> Result<u64> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(Error::io("look at", &self.path))
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Cuts the file, or lengthens it with zeros.
    pub fn set_len(&self, len: u64) -> Result<()> {
        self.disk.note(&self.path, || Change::SetLen(self.path.to_path_buf(), len))?;
        self.file.set_len(len).map_err(Error::io("cut", &self.path))
    }

    /// Fills the buffer from `position`; returns how many bytes there were, fewer only at the end of the file.
    pub fn read_at(&self, position: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::io("read", &self.path)(source)),
            }
        }
        Ok(filled)
    }

    /// Writes all slices one after another at `position`; after an error some of them may have been written.
    pub fn write_at(&self, position: u64, slices: &[&[u8]]) -> Result<()> {
        self.disk.note(&self.path, || Change::Write(self.path.to_path_buf(), position, slices.concat()))?;
        let mut vector: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        let mut remaining = &mut vector[..];
        IoSlice::advance_slices(&mut remaining, 0);
        let mut written = 0u64;
        while !remaining.is_empty() {
            let batch = &remaining[..remaining.len().min(MAX_SLICES)];
            match rustix::io::pwritev(&*self.file, batch, position + written) {
                Ok(0) => return Err(Error::io("write", &self.path)(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    written += count as u64;
                    IoSlice::advance_slices(&mut remaining, count);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::io("write", &self.path)(errno.into())),
            }
        }
        Ok(())
    }

    /// Makes the file's bytes durable (fdatasync).
    pub fn sync(&self) -> Result<()> {
        self.disk.note(&self.path, || Change::Sync(self.path.to_path_buf()))?;
        self.file.sync_data().map_err(Error::io("sync", &self.path))
    }

    /// Lets the kernel copy at most `count` bytes from `position` to a socket (sendfile); 0 only at the end of the file.
    pub fn send_to(&self, socket: BorrowedFd<'_>, position: u64, count: usize) -> io::Result<usize> {
        let mut offset = position;
        rustix::fs::sendfile(socket, &*self.file, Some(&mut offset), count).map_err(io::Error::from)
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

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
