//! The only file that calls the operating system on files.
//!
//! [`Disk`] is a plain struct of a dozen operations, [`DiskFile`] an open file. Both are thin: what they add to
//! `std::fs` is errors that name the path and the attempt, positions instead of seeks, and an optional [`Script`]
//! that records every change and makes chosen ones fail. Crash tests build the folder that a power cut would leave
//! from such a recording, and open it with the real recovery.

mod descriptors;
mod file;
mod lock;
mod owner;
mod reserve;
mod script;
mod space;

pub use file::{DiskFile, FileRange};
pub use lock::SharedLock;
pub use script::{Change, Script};
pub use space::Space;

use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, Result};

/// How much of a file is copied at a time.
const COPY_BYTES: usize = 1024 * 1024;

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
        DiskFile::open(self, path, create)
    }

    /// A file that is opened when it is first used, and made when it is first written to. Until it is made it is empty.
    pub fn open_later(&self, path: &Path) -> DiskFile {
        DiskFile::closed(self, path)
    }

    /// Opens what somebody named to be read once, from its start: a file, a pipe, a device.
    pub fn open_to_read(&self, path: &Path) -> Result<impl io::Read + Send + use<>> {
        File::open(path).map_err(Error::io("open", path))
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

    /// Reads a whole (small) file; `None` when there is none.
    pub fn read_if_there(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match std::fs::read(path) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(Error::io("read", path)),
        }
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

    /// Writes a file anew, neither whole nor durable: a power cut may leave any part of it. For what can be made again.
    pub fn put(&self, path: &Path, contents: &[u8]) -> Result<()> {
        let file = self.open(path, true)?;
        if !file.is_empty()? {
            file.set_len(0)?;
        }
        file.write_at(0, &[contents])
    }

    /// Copies a file and makes the copy durable, though not its name.
    pub fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let mut source = File::open(from).map_err(Error::io("open", from))?;
        let copy = self.open(to, true)?;
        copy.set_len(0)?;
        let (mut buffer, mut position) = (vec![0; COPY_BYTES], 0);
        loop {
            let count = io::Read::read(&mut source, &mut buffer).map_err(Error::io("read", from))?;
            if count == 0 {
                return copy.sync();
            }
            copy.write_at(position, &[&buffer[..count]])?;
            position += count as u64;
        }
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

    /// The names of the folders in a folder, sorted; names that are not UTF-8 are left out.
    pub fn list_folders(&self, path: &Path) -> Result<Vec<String>> {
        let entries = std::fs::read_dir(path).map_err(Error::io("list", path))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("list", path))?;
            // The listing tells of most what they are; a link may lead to a folder.
            let kind = entry.file_type().map_err(Error::io("look at", path))?;
            if kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()) {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Where a path leads, without links.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf> {
        std::fs::canonicalize(path).map_err(Error::io("look at", path))
    }

    /// Tells the script of a change before it happens; the script may refuse it.
    fn note(&self, path: &Path, change: impl FnOnce() -> Change) -> Result<()> {
        match &self.script {
            Some(script) => script.note(change()).map_err(Error::io("change", path)),
            None => Ok(()),
        }
    }
}

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
