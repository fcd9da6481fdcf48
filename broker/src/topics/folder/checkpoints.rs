//! Writes the three checkpoints of a data folder, each only when it would tell something new.

use std::path::Path;
use std::sync::Arc;

use crate::storage::Result;
use crate::storage::checkpoint::offsets::{self, HIGH_WATERMARK_FILE, LOG_START_FILE, Offsets, RECOVERY_POINT_FILE};
use crate::storage::disk::Disk;
use crate::topics::Topic;

/// What the files say now, as far as this run wrote them.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    recovery_points: Option<Offsets>,
    log_starts: Option<Offsets>,
    high_watermarks: Option<Offsets>,
}

impl Checkpoints {
    /// Collects the offsets of all partitions and writes what changed.
    pub(super) fn write(&mut self, disk: &Disk, folder: &Path, topics: &[Arc<Topic>]) -> Result<()> {
        let (mut recovery_points, mut log_starts, mut high_watermarks) =
            (Offsets::new(), Offsets::new(), Offsets::new());
        for partition in topics.iter().flat_map(|topic| &topic.partitions) {
            let id = partition.id();
            // An unusable log keeps no recovery point: whoever can open it again must look at all of it.
            if let Some(recovery_point) = partition.recovery_point() {
                recovery_points.insert(id.clone(), recovery_point);
                high_watermarks.insert(id.clone(), partition.high_watermark());
            }
            // Kafka leaves out logs that begin where their first segment does; most begin at 0.
            if partition.log_start_offset() > 0 {
                log_starts.insert(id.clone(), partition.log_start_offset());
            }
        }
        let replace = |known: &mut Option<Offsets>, file: &str, now: Offsets| {
            if known.as_ref() != Some(&now) {
                offsets::write(disk, &folder.join(file), &now)?;
                *known = Some(now);
            }
            Ok(())
        };
        replace(&mut self.recovery_points, RECOVERY_POINT_FILE, recovery_points)?;
        replace(&mut self.log_starts, LOG_START_FILE, log_starts)?;
        replace(&mut self.high_watermarks, HIGH_WATERMARK_FILE, high_watermarks)
    }
}
