//! Whose folder it is. `meta.properties` and the metadata file must name the same cluster; a folder of another
//! cluster, of another node or of a newer version is refused and not touched. One that Kafka wrote, or whose metadata
//! file is lost or damaged, gets a new metadata file with the cluster id of `meta.properties`.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::findings::Findings;
use super::refused;
use crate::clock::TimestampMs;
use crate::config::BrokerConfig;
use crate::names::TopicId;
use crate::storage::Result;
use crate::storage::checkpoint::identity::{META_PROPERTIES_FILE, MetaProperties};
use crate::storage::disk::Disk;
use crate::storage::metadata::{Founding, METADATA_FILE, Metadata, OpenError};
use crate::topics::run::Run;

/// The metadata of a folder that may be used.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) metadata: Arc<Metadata>,
    pub(super) cluster_id: String,
    /// The folder's id; zero if it has none.
    pub(super) directory_id: Uuid,
    pub(super) run: Run,
    pub(super) origin: Origin,
}

/// Where the metadata file came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was there.
    Kept,
    /// There was none. In a new folder that is as it should be; beside topics it is a loss that must be told.
    Missing,
    /// It was damaged, which is told already.
    Replaced,
}

/// Opens or makes the metadata of a folder.
pub(super) fn claim(
    disk: &Disk,
    folder: &Path,
    config: &BrokerConfig,
    now_ms: TimestampMs,
    findings: &mut Findings,
) -> Result<Owned> {
    let node_id = config.node_id;
    let meta_path = folder.join(META_PROPERTIES_FILE);
    let meta = MetaProperties::read(disk, &meta_path);
    let meta = findings.or_default(&meta_path, meta, "it is written anew")?;
    if let Some(meta) = &meta {
        check_node(folder, meta, node_id)?;
    }
    let was_there = disk.exists(&folder.join(METADATA_FILE));
    let metadata = open_metadata(disk, folder, meta.as_ref(), now_ms, findings)?;
    let made = TopicId::random();
    let stored = meta.as_ref().map(|meta| TopicId::parse(&meta.directory_id).map_or(Uuid::nil(), TopicId::uuid));
    let directory_id = stored.unwrap_or(made.uuid());
    let owned = match metadata {
        Some(metadata) => {
            let cluster_id = metadata.cluster_id()?;
            let metadata = Arc::new(metadata);
            Owned { run: Run::begin(&metadata)?, metadata, cluster_id, directory_id, origin: Origin::Kept }
        }
        None => {
            let cluster_id = meta.as_ref().map_or_else(random_id, |meta| meta.cluster_id.clone());
            let altered = config.founding_alterations();
            let founding = Founding { cluster_id: cluster_id.clone(), next_producer_id: 0, altered };
            let metadata = Arc::new(Metadata::create(disk, &folder.join(METADATA_FILE), &founding)?);
            let origin = if was_there { Origin::Replaced } else { Origin::Missing };
            Owned { run: Run::first(&metadata), metadata, cluster_id, directory_id, origin }
        }
    };
    if meta.is_none() {
        let meta = MetaProperties { cluster_id: owned.cluster_id.clone(), node_id, directory_id: made.to_string() };
        meta.write(disk, &meta_path, now_ms)?;
    }
    Ok(owned)
}

/// Opens the metadata file, if there is one; a damaged one is moved aside.
fn open_metadata(
    disk: &Disk,
    folder: &Path,
    meta: Option<&MetaProperties>,
    now_ms: TimestampMs,
    findings: &mut Findings,
) -> Result<Option<Metadata>> {
    let path = folder.join(METADATA_FILE);
    if !disk.exists(&path) {
        return Ok(None);
    }
    match Metadata::open(disk, &path, meta.map(|meta| meta.cluster_id.as_str())) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(OpenError::Newer(sentence)) => Err(refused(folder, sentence)),
        Err(OpenError::OtherCluster(cluster_id)) => {
            let named = meta.map_or("none", |meta| &meta.cluster_id);
            Err(refused(
                folder,
                format!(
                    "{META_PROPERTIES_FILE} names the cluster {named}, but {METADATA_FILE} the cluster {cluster_id}; put \
                     back the file that belongs here, or choose another folder"
                ),
            ))
        }
        Err(OpenError::Storage(error)) => Err(error),
        Err(OpenError::Damaged(what)) => {
            let aside = path.with_extension(format!("redb.damaged-{now_ms}"));
            disk.rename(&path, &aside)?;
            disk.sync_dir(folder)?;
            let aside = aside.file_name().unwrap_or_default().to_string_lossy();
            findings.add(
                &path,
                format!(
                    "it is damaged ({what}) and was renamed to {aside}; the topics are served from their folders, with \
                     the broker's defaults in place of their own settings"
                ),
            );
            Ok(None)
        }
    }
}

fn check_node(folder: &Path, meta: &MetaProperties, node_id: i32) -> Result<()> {
    if meta.node_id == node_id {
        return Ok(());
    }
    let stored = meta.node_id;
    Err(refused(
        folder,
        format!(
            "it belongs to node {stored}, and this is node {node_id}; set node.id={stored}, or choose another folder"
        ),
    ))
}

/// Kafka makes the ids of clusters and folders as it makes those of topics.
fn random_id() -> String {
    TopicId::random().to_string()
}
