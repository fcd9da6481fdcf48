//! What a partition's folder holds, by name: which files count, which were left behind.

use std::path::Path;
use std::sync::Arc;

use super::Result;
use super::disk::Disk;
use super::segment::{Segment, segment_file};

/// Removes what an interrupted operation left behind, and returns the names of all that counts.
pub(super) fn tidy(disk: &Disk, dir: &Path) -> Result<Vec<String>> {
    let mut names = disk.list(dir)?;
    let left_behind = |name: &String| [".tmp", ".deleted", ".cleaned"].iter().any(|suffix| name.ends_with(suffix));
    for name in names.iter().filter(|name| left_behind(name)) {
        disk.remove_file(&dir.join(name))?;
    }
    names.retain(|name| !left_behind(name));
    let orphan = |name: &String| {
        let base = offset_of(name, ".index").or_else(|| offset_of(name, ".timeindex"));
        base.is_some_and(|base| !names.contains(&format!("{base:020}.log")))
    };
    for name in names.iter().filter(|name| orphan(name)) {
        disk.remove_file(&dir.join(name))?;
    }
    Ok(names)
}

/// Offsets of the producer snapshots, ascending.
pub(super) fn snapshot_offsets(names: &[String]) -> Vec<i64> {
    let mut offsets: Vec<i64> = names.iter().filter_map(|name| offset_of(name, ".snapshot")).collect();
    offsets.sort_unstable();
    offsets
}

/// Snapshots stay where a segment begins, and the newest at or below the end (Kafka's `removeStraySnapshots`).
pub(super) fn remove_stale_snapshots(
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
pub(super) fn offset_of(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}
