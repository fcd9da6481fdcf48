//! The beginning of a partition moves forward: what stands before it is over.

use std::sync::Arc;

use super::Partition;
use crate::storage::Result;

impl Partition {
    /// Makes everything durable, then begins the log at an offset: what stands before it cannot be read any more, and
    /// segments that hold nothing else are removed. Gives their number.
    ///
    /// # Errors
    /// When the disk fails, or the partition is deleted or closed meanwhile. Files that were not removed are found again by the
    /// next start, which begins the log with them.
    pub async fn begin_at(self: &Arc<Self>, offset: i64) -> Result<usize> {
        self.make_durable().await?;
        let partition = Arc::clone(self);
        let begun = self.upkeep.runtime.spawn_blocking(move || partition.begin_in_place(offset));
        begun.await.unwrap_or_else(|broken| Err(self.interrupted_by(broken, "remove segments of")))
    }

    /// `segment.bytes` as it is now; 0 for a log that cannot be used.
    pub fn segment_bytes(&self) -> u64 {
        self.writer().map_or(0, |writer| writer.log.options().segment_bytes)
    }

    fn begin_in_place(&self, offset: i64) -> Result<usize> {
        let mut dropped = self.open_writer()?.log.begin_at(offset)?;
        self.upkeep.note_change();
        let count = dropped.count();
        let mut failed = None;
        loop {
            // Under the lock, so that the folder is neither renamed nor given up to another broker; but for one segment at a
            // time, so that whoever appends need not wait long.
            let _writer = self.open_writer()?;
            match dropped.remove_next() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        failed.map_or(Ok(count), Err)
    }
}
