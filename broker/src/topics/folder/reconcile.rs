//! Makes the metadata and the folders tell one story, before any log is opened.
//!
//! | metadata says | the folders | what happens |
//! |---|---|---|
//! | creating | some, all or none are there | its own are removed: nobody was told that the topic exists |
//! | deleting | some have their name still | its own are renamed like the others, and forgotten |
//! | extending | some of the new ones are there | the others are made: it has all partitions that were wanted |
//! | live | one is missing | an empty log takes its place, and that is reported |
//! | live | there are more | they are served too: the metadata is older than they are |
//! | nothing | there are some | they are served, see [`unknown`](super::unknown) |
//!
//! Folders named `…-delete` are left overs of deletions, and are removed. Kafka's own `__cluster_metadata-0` is left
//! alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::names::{deleted_folder_name, is_deleted_folder_name};
use super::ownership::{Origin, Owned};
use super::unknown;
use crate::config::limits::MAX_PARTITIONS;
use crate::names::{TopicId, TopicName, TopicPartition};
use crate::storage::Result;
use crate::storage::checkpoint::identity::{self, PARTITION_METADATA_FILE};
use crate::storage::disk::Disk;
use crate::storage::metadata::{METADATA_FILE, Metadata, TopicRecord, TopicState};

/// Kafka keeps its metadata in a log of this name, which no topic may have; ours is in redb.
pub const CLUSTER_METADATA: &str = "__cluster_metadata";

/// What there is to serve, and what there is to remove.
#[derive(Debug, Default)]
pub(super) struct Reconciled {
    /// Topics that are live or being extended.
    pub(super) topics: Vec<TopicRecord>,
    /// Folders of deleted partitions.
    pub(super) deleted: Vec<PathBuf>,
}

/// The partitions' folders, by topic and number.
type Folders = BTreeMap<TopicName, BTreeMap<i32, PathBuf>>;

/// Brings metadata and folders together.
pub(super) fn reconcile(disk: &Disk, folder: &Path, owned: &Owned, findings: &mut Findings) -> Result<Reconciled> {
    let (mut folders, mut deleted) = look_around(disk, folder)?;
    let is_served = |topic: &TopicRecord| matches!(topic.state, TopicState::Live | TopicState::Extending);
    let (live, unfinished): (Vec<_>, Vec<_>) = owned.metadata.topics()?.into_iter().partition(is_served);
    deleted.extend(finish(disk, folder, &owned.metadata, &unfinished, &live, &mut folders)?);
    let mut topics = Vec::new();
    for topic in live {
        let found = folders.remove(&topic.name).unwrap_or_default();
        topics.push(extended(folder, topic, &found, &owned.metadata, findings)?);
    }
    for (name, found) in folders {
        topics.extend(adopt(disk, folder, &name, &found, owned, &topics, findings)?);
    }
    if owned.origin == Origin::Missing && !topics.is_empty() {
        findings.add(&folder.join(METADATA_FILE), loss_of_metadata(disk, folder, &topics));
    }
    Ok(Reconciled { topics, deleted })
}

/// Sorts the names in the data folder into partitions and left overs of deleted ones.
fn look_around(disk: &Disk, folder: &Path) -> Result<(Folders, Vec<PathBuf>)> {
    let (mut folders, mut deleted) = (Folders::new(), Vec::new());
    for name in disk.list_folders(folder)? {
        let path = folder.join(&name);
        match TopicPartition::from_folder_name(&name) {
            Some(id) if id.topic.as_str() != CLUSTER_METADATA => {
                folders.entry(id.topic).or_default().insert(id.partition, path);
            }
            None if is_deleted_folder_name(&name) => deleted.push(path),
            _ => {}
        }
    }
    Ok((folders, deleted))
}

/// Renames the folders of topics that were half created or half deleted, and forgets the topics.
fn finish(
    disk: &Disk,
    folder: &Path,
    metadata: &Metadata,
    unfinished: &[TopicRecord],
    live: &[TopicRecord],
    folders: &mut Folders,
) -> Result<Vec<PathBuf>> {
    let mut renamed = Vec::new();
    for topic in unfinished {
        let has_namesake = live.iter().any(|other| other.name == topic.name);
        let (own, others) = folders
            .remove(&topic.name)
            .unwrap_or_default()
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, path)| is_folder_of(disk, path, topic, has_namesake));
        for (partition, path) in own {
            let to = folder.join(deleted_folder_name(&TopicPartition { topic: topic.name.clone(), partition }));
            disk.rename(&path, &to)?;
            renamed.push(to);
        }
        if !others.is_empty() {
            folders.insert(topic.name.clone(), others);
        }
        tracing::info!("finished what a stop interrupted: topic {} was {:?} and is removed", topic.name, topic.state);
    }
    if !unfinished.is_empty() {
        disk.sync_dir(folder)?;
        let ids: Vec<TopicId> = unfinished.iter().map(|topic| topic.id).collect();
        metadata.remove_topics(&ids)?;
    }
    Ok(renamed)
}

