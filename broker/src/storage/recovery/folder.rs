//! What a partition's folder holds, by name: which files count, which were left behind.

use std::path::Path;
use std::sync::Arc;

use super::Finding;
use crate::names::TopicId;
use crate::storage::Result;
use crate::storage::checkpoint::epochs::LEADER_EPOCH_FILE;
use crate::storage::checkpoint::identity::{self, PARTITION_METADATA_FILE};
use crate::storage::disk::Disk;
use crate::storage::segment::{SEGMENT_FILES, Segment, segment_file};

/// Removes what an interrupted operation left behind, and returns the names of all that counts.
pub(in crate::storage) fn tidy(disk: &Disk, dir: &Path) -> Result<Vec<String>> {
    let mut names = disk.list(dir)?;
    let left_behind = |name: &String| [".tmp", ".deleted", ".cleaned"].iter().any(|suffix| name.ends_with(suffix));
    for name in names.iter().filter(|name| left_behind(name)) {
        disk.remove_file(&dir.join(name))?;
    }
    names.retain(|name| !left_behind(name));
    let orphan = |name: &String| {
        let base = [".index", ".timeindex", ".txnindex"].iter().find_map(|suffix| offset_of(name, suffix));
        base.is_some_and(|base| !names.contains(&format!("{base:020}.log")))
    };
    for name in names.iter().filter(|name| orphan(name)) {
        disk.remove_file(&dir.join(name))?;
    }
    Ok(names)
}

/// Whether a name is that of a file which belongs to a log, and not to an operation on it that did not finish.
pub fn is_log_file(name: &str) -> bool {
    let is_of_segment = SEGMENT_FILES.iter().any(|suffix| offset_of(name, &format!(".{suffix}")).is_some());
    is_of_segment
        || offset_of(name, ".snapshot").is_some()
        || [LEADER_EPOCH_FILE, PARTITION_METADATA_FILE].contains(&name)
}

/// Offsets of the producer snapshots, ascending.
pub(in crate::storage) fn snapshot_offsets(names: &[String]) -> Vec<i64> {
    let mut offsets: Vec<i64> = names.iter().filter_map(|name| offset_of(name, ".snapshot")).collect();
    offsets.sort_unstable();
    offsets
}

/// Snapshots stay where a segment begins, and the newest at or below the end (Kafka's `removeStraySnapshots`).
pub(in crate::storage) fn remove_stale_snapshots(
    disk: &Disk,
    dir: &Path,
    segments: &[Arc<Segment>],
    snapshots: &[i64],
    end: i64,
) -> Result<()> {
    let newest = snapshots.iter().rev().find(|offset| **offset <= end);
    for offset in snapshots {
        let begins_segment = segments.iter().any(|segment| segment.base_offset == *offset);
        if *offset > end || !(begins_segment || newest == Some(offset)) {
            disk.remove_file(&segment_file(dir, *offset, "snapshot"))?;
        }
    }
    Ok(())
}

/// The offset in a name like `00000000000000000042.log`.
pub(in crate::storage) fn offset_of(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

/// `partition.metadata` must name the topic that the folder belongs to; a lost or damaged one is written anew, if the disk
/// is full by a later start. Where the log never had a record a power cut may have taken it, and nothing else.
pub(in crate::storage) fn restore_topic_id(
    disk: &Disk,
    dir: &Path,
    topic_id: TopicId,
    is_blank: bool,
) -> Result<Option<Finding>> {
    let file = dir.join(PARTITION_METADATA_FILE);
    if identity::read_topic_id(disk, &file).is_ok_and(|found| found == Some(topic_id)) {
        return Ok(None);
    }
    if is_blank && disk.read_if_there(&file)?.is_none_or(|bytes| bytes.is_empty()) {
        let outcome = identity::write_first_topic_id(disk, &file, topic_id).map(|()| None);
        return outcome.or_else(|error| if error.is_out_of_room() { Ok(None) } else { Err(error) });
    }
    let sentence = match identity::write_topic_id(disk, &file, topic_id) {
        Ok(()) => format!("the topic id was missing or wrong, and was written anew: {topic_id}"),
        Err(full) if full.is_out_of_room() => {
            format!("the topic id is missing or wrong; it is {topic_id}, which cannot be written yet: {full}")
        }
        Err(error) => return Err(error),
    };
    Ok(Some(Finding { file, position: 0, length: 0, first_offset: 0, sentence }))
}
