//! Which leader epoch wrote which offsets: the cache over a partition's `leader-epoch-checkpoint`.
//!
//! On one node the epoch grows by one at every start of the broker. Consumers compare epochs to notice that a log was
//! cut under them; it never goes backwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Result;
use super::checkpoint::epochs::{self, EpochStart, LEADER_EPOCH_FILE};
use super::disk::Disk;

/// Where an epoch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch.
    pub epoch: i32,
    /// The first offset that was not written under it.
    pub end_offset: i64,
}

/// The epochs of one log, ascending in epoch and in start offset.
#[derive(Debug)]
pub(super) struct LeaderEpochs {
    path: PathBuf,
    entries: Vec<EpochStart>,
    /// A later epoch than all others, which the log showed once.
    unconfirmed: Option<EpochStart>,
    /// The file on disk says something else.
    changed: bool,
}

impl LeaderEpochs {
    /// No epochs yet, to be written into `dir`.
    pub(super) fn empty(dir: &Path) -> LeaderEpochs {
        LeaderEpochs { path: dir.join(LEADER_EPOCH_FILE), entries: Vec::new(), unconfirmed: None, changed: true }
    }

    /// Reads the checkpoint of a folder that holds files of these names; `None` when it is missing or damaged and must be
    /// derived from the log.
    pub(super) fn read(disk: &Disk, dir: &Path, names: &[String]) -> Option<LeaderEpochs> {
        names.iter().find(|name| *name == LEADER_EPOCH_FILE)?;
        let path = dir.join(LEADER_EPOCH_FILE);
        let entries = epochs::read(disk, &path).ok().filter(|entries| !entries.is_empty())?;
        Some(LeaderEpochs { path, entries, unconfirmed: None, changed: false })
    }

    /// All epochs, as they are now.
    pub(super) fn entries(&self) -> Arc<[EpochStart]> {
        Arc::from(&self.entries[..])
    }

    /// The epoch under which `offset` was written.
    pub(super) fn epoch_of(&self, offset: i64) -> Option<i32> {
        entry_of(&self.entries, offset).map(|index| self.entries[index].epoch)
    }

    /// The latest epoch.
    pub(super) fn latest(&self) -> Option<i32> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// The end of the largest epoch up to `epoch`, by the rules of Kafka's `LeaderEpochFileCache.endOffsetFor`: the
    /// latest ends with the log, an epoch before the first that is known ends where that begins, and nothing is known
    /// of one that is still to come.
    pub(super) fn end_of(&self, epoch: i32, log_end_offset: i64) -> Option<EpochEnd> {
        if self.latest() == Some(epoch) {
            return Some(EpochEnd { epoch, end_offset: log_end_offset });
        }
        let next = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let end_offset = self.entries.get(next)?.start_offset;
        let known = next.checked_sub(1).map_or(epoch, |index| self.entries[index].epoch);
        Some(EpochEnd { epoch: known, end_offset })
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

    /// Notes the epoch of a batch, in the order of the log. A later epoch is believed when the next batch does not fall
    /// back behind it: epochs never do, but a changed one looks like that. [`LeaderEpochs::settle`] comes after the last.
    pub(super) fn observe(&mut self, epoch: i32, base_offset: i64) {
        if let Some(seen) = self.unconfirmed.take().filter(|seen| seen.epoch <= epoch) {
            self.assign(seen.epoch, seen.start_offset);
        }
        if self.latest().is_none_or(|latest| latest < epoch) {
            self.unconfirmed = Some(EpochStart { epoch, start_offset: base_offset });
        }
    }

    /// The log is at its end: nothing speaks against its last batch.
    pub(super) fn settle(&mut self) {
        if let Some(seen) = self.unconfirmed.take() {
            self.assign(seen.epoch, seen.start_offset);
        }
    }

    /// Forgets epochs that begin behind the end of the log.
    pub(super) fn cut(&mut self, end_offset: i64) {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.start_offset <= end_offset);
        self.changed |= before != self.entries.len();
    }

    /// Forgets epochs that wrote nothing from `start_offset` on (Kafka's `truncateFromStart`).
    pub(super) fn begin_at(&mut self, start_offset: i64) {
        let over = entry_of(&self.entries, start_offset).unwrap_or(0);
        self.entries.drain(..over);
        self.changed |= over > 0;
        if let Some(first) = self.entries.first_mut().filter(|first| first.start_offset < start_offset) {
            first.start_offset = start_offset;
            self.changed = true;
        }
    }

    /// Writes the file before the first record of a log. It is written again, durably, when it matters: the log could
    /// give what it says until then.
    pub(super) fn write_first(&self, disk: &Disk) -> Result<()> {
        epochs::write_first(disk, &self.path, &self.entries)
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

/// Which entry holds for `offset`; `None` before the first.
pub(super) fn entry_of(entries: &[EpochStart], offset: i64) -> Option<usize> {
    entries.partition_point(|entry| entry.start_offset <= offset).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let mut epochs = LeaderEpochs::empty(Path::new("nowhere"));
        for (epoch, start_offset) in [(2, 10), (5, 20), (6, 35)] {
            epochs.assign(epoch, start_offset);
        }
        let end_of = |epoch| epochs.end_of(epoch, 50).map(|end| (end.epoch, end.end_offset));
        assert_eq!(end_of(6), Some((6, 50)));
        assert_eq!(end_of(5), Some((5, 35)));
        assert_eq!(end_of(4), Some((2, 20)));
        assert_eq!(end_of(1), Some((1, 10)));
        assert_eq!(end_of(7), None);
        assert_eq!(LeaderEpochs::empty(Path::new("nowhere")).end_of(0, 0), None);
    }
    /// One changed bit in one batch must not make the epochs of all later ones unknown.
    #[test]
    fn a_changed_epoch_does_not_hide_the_others() {
        for (log, noted) in [
            (vec![0, 0, 1, 1, 3], vec![(0, 0), (1, 2), (3, 4)]),
            (vec![0, 9, 0, 1, 1, 3], vec![(0, 0), (1, 3), (3, 5)]),
            (vec![8, 0, 1, 1, 3], vec![(0, 1), (1, 2), (3, 4)]),
            (vec![0, 0, 1, 0, 1], vec![(0, 0), (1, 4)]),
            (vec![1, 1, 0, 1], vec![(1, 0)]),
            (vec![2], vec![(2, 0)]),
            (vec![], vec![]),
        ] {
            let mut epochs = LeaderEpochs::empty(Path::new("nowhere"));
            for (offset, epoch) in (0..).zip(&log) {
                epochs.observe(*epoch, offset);
            }
            epochs.settle();
            let found: Vec<_> = epochs.entries.iter().map(|entry| (entry.epoch, entry.start_offset)).collect();
            assert_eq!(found, noted, "{log:?}");
        }
    }
}
