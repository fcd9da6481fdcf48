//! Finds a leader epoch that was changed in the log after it was written.
//!
//! The CRC of a batch does not cover its leader epoch, but `leader-epoch-checkpoint` says which epoch wrote from which
//! offset on. Where the two differ, one of them was changed; the rest of the segment tells which. A damaged entry of
//! the checkpoint is contradicted by every batch of that epoch, or, where its start offset is wrong, by those between
//! the right start and the wrong one. So the batch is wrong if it is the only one in its segment that differs, if others
//! of the same epoch agree with the checkpoint, and if no other start offset would explain it.
//!
//! That leaves some changes unproved, and those batches are served as they are: the only batch of its epoch in a segment,
//! and the first or last one if its epoch became that of its neighbours, or a later one than the checkpoint knows.

use std::sync::{Arc, OnceLock};

use super::scan::{Depth, Located, Rules, Scanner, Step};
use crate::storage::Result;
use crate::storage::batch::BatchHeader;
use crate::storage::checkpoint::epochs::EpochStart;
use crate::storage::disk::DiskFile;
use crate::storage::leader_epochs::entry_of;

/// Where the leader epoch stands in a batch.
const EPOCH_POSITION: u64 = 12;

/// A leader epoch that was changed, and what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct ChangedEpoch {
    pub(in crate::storage) position: u64,
    pub(in crate::storage) base_offset: i64,
    pub(in crate::storage) found: i32,
    pub(in crate::storage) written: i32,
}

/// What the checkpoint proves about one segment's epochs.
#[derive(Debug)]
pub(in crate::storage) struct EpochProof {
    /// The checkpoint as it was read; without entries it proves nothing.
    entries: Arc<[EpochStart]>,
    /// Looked for when a batch differs from the checkpoint for the first time.
    changed: OnceLock<Option<ChangedEpoch>>,
    mended: OnceLock<ChangedEpoch>,
}

impl EpochProof {
    pub(in crate::storage) fn new(entries: Arc<[EpochStart]>) -> EpochProof {
        EpochProof { entries, changed: OnceLock::new(), mended: OnceLock::new() }
    }

    /// Whether the checkpoint names another epoch for a batch.
    pub(in crate::storage) fn differs(&self, header: &BatchHeader) -> bool {
        entry_of(&self.entries, header.base_offset)
            .is_some_and(|index| self.entries[index].epoch != header.partition_leader_epoch)
    }

    /// The one batch whose epoch was changed, if that can be proved. From byte `doubted` on, batches that differ are
    /// not held against the checkpoint: this start wrote them.
    pub(in crate::storage) fn changed(
        &self,
        log: &DiskFile,
        doubted: u64,
        rules: Rules,
    ) -> Result<Option<ChangedEpoch>> {
        if let Some(known) = self.changed.get() {
            return Ok(*known);
        }
        let found = self.look(log, doubted, rules)?;
        Ok(*self.changed.get_or_init(|| found))
    }

    /// Writes the right epoch into the file.
    pub(in crate::storage) fn mend(&self, log: &DiskFile, changed: ChangedEpoch) -> Result<()> {
        log.write_at(changed.position + EPOCH_POSITION, &[&changed.written.to_be_bytes()])?;
        // Two readers may have come to it at once, and written the same.
        self.mended.get_or_init(|| changed);
        Ok(())
    }

    /// The epoch that was put right.
    pub(in crate::storage) fn mended(&self) -> Option<ChangedEpoch> {
        self.mended.get().copied()
    }

    fn look(&self, log: &DiskFile, doubted: u64, rules: Rules) -> Result<Option<ChangedEpoch>> {
        let mut scanner = Scanner::new(log, 0, log.len()?, None, rules, Depth::Headers);
        let (mut exception, mut agreed) = (None::<Exception>, None);
        while let Step::Batch(batch) = scanner.step()? {
            let Some(index) = entry_of(&self.entries, batch.header.base_offset) else { continue };
            if self.entries[index].epoch == batch.header.partition_leader_epoch {
                agreed = Some(index);
                if let Some(exception) = exception.as_mut().filter(|exception| exception.index == index) {
                    exception.agreed_behind = true;
                }
            } else if batch.position >= doubted {
                continue;
            } else if exception.is_some() {
                return Ok(None);
            } else {
                exception =
                    Some(Exception { batch, index, agreed_before: agreed == Some(index), agreed_behind: false });
            }
        }
        Ok(exception.and_then(|exception| exception.judge(&self.entries)))
    }
}

impl ChangedEpoch {
    /// What was found and done.
    pub(in crate::storage) fn sentence(self) -> String {
        let ChangedEpoch { base_offset, found, written, .. } = self;
        format!(
            "the batch at offset {base_offset} had leader epoch {found} instead of {written}, as the checkpoint and \
             the other batches say; it was put right"
        )
    }
}

/// The batch that differs from the checkpoint.
struct Exception {
    batch: Located,
    /// The checkpoint's entry for it.
    index: usize,
    /// Whether batches on either side bear out that entry.
    agreed_before: bool,
    agreed_behind: bool,
}

impl Exception {
    fn judge(&self, entries: &[EpochStart]) -> Option<ChangedEpoch> {
        let found = self.batch.header.partition_leader_epoch;
        let written = entries[self.index].epoch;
        let is_proved = if found < written {
            let before = self.index.checked_sub(1).map(|before| entries[before].epoch);
            self.agreed_before || (self.agreed_behind && before != Some(found))
        } else {
            // The latest epoch may be missing in the checkpoint: a full disk has no room for it.
            let behind = entries.get(self.index + 1).map(|behind| behind.epoch);
            self.agreed_behind || (self.agreed_before && behind.is_some_and(|behind| behind != found))
        };
        let Located { position, header } = self.batch;
        is_proved.then_some(ChangedEpoch { position, base_offset: header.base_offset, found, written })
    }
}
