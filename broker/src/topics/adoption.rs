//! Topics that another broker wrote: what there is of them in its folders, and whether it can be taken over.
//!
//! Looking changes nothing. The folders' broker must not run, or files would change while they are copied: its lock says
//! whether it does, and is shared as long as the [`Offer`] lives. How it ended does not matter, since every batch is checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::TopicError;
use super::folder::{CLUSTER_METADATA, LOCK_FILE};
use crate::names::{TopicId, TopicName, TopicPartition};
use crate::storage::Result;
use crate::storage::checkpoint::identity::{self, PARTITION_METADATA_FILE};
use crate::storage::checkpoint::offsets::{self, LOG_START_FILE};
use crate::storage::disk::{Disk, SharedLock};
use crate::storage::log::is_log_file;

/// Topics that a broker keeps for itself. What they say holds for that broker alone.
const INTERNAL: [&str; 4] = [CLUSTER_METADATA, "__consumer_offsets", "__transaction_state", "__share_group_state"];

/// What can be taken over from some folders.
#[derive(Debug, Default)]
pub struct Offer {
    /// The topics by name.
    pub topics: Vec<Adoption>,
    /// Topics that were left out, because a broker keeps them for itself.
    pub internal: Vec<TopicName>,
    /// Keeps the brokers of these folders from being started meanwhile.
    _locks: Vec<SharedLock>,
}

/// One topic to take over.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// Its name.
    pub name: TopicName,
    /// The partitions' folders. Numbers below the highest that are missing become empty partitions.
    pub partitions: BTreeMap<i32, Source>,
    /// Settings of its own; those that it had are in the other broker's metadata, which is not read.
    pub configs: Vec<(String, Option<String>)>,
    /// Ends the transactions that are still open by aborting them.
    pub abort_open: bool,
}

/// The folder of one partition.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it is.
    pub dir: PathBuf,
    /// The names of what belongs to the log in it.
    pub files: Vec<String>,
    /// Bytes in these files.
    pub bytes: u64,
    /// The first offset that may be read, by the other broker's checkpoint.
    pub log_start_offset: i64,
}

impl Offer {
    /// Looks into folders: of partitions, or of a broker that holds such.
    ///
    /// # Errors
    /// A sentence that says which folder cannot be taken over, and what to do.
    pub fn of(disk: &Disk, folders: &[PathBuf]) -> std::result::Result<Offer, TopicError> {
        let mut offer = Offer::default();
        let mut topics: BTreeMap<TopicName, BTreeMap<i32, Source>> = BTreeMap::new();
        let mut locked = Vec::new();
        for folder in folders {
            for (id, dir) in partitions_in(disk, folder)? {
                let home = dir.parent().unwrap_or(Path::new("")).to_owned();
                if !locked.contains(&home) {
                    offer._locks.extend(lock(disk, &home)?);
                    locked.push(home);
                }
                if INTERNAL.contains(&id.topic.as_str()) {
                    if !offer.internal.contains(&id.topic) {
                        offer.internal.push(id.topic);
                    }
                    continue;
                }
                let source = Source::of(disk, &id, dir)?;
                if let Some(twice) = topics.entry(id.topic.clone()).or_default().insert(id.partition, source) {
                    return refuse(format!("{id} is there twice; {} is one of them", twice.dir.display()));
                }
            }
        }
        if topics.is_empty() {
            let only = if offer.internal.is_empty() { "" } else { " but those that a broker keeps for itself" };
            return refuse(format!("there are no topics in these folders{only}"));
        }
        for (name, partitions) in topics {
            check_ids(disk, &name, &partitions)?;
            offer.topics.push(Adoption { name, partitions, configs: Vec::new(), abort_open: false });
        }
        Ok(offer)
    }
}

impl Source {
    fn of(disk: &Disk, id: &TopicPartition, dir: PathBuf) -> std::result::Result<Source, TopicError> {
        let names = disk.list(&dir)?;
        if let Some(swap) = names.iter().find(|name| name.ends_with(".swap")) {
            return refuse(format!(
                "{} holds {swap}: its broker was stopped while it compacted; start it once more, stop it, and try again",
                dir.display()
            ));
        }
        let files: Vec<String> = names.into_iter().filter(|name| is_log_file(name)).collect();
        if !files.iter().any(|name| name.ends_with(".log") || name == PARTITION_METADATA_FILE) {
            return refuse(format!(
                "{} is not a partition's folder: there is no .log file and no {PARTITION_METADATA_FILE} in it",
                dir.display()
            ));
        }
        let mut bytes = 0;
        for name in &files {
            bytes += disk.open_later(&dir.join(name)).len()?;
        }
        let home = dir.parent().unwrap_or(Path::new(""));
        let checkpoint = home.join(LOG_START_FILE);
        let starts = if disk.exists(&checkpoint) { offsets::read(disk, &checkpoint)? } else { BTreeMap::default() };
        let log_start_offset = starts.get(id).copied().unwrap_or(0);
        Ok(Source { dir, files, bytes, log_start_offset })
    }
}

/// The partitions' folders that somebody means by one folder.
fn partitions_in(disk: &Disk, folder: &Path) -> std::result::Result<Vec<(TopicPartition, PathBuf)>, TopicError> {
    if !disk.is_dir(folder) {
        return refuse(format!("{} is not a folder", folder.display()));
    }
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let named = |path: &Path| TopicPartition::from_folder_name(path.file_name()?.to_str()?);
    // A link says which partition it is; lock and checkpoints stand beside the folder that it leads to.
    let mut found = Vec::new();
    if let Some(id) = named(&whole) {
        found.push((id, disk.resolve(&whole)?));
    } else {
        for dir in disk.list_folders(&whole)?.into_iter().map(|name| whole.join(name)) {
            if let Some(id) = named(&dir) {
                found.push((id, disk.resolve(&dir)?));
            }
        }
    }
    if found.is_empty() {
        return refuse(format!(
            "{} is neither a partition's folder, whose name is like orders-0, nor does it hold such folders",
            folder.display()
        ));
    }
    Ok(found)
}

/// The lock of the broker whose folder it is; `None` where no broker ever was.
fn lock(disk: &Disk, home: &Path) -> std::result::Result<Option<SharedLock>, TopicError> {
    let path = home.join(LOCK_FILE);
    if !disk.exists(&path) {
        return Ok(None);
    }
    match disk.try_lock_shared(&path)? {
        Some(lock) => Ok(Some(lock)),
        None => refuse(format!("a broker is using {}; stop it first, then adopt its topics", home.display())),
    }
}

/// A topic's folders must say that they are of one topic.
fn check_ids(disk: &Disk, name: &TopicName, partitions: &BTreeMap<i32, Source>) -> std::result::Result<(), TopicError> {
    let mut known: Option<(TopicId, i32)> = None;
    for (number, source) in partitions {
        let id: Result<_> = identity::read_topic_id(disk, &source.dir.join(PARTITION_METADATA_FILE));
        match (id?, known) {
            (Some(id), Some((other, first))) if id != other => {
                return refuse(format!(
                    "{name}-{first} and {name}-{number} are of two topics: their ids are {other} and {id}"
                ));
            }
            (Some(id), None) => known = Some((id, *number)),
            _ => {}
        }
    }
    Ok(())
}

fn refuse<T>(sentence: String) -> std::result::Result<T, TopicError> {
    Err(TopicError::InvalidRequest(sentence))
}
