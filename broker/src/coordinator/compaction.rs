//! Keeps a partition of `__consumer_offsets` from growing without bound.
//!
//! Most of its records are over: a commit counts until the next one for the same partition. When there is more of such than
//! of what counts, and a segment full of it, all that counts is appended once more, and then the log begins there:
//!
//! ```text
//!   ┌───────────────────────────────┬──────────────────────────────────┐
//!   │ commits, most of them over    │ what counts, and what comes now  │
//!   └───────────────────────────────┴──────────────────────────────────┘
//!     removed once the rest is on    ▲ the log begins here
//!     the disk
//! ```
//!
//! Whatever changes meanwhile is appended behind that point as well, and the last record of a key counts; so what stands from
//! there on says everything, whenever the work is interrupted. Requests are served in between. Kafka's log cleaner copies
//! segments instead: records stay at their offsets, and what was deleted is told for another day (`delete.retention.ms`).

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{Place, Shard};
use crate::topics::Partition;

/// How far the work has come, and when it is due again.
#[derive(Debug)]
pub(super) struct Compaction {
    partition: Arc<Partition>,
    /// Bytes that stood in the log after the last time, or that would have if there had been one.
    kept_bytes: u64,
    /// It failed when the log had so many, and is not tried again before it has grown by half a segment.
    failed_at_bytes: Option<u64>,
    /// The shard knows all that the log tells. What could not be read, or is of a newer kind, must not go.
    may_remove: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Not due yet.
    Idle,
    /// What counts is appended: from this offset on, and next from this place.
    Appending { from: i64, next: Option<Place> },
    /// What stands before is removed.
    Removing(JoinHandle<()>),
}

impl Compaction {
    /// Nothing is due yet in a log that was just read.
    pub(super) fn new(partition: Arc<Partition>, shard: &Shard, may_remove: bool) -> Compaction {
        let kept_bytes = shard.projected_bytes();
        Compaction { partition, kept_bytes, failed_at_bytes: None, may_remove, stage: Stage::Idle }
    }

    /// Whether there is something to append now, though nobody asks for anything.
    pub(super) fn is_appending(&self) -> bool {
        matches!(self.stage, Stage::Appending { .. })
    }

    /// Where to go on appending, if that is to be done now.
    pub(super) fn next(&mut self) -> Option<Option<Place>> {
        match &self.stage {
            Stage::Idle if self.is_due() => {
                let from = self.partition.log_end_offset();
                tracing::debug!("{}: all that counts is appended anew from offset {from} on", self.partition.id());
                self.stage = Stage::Appending { from, next: None };
                Some(None)
            }
            Stage::Appending { next, .. } => Some(next.clone()),
            Stage::Removing(removal) if removal.is_finished() => {
                self.rest();
                None
            }
            Stage::Idle | Stage::Removing(_) => None,
        }
    }

    /// A piece was appended, and this is where it goes on. If that was all, what stands before goes.
    pub(super) fn appended(&mut self, next: Option<Place>) {
        let Stage::Appending { from, .. } = self.stage else { return };
        self.stage = match next {
            Some(_) => Stage::Appending { from, next },
            None => Stage::Removing(tokio::spawn(remove_before(Arc::clone(&self.partition), from))),
        };
    }

    /// A piece could not be appended.
    pub(super) fn failed(&mut self) {
        tracing::warn!("{} is not compacted, because nothing can be appended to it", self.partition.id());
        self.failed_at_bytes = Some(self.partition.size());
        self.stage = Stage::Idle;
    }

    fn rest(&mut self) {
        self.kept_bytes = self.partition.size();
        self.failed_at_bytes = None;
        self.stage = Stage::Idle;
    }

    /// As much has come as a segment holds, and as much as was there: then at least half of it is over, or the state has
    /// doubled.
    fn is_due(&self) -> bool {
        let size = self.partition.size();
        let grown = size.saturating_sub(self.kept_bytes);
        if !self.may_remove || grown <= self.kept_bytes {
            return false;
        }
        let segment_bytes = self.partition.segment_bytes();
        let was_tried = self.failed_at_bytes.is_some_and(|failed_at| size < failed_at + segment_bytes / 2);
        grown > segment_bytes && !was_tried
    }
}

async fn remove_before(partition: Arc<Partition>, offset: i64) {
    match partition.begin_at(offset).await {
        Ok(count) => tracing::info!("{} begins at offset {offset} now; {count} segments are removed", partition.id()),
        Err(error) => tracing::warn!("{} could not be made to begin at offset {offset}: {error}", partition.id()),
    }
}
