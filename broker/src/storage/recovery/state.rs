//! What the segments that are not scanned say of their producers and leader epochs.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Finding, Recovery};
use crate::storage::Result;
use crate::storage::leader_epochs::LeaderEpochs;
use crate::storage::producers::{Producers, unusable};
use crate::storage::segment::{Segment, segment_file};

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
            self.findings.push(Finding { file: path, position: 0, length: 0, first_offset: *offset, sentence });
        }
        for segment in segments.iter().filter(|segment| segment.published().next_offset > from) {
            segment.visit(from, |batch| {
                producers.remember(&batch.header);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(producers)
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