/// Whether a folder of an unfinished topic's name is that topic's: a topic of the same name may have been made since, and
/// others may have put folders there. One that does not say whose it is, as when its creation was cut short, is taken for
/// the unfinished topic's unless there is a live one that it may belong to.
fn is_folder_of(disk: &Disk, path: &Path, topic: &TopicRecord, has_namesake: bool) -> bool {
    match identity::read_topic_id(disk, &path.join(PARTITION_METADATA_FILE)) {
        Ok(Some(owner)) => owner == topic.id,
        Ok(None) | Err(_) => !has_namesake,
    }
}

/// A topic that is known, with as many partitions as there are folders for.
fn extended(
    folder: &Path,
    mut topic: TopicRecord,
    found: &BTreeMap<i32, PathBuf>,
    metadata: &Metadata,
    findings: &mut Findings,
) -> Result<TopicRecord> {
    let there = found.last_key_value().map_or(0, |(partition, _)| partition.saturating_add(1));
    if there > topic.partition_count && is_plausible(there, found) {
        let known = topic.partition_count;
        topic.partition_count = there;
        metadata.put_topic(&topic)?;
        let id = TopicPartition { topic: topic.name.clone(), partition: there - 1 };
        let sentence = format!(
            "the metadata knew {known} partitions of this topic, but there are folders of {there}; all are served"
        );
        findings.add_for(&id, &folder.join(id.to_string()), sentence);
    }
    Ok(topic)
}

/// Makes a topic of folders that the metadata does not know.
fn adopt(
    disk: &Disk,
    folder: &Path,
    name: &TopicName,
    found: &BTreeMap<i32, PathBuf>,
    owned: &Owned,
    known: &[TopicRecord],
    findings: &mut Findings,
) -> Result<Option<TopicRecord>> {
    let topic = unknown::describe(disk, name, found, owned.run.number, |id| known.iter().any(|other| other.id == id));
    let Some((last, path)) = found.last_key_value() else { return Ok(None) };
    let id = TopicPartition { topic: name.clone(), partition: *last };
    if !is_plausible(topic.partition_count, found) {
        let sentence = "its number is far above those of the topic's other folders; it is left alone and not served";
        findings.add_for(&id, path, sentence);
        return Ok(None);
    }
    for (partition, path) in found {
        if !identity::read_topic_id(disk, &path.join(PARTITION_METADATA_FILE))
            .is_ok_and(|found| found == Some(topic.id))
        {
            let id = TopicPartition { topic: name.clone(), partition: *partition };
            findings.add_for(
                &id,
                path,
                format!("it did not name its topic's id; it is served as part of {}", topic.id),
            );
        }
    }
    owned.metadata.put_topic(&topic)?;
    tracing::info!("serving topic {name} with {} partition(s), found in {}", topic.partition_count, folder.display());
    if owned.origin == Origin::Kept {
        findings.add_for(&id, path, "the metadata does not know this topic; it is served with the broker's defaults");
    }
    Ok(Some(topic))
}

/// What it means that there are topics but no metadata file: somebody removed it, or Kafka wrote the folder.
fn loss_of_metadata(disk: &Disk, folder: &Path, topics: &[TopicRecord]) -> String {
    let count = topics.len();
    let plural = if count == 1 { "" } else { "s" };
    let partitions: i64 = topics.iter().map(|topic| i64::from(topic.partition_count)).sum();
    let where_settings_are = match disk.is_dir(&folder.join(format!("{CLUSTER_METADATA}-0"))) {
        true => "Kafka kept them in its own metadata log, which is not read",
        false => "they are lost unless the file is put back while the broker is stopped",
    };
    format!(
        "it is missing, though there are folders of {count} topic{plural}; names, ids and {partitions} partition(s) were \
         taken from the folders, and a new file was made. The topics' own settings stood only in it: \
         {where_settings_are}, and the broker's defaults hold instead"
    )
}

/// A stray folder `t-2000000000` must not make two thousand million empty ones.
pub(super) fn is_plausible(partition_count: i32, found: &BTreeMap<i32, PathBuf>) -> bool {
    usize::try_from(partition_count).is_ok_and(|count| count <= MAX_PARTITIONS && count <= found.len() * 2 + 100)
}
