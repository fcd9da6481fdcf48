//! What the segments that are not scanned say of their producers and leader epochs.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Finding, Recovery};
use crate::storage::Result;
use crate::storage::leader_epochs::LeaderEpochs;
use crate::storage::producers::{Producers, unusable};
use crate::storage::segment::{Segment, segment_file};
use crate::storage::transactions::{Aborted, index};

impl Recovery<'_> {
    /// Producer state at the end of the segments that are not scanned: the newest snapshot that is whole, and the
    /// batches after it.
    pub(super) fn producers_at(
        &mut self,
        segments: &[Arc<Segment>],
        snapshots: &[i64],
        limit: i64,
    ) -> Result<Producers> {
        let (mut producers, mut from) = (Producers::default(), i64::MIN);
        for offset in snapshots.iter().rev().filter(|offset| **offset <= limit) {
            let path = segment_file(self.dir, *offset, "snapshot");
            if let Some(read) = Producers::from_snapshot(&self.disk.read(&path)?) {
                (producers, from) = (read, *offset);
                break;
            }
            let sentence = format!("{}; producers are worked out from the log instead", unusable(&path));
            let finding = Finding { file: path, position: 0, length: 0, first_offset: *offset, sentence };
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
        for segment in segments.iter().filter(|segment| segment.published().next_offset > from) {
            segment.visit(from, |batch| {
                producers.remember(&batch.header, segment.marker(batch)?);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(producers)
    }

    /// The aborted transactions of the segments that are not scanned: where there is an index of them, it must say what
    /// the segment says.
    pub(super) fn aborted(&mut self, segments: &[Arc<Segment>], snapshots: &[i64]) -> Result<Vec<Aborted>> {
        let mut all = Vec::new();
        for (position, segment) in segments.iter().enumerate() {
            if !self.indexes_of_aborted.contains(&segment.base_offset) {
                continue;
            }
            let before = self.producers_at(&segments[..position], snapshots, segment.base_offset)?;
            let noted = self.noted(segment.base_offset)?;
            let aborted = segment.aborted(&before, &noted)?;
            if self.settle_index(segment.base_offset, &aborted)? {
                let count = aborted.len();
                let sentence = format!(
                    "the index of aborted transactions did not say what the log says, and was written anew: {count} of them ended in this segment"
                );
                let first_offset = segment.base_offset;
                let file = segment_file(self.dir, first_offset, "txnindex");
                self.findings.push(Finding { file, position: 0, length: 0, first_offset, sentence });
            }
            all.extend(aborted);
        }
        Ok(all)
    }

    /// What the index beside a segment says.
    pub(super) fn noted(&self, base_offset: i64) -> Result<Vec<Aborted>> {
        let file = self.disk.read_if_there(&segment_file(self.dir, base_offset, "txnindex"))?;
        Ok(file.map_or_else(Vec::new, |file| index::decode(&file)))
    }

    /// Makes the index beside a segment say which transactions were aborted in it; whether it said something else. Where a
    /// full disk has no room for it, the log owes it: no stop is clean before it is written.
    pub(super) fn settle_index(&mut self, base_offset: i64, aborted: &[Aborted]) -> Result<bool> {
        if aborted.is_empty() && !self.indexes_of_aborted.contains(&base_offset) {
            return Ok(false);
        }
        let path = segment_file(self.dir, base_offset, "txnindex");
        let wanted = index::encode(aborted);
        if self.disk.read_if_there(&path)?.unwrap_or_default() == wanted {
            return Ok(false);
        }
        let outcome = if wanted.is_empty() { self.disk.remove_file(&path) } else { self.disk.replace(&path, &wanted) };
        match outcome {
            Err(full) if full.is_out_of_room() => {
                tracing::warn!("{full}; it is written when there is room");
                self.owed_indexes.push(base_offset);
                Ok(true)
            }
            outcome => outcome.map(|()| true),
        }
    }

    /// Leader epochs up to the segments that are scanned, from the log itself: the checkpoint is lost.
    pub(super) fn epochs(&self, segments: &[Arc<Segment>]) -> Result<LeaderEpochs> {
        let mut epochs = LeaderEpochs::empty(self.dir);
        for segment in segments {
            segment.visit(i64::MIN, |batch| {
                epochs.observe(batch.header.partition_leader_epoch, batch.header.base_offset);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(epochs)
    }
}
