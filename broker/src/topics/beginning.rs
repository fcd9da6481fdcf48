//! The beginning of a partition moves forward: what stands before it is over.

use std::sync::Arc;

use super::Partition;
use crate::storage::Result;

impl Partition {
    /// Makes everything durable, then begins the log at an offset: what stands before it cannot be read any more, and
    /// segments that hold nothing else are removed. Gives their number.
    ///
    /// # Errors
    /// When the disk fails. Files that could not be removed are found again by the next start, and stay.
    pub async fn begin_at(self: &Arc<Self>, offset: i64) -> Result<usize> {
        self.make_durable().await?;
        let partition = Arc::clone(self);
        let begun = self.upkeep.runtime.spawn_blocking(move || {
            let dropped = partition.writer()?.log.begin_at(offset)?;
            partition.upkeep.note_change();
            let count = dropped.count();
            dropped.remove().map(|()| count)
        });
        begun.await.unwrap_or_else(|broken| Err(self.interrupted_by(broken, "remove segments of")))
    }

    /// `segment.bytes` as it is now; 0 for a log that cannot be used.
    pub fn segment_bytes(&self) -> u64 {
        self.writer().map_or(0, |writer| writer.log.options().segment_bytes)
    }
}
