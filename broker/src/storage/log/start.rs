//! The beginning of a log moves forward: what stands before it is over, and segments that hold nothing else go.
//!
//! Kafka does the same in `UnifiedLog.maybeIncrementLogStartOffset` and `deleteOldSegments`. There the files are renamed and
//! stay for a minute, because readers find them by name; here readers hold the files that they read, so they can go at once.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use super::Log;
use crate::storage::Result;
use crate::storage::disk::Disk;
use crate::storage::segment::{SEGMENT_FILES, Segment, segment_file};

/// Segments that are part of the log no more, whose files are still there; the earliest first.
#[derive(Debug)]
#[must_use = "their files stay until they are removed"]
pub struct Dropped {
    disk: Disk,
    dir: PathBuf,
    segments: VecDeque<Arc<Segment>>,
}

impl Log {
    /// Begins the log at an offset inside it, up to which it is durable. Segments that end before it are no part of the log
    /// any more; the caller removes their files, one after the other, for as long as the folder is the log's.
    pub fn begin_at(&mut self, offset: i64) -> Result<Dropped> {
        if let Some(error) = self.poisoned() {
            return Err(error);
        }
        let offset = offset.clamp(self.log_start_offset(), self.recovery_point.max(self.log_start_offset()));
        let all = self.reader.segments();
        let over = all.windows(2).take_while(|pair| pair[1].base_offset <= offset).count();
        let (over, left) = all.split_at(over);
        self.owed_indexes.retain(|base_offset| *base_offset >= left[0].base_offset);
        self.reader.begin_at(offset, left.to_vec());
        if let Err(error) = self.reader.write_leader_epochs(&self.disk) {
            // It still names epochs that are over; the next roll, or the stop, writes it.
            tracing::warn!("{error}");
        }
        Ok(Dropped { disk: self.disk.clone(), dir: self.dir.clone(), segments: over.iter().cloned().collect() })
    }
}

impl Dropped {
    /// Removes the files of the earliest segment that is left, so that what a kill leaves is the end of a log without a gap;
    /// false when there is none. Those who read them go on reading.
    pub fn remove_next(&mut self) -> Result<bool> {
        let Some(segment) = self.segments.pop_front() else { return Ok(false) };
        segment.seal();
        // The log comes last: without it, nothing would say what the others belong to.
        for suffix in ["snapshot"].iter().chain(SEGMENT_FILES.iter().rev()) {
            self.disk.remove_file(&segment_file(&self.dir, segment.base_offset, suffix))?;
        }
        Ok(true)
    }

    /// How many segments are left.
    pub fn count(&self) -> usize {
        self.segments.len()
    }
}
