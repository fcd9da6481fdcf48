//! The end of one segment and the beginning of the next.

use std::sync::Arc;

use super::Log;
use super::active::ActiveSegment;
use crate::clock::TimestampMs;
use crate::storage::batch::BatchHeader;
use crate::storage::segment::{SEGMENT_FILES, segment_file};
use crate::storage::transactions::index;
use crate::storage::{Error, Refusal, Result};

impl Log {
    /// Rolls if the batch does not fit the active segment any more.
    pub(super) fn make_room(&mut self, header: &BatchHeader, size: u64, now_ms: TimestampMs) -> Result<()> {
        if size > self.options.segment_bytes {
            let (name, limit) = (&self.name, self.options.segment_bytes);
            return Err(Error::Refused(Refusal::LargerThanSegment(format!(
                "Message batch size is {size} bytes in append to partition {name}, which exceeds the maximum configured segment size of {limit}."
            ))));
        }
        if self.active.should_roll(header, size, &self.options, now_ms) && self.active.size() > 0 {
            self.roll(now_ms)?;
        }
        Ok(())
    }

    /// Closes the active segment and begins the next one at the log end offset.
    fn roll(&mut self, now_ms: TimestampMs) -> Result<()> {
        let end = self.log_end_offset();
        self.active.finish()?;
        // A sealed segment may never be scanned again, so its epochs must be on the disk.
        self.reader.write_leader_epochs(&self.disk)?;
        self.write_aborted()?;
        self.write_snapshot(end)?;
        let rules = self.active.segment.rules;
        let made = ActiveSegment::create(&self.disk, &self.dir, end, &self.options, rules, now_ms);
        let made = made.and_then(|next| next.segment.make_files().map(|()| next));
        let next = made.inspect_err(|_| self.remove_segment(end))?;
        let mut segments = self.reader.segments().to_vec();
        segments.push(Arc::clone(&next.segment));
        self.active = next;
        self.folder_is_dirty = true;
        self.reader.set_segments(segments);
        Ok(())
    }

    /// Half of a segment must not stay: smaller batches may still fit into the old one. What cannot be removed either is
    /// known for what it is by recovery.
    fn remove_segment(&self, base_offset: i64) {
        for suffix in SEGMENT_FILES {
            if let Err(error) = self.disk.remove_file(&segment_file(&self.dir, base_offset, suffix)) {
                tracing::warn!("{error}");
            }
        }
    }

    /// The index of the transactions that were aborted in the active segment. After a kill recovery makes it.
    pub(super) fn write_aborted(&self) -> Result<()> {
        self.write_index_of_aborted(self.active.segment.base_offset, i64::MAX)
    }

    /// What recovery had no room for.
    pub(super) fn write_owed_indexes(&mut self) -> Result<()> {
        while let Some(&base_offset) = self.owed_indexes.last() {
            let segments = self.reader.segments();
            let next = segments.iter().map(|segment| segment.base_offset).find(|base| *base > base_offset);
            self.write_index_of_aborted(base_offset, next.unwrap_or(i64::MAX))?;
            self.owed_indexes.pop();
        }
        Ok(())
    }

    fn write_index_of_aborted(&self, base_offset: i64, next_base: i64) -> Result<()> {
        let file = index::encode(self.reader.transactions().aborted_in(base_offset..next_base));
        let path = segment_file(&self.dir, base_offset, "txnindex");
        if file.is_empty() { self.disk.remove_file(&path) } else { self.disk.replace(&path, &file) }
    }

    pub(super) fn write_snapshot(&self, offset: i64) -> Result<()> {
        self.disk.replace(&segment_file(&self.dir, offset, "snapshot"), &self.producers.snapshot())
    }
}
