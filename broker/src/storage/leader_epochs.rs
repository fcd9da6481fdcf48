//! Which leader epoch wrote which offsets: the cache over a partition's `leader-epoch-checkpoint`.
//!
//! On one node the epoch grows by one at every start of the broker. Consumers compare epochs to notice that a log was
//! cut under them; it never goes backwards.

use std::path::{Path, PathBuf};

use super::Result;
use super::checkpoint::epochs::{self, EpochStart, LEADER_EPOCH_FILE};
use super::disk::Disk;

/// The epochs of one log, ascending in epoch and in start offset.
#[derive(Debug)]
pub(super) struct LeaderEpochs {
    path: PathBuf,
    entries: Vec<EpochStart>,
    /// The file on disk says something else.
    changed: bool,
}

impl LeaderEpochs {
    /// No epochs yet, to be written into `dir`.
    pub(super) fn empty(dir: &Path) -> LeaderEpochs {
        LeaderEpochs { path: dir.join(LEADER_EPOCH_FILE), entries: Vec::new(), changed: true }
    }

    /// Reads the checkpoint; `None` when it is missing or damaged and must be derived from the log.
    pub(super) fn read(disk: &Disk, dir: &Path) -> Option<LeaderEpochs> {
        let path = dir.join(LEADER_EPOCH_FILE);
        let entries = epochs::read(disk, &path).ok().filter(|entries| !entries.is_empty())?;
        Some(LeaderEpochs { path, entries, changed: false })
    }

    /// The epoch under which `offset` was written.
    pub(super) fn epoch_of(&self, offset: i64) -> Option<i32> {
        self.entries.iter().rev().find(|entry| entry.start_offset <= offset).map(|entry| entry.epoch)
    }

    /// The latest epoch.
    pub(super) fn latest(&self) -> Option<i32> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// Notes that `epoch` writes from `start_offset` on; earlier epochs that wrote nothing before it are forgotten.
    pub(super) fn assign(&mut self, epoch: i32, start_offset: i64) {
        if self.latest().is_some_and(|latest| latest >= epoch) {
            return;
        }
        self.entries.retain(|entry| entry.start_offset < start_offset);
        self.entries.push(EpochStart { epoch, start_offset });
        self.changed = true;
    }

    /// Forgets epochs that begin behind the end of the log.
    pub(super) fn cut(&mut self, end_offset: i64) {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.start_offset <= end_offset);
        self.changed |= before != self.entries.len();
    }

    /// Writes the file if it says something else.
    pub(super) fn write(&mut self, disk: &Disk) -> Result<()> {
        if self.changed {
            epochs::write(disk, &self.path, &self.entries)?;
            self.changed = false;
        }
        Ok(())
    }
}
