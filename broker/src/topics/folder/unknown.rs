//! Topics whose folders are there but which the metadata does not know: Kafka's own, those of a lost metadata file,
//! those that somebody put there. They are served: their ids stand in their folders, their epochs in their logs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::names::{TopicId, TopicName};
use crate::storage::batch::BatchHeader;
use crate::storage::checkpoint::epochs::{self, LEADER_EPOCH_FILE};
use crate::storage::checkpoint::identity::{self, PARTITION_METADATA_FILE};
use crate::storage::disk::Disk;
use crate::storage::metadata::{Replication, TopicRecord, TopicState};

/// Describes a topic by its folders; `is_taken` says which ids belong to others.
pub(super) fn describe(
    disk: &Disk,
    name: &TopicName,
    folders: &BTreeMap<i32, PathBuf>,
    run: i64,
    is_taken: impl Fn(TopicId) -> bool,
) -> TopicRecord {
    let ids = folders
        .values()
        .filter_map(|dir| identity::read_topic_id(disk, &dir.join(PARTITION_METADATA_FILE)).ok().flatten());
    let id = ids.into_iter().find(|id| !is_taken(*id)).unwrap_or_else(TopicId::random);
    let highest_epoch = folders.values().filter_map(|dir| highest_epoch(disk, dir)).max().unwrap_or(-1);
    TopicRecord {
        name: name.clone(),
        id,
        partition_count: folders.last_key_value().map_or(0, |(partition, _)| partition.saturating_add(1)),
        overrides: overrides_of_internal(name),
        state: TopicState::Live,
        first_run: run - (i64::from(highest_epoch) + 1),
        replication: Replication::default(),
        adopted: true,
    }
}

/// What Kafka sets for its own topics: retention must never touch them.
pub(super) fn overrides_of_internal(name: &TopicName) -> BTreeMap<String, String> {
    let settings: &[(&str, &str)] = match name.as_str() {
        "__consumer_offsets" => {
            &[("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", "104857600")]
        }
        "__transaction_state" => {
            &[("cleanup.policy", "compact"), ("compression.type", "uncompressed"), ("segment.bytes", "104857600")]
        }
        "__share_group_state" => {
            &[("cleanup.policy", "delete"), ("retention.ms", "-1"), ("segment.bytes", "104857600")]
        }
        _ => &[],
    };
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The highest leader epoch that wrote to a log, from its checkpoint and from its last batches.
fn highest_epoch(disk: &Disk, dir: &Path) -> Option<i32> {
    let noted =
        epochs::read(disk, &dir.join(LEADER_EPOCH_FILE)).ok().and_then(|epochs| epochs.last().map(|last| last.epoch));
    noted.max(last_epoch_in_log(disk, dir))
}

/// The highest epoch in the last segment that has batches, going from header to header.
fn last_epoch_in_log(disk: &Disk, dir: &Path) -> Option<i32> {
    let segments = disk.list(dir).ok()?.into_iter().rev().filter(|name| name.ends_with(".log"));
    segments.into_iter().find_map(|name| {
        let file = disk.open(&dir.join(name), false).ok()?;
        let (mut position, mut highest, mut header) = (0, None, [0; BatchHeader::SIZE]);
        while file.read_at(position, &mut header).ok()? == BatchHeader::SIZE {
            let batch = BatchHeader::parse(&header);
            // Whatever is no batch ends the walk; recovery looks into it.
            let Some(size) = batch.total_size().filter(|_| batch.magic == 2) else { break };
            highest = highest.max(Some(batch.partition_leader_epoch).filter(|epoch| *epoch >= 0));
            position += size as u64;
        }
        highest
    })
}
