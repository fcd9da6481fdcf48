//! What a test may do to a disk: watch every change, and make chosen ones fail.
//!
//! A recording is enough to build the folder that a crash would leave: [`Script::crash_image`] replays it up to some
//! change into another folder, with or without what was not yet synced.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::absent_is_fine;

/// One change to the file system, in the order of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A folder was made.
    CreateDir(PathBuf),
    /// An empty file was made.
    CreateFile(PathBuf),
    /// Bytes were written at a position.
    Write(PathBuf, u64, Vec<u8>),
    /// A file was cut or lengthened.
    SetLen(PathBuf, u64),
    /// A file's bytes were made durable.
    Sync(PathBuf),
    /// A folder's names were made durable.
    SyncDir(PathBuf),
    /// Something got another name.
    Rename(PathBuf, PathBuf),
    /// A file was removed.
    RemoveFile(PathBuf),
    /// A folder was removed with all in it.
    RemoveDir(PathBuf),
}

type Fault = Arc<dyn Fn(&Change) -> Option<io::Error> + Send + Sync>;

/// A recording, and the rule by which changes fail.
#[derive(Default)]
pub struct Script {
    changes: Mutex<Vec<Change>>,
    fault: Mutex<Option<Fault>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

impl Script {
    /// Lets changes fail for which `fault` returns an error; they do not happen then.
    pub fn fail_when(&self, fault: impl Fn(&Change) -> Option<io::Error> + Send + Sync + 'static) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(fault));
    }

    /// Lets everything succeed again.
    pub fn heal(&self) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Every change so far.
    pub fn changes(&self) -> Vec<Change> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Builds the folder that is left when the power fails after the first `kept` changes. All changes lay below
    /// `from`; the image is built below `into`. With `unsynced` false, what no later sync covered is dropped: bytes that
    /// want a sync of their file, names that want a sync of their folder.
    pub fn crash_image(changes: &[Change], kept: usize, unsynced: bool, from: &Path, into: &Path) -> io::Result<()> {
        let happened = &changes[..kept];
        for (index, change) in happened.iter().enumerate() {
            if unsynced || is_durable(change, &happened[index + 1..]) {
                apply(change, from, into)?;
            }
        }
        Ok(())
    }

    pub(super) fn note(&self, change: Change) -> io::Result<()> {
        // Asked without the lock: a fault may take its time while other changes go on.
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(error) = fault.and_then(|fault| fault(&change)) {
            return Err(error);
        }
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
        Ok(())
    }
}

/// Whether a later sync covers a change, under whichever names file and folder then had.
fn is_durable(change: &Change, later: &[Change]) -> bool {
    let (path, by_file) = match change {
        Change::Write(path, ..) | Change::SetLen(path, _) => (path, true),
        Change::CreateDir(path) | Change::CreateFile(path) => (path, false),
        Change::Rename(_, path) | Change::RemoveFile(path) | Change::RemoveDir(path) => (path, false),
        Change::Sync(_) | Change::SyncDir(_) => return true,
    };
    let first_name = if by_file { Some(path.as_path()) } else { path.parent() };
    let Some(first_name) = first_name else { return true };
    let mut name = first_name.to_owned();
    for change in later {
        match change {
            Change::Sync(synced) if by_file && (synced == first_name || *synced == name) => return true,
            Change::SyncDir(synced) if !by_file && *synced == name => return true,
            Change::Rename(old, new) if name.starts_with(old) => {
                name = name.strip_prefix(old).map_or_else(|_| new.clone(), |rest| join(new, rest));
            }
            _ => {}
        }
    }
    false
}

/// Makes a change in the image. Bytes of a file whose name was lost are lost with it.
fn apply(change: &Change, from: &Path, into: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let at = |path: &Path| path.strip_prefix(from).map_or_else(|_| path.to_owned(), |rest| join(into, rest));
    let open = |path: &Path| std::fs::OpenOptions::new().write(true).open(at(path));
    absent_is_fine(match change {
        // A folder whose parent was lost is lost with it.
        Change::CreateDir(path) if at(path).exists() => Ok(()),
        Change::CreateDir(path) => std::fs::create_dir(at(path)),
        Change::CreateFile(path) => std::fs::File::create(at(path)).map(drop),
        Change::Write(path, position, bytes) => open(path).and_then(|file| file.write_all_at(bytes, *position)),
        Change::SetLen(path, len) => open(path).and_then(|file| file.set_len(*len)),
        Change::Rename(old, new) => std::fs::rename(at(old), at(new)),
        Change::RemoveFile(path) => std::fs::remove_file(at(path)),
        Change::RemoveDir(path) => std::fs::remove_dir_all(at(path)),
        Change::Sync(_) | Change::SyncDir(_) => Ok(()),
    })
}

/// `join` that does not add a slash for an empty rest.
fn join(base: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { base.to_owned() } else { base.join(rest) }
}
