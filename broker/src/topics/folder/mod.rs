//! The data folder of one broker: its identity, its metadata and the logs in it, and the operations on them that block.
//!
//! ```text
//! <log.dirs>/.lock                        held while a broker is up
//!            meta.properties              whose folder it is
//!            cutaway.redb                 topics, ids, settings: storage::metadata
//!            *-offset-checkpoint          checkpoints: where recovery may begin
//!            .kafka_cleanshutdown         only while stopped, only after a clean stop
//!            recovery-findings.txt        what recovery found, for whoever looks later
//!            <topic>-<partition>/         one log
//!            <topic>-<partition>.<32 hex>-delete/    a deleted one, soon to be removed
//! ```
//!
//! How a folder is opened is told in `open`, whose it is in `ownership`, and what happens when metadata and folders
//! tell different stories in `reconcile`. Topics are made and extended in `create` and deleted in `change`: always metadata
//! first with the state *creating*, *extending* or *deleting*, so that a crash leaves something that the next start
//! recognises and finishes.

mod adopt;
mod alter;
mod change;
mod checkpoints;
mod create;
mod findings;
mod names;
mod open;
mod ownership;
mod parallel;
mod producer_ids;
mod reassign;
mod reconcile;
mod unknown;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::adopt::Adopted;
pub(super) use self::change::remove_later;
pub(super) use self::create::{Created, automatic};
pub use self::open::LOCK_FILE;
pub use self::reconcile::CLUSTER_METADATA;
use uuid::Uuid;

use self::checkpoints::Checkpoints;
use self::producer_ids::ProducerIds;
use super::Topic;
use super::registry::Registry;
use super::upkeep::Upkeep;
use crate::config::{BrokerConfig, LiveConfig, TopicConfig};
use crate::journal::Journal;
use crate::names::{TopicName, TopicPartition};
use crate::storage::checkpoint::identity::{CLEAN_SHUTDOWN_FILE, render_clean_shutdown};
use crate::storage::disk::{Disk, DiskFile, Space};
use crate::storage::log::LogOptions;
use crate::storage::metadata::{Metadata, TopicRecord};
use crate::storage::{Error, Result};

/// An open data folder.
#[derive(Debug)]
pub(super) struct DataFolder {
    disk: Disk,
    path: PathBuf,
    pub(super) config: LiveConfig,
    journal: Journal,
    pub(super) cluster_id: String,
    pub(super) directory_id: Uuid,
    metadata: Arc<Metadata>,
    pub(super) registry: Registry,
    pub(super) upkeep: Arc<Upkeep>,
    /// Topics are made, extended and deleted one after another; readers never wait for this.
    pub(super) changes: Mutex<Changes>,
    producer_ids: ProducerIds,
    checkpoints: Mutex<Checkpoints>,
    /// Whether nobody wants the folder any more once it is closed.
    pub(super) is_temporary: AtomicBool,
    /// Keeps other brokers out, and shows whether the folder is still there.
    lock: DiskFile,
}

/// Whether topics may be made, extended and deleted, and with which of them the disk left that half done.
#[derive(Debug, Default)]
pub(super) struct Changes {
    stopped: bool,
    unfinished: Vec<TopicRecord>,
}

impl DataFolder {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes those checkpoints that changed since they were last written. A folder that is gone takes no more records: as
    /// Kafka does with a log dir that failed, it is given up.
    pub(super) fn write_checkpoints(&self) -> Result<()> {
        self.write_checkpoints_with([])
    }

    /// The same with topics that are not registered yet.
    fn write_checkpoints_with<'a>(&self, more: impl IntoIterator<Item = &'a Arc<Topic>>) -> Result<()> {
        self.check_in_place().inspect_err(|gone| self.give_up(gone))?;
        let mut checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        self.upkeep.forget_changes();
        let mut topics = self.registry.list();
        topics.extend(more.into_iter().cloned());
        checkpoints.write(&self.disk, &self.path, &topics)
    }

    /// Closes every log, writes the checkpoints, and last of all the file that says that all this was done.
    pub(super) fn close(&self) -> Result<()> {
        let mut changes = self.changes();
        if std::mem::replace(&mut changes.stopped, true) {
            return Ok(());
        }
        let topics = self.registry.list();
        let partitions = topics.iter().flat_map(|topic| topic.partitions.iter().cloned()).collect();
        let outcomes = parallel::each(partitions, |partition| partition.close());
        let failure = outcomes.into_iter().find_map(Result::err);
        self.write_checkpoints()?;
        match failure {
            // The next start must recover what could not be closed.
            Some(error) => Err(error),
            None => self.disk.replace(&self.path.join(CLEAN_SHUTDOWN_FILE), render_clean_shutdown(-1).as_bytes()),
        }
    }

    /// Fails when somebody has removed the folder under the broker: open files go on to take records, but no start will
    /// find them, and what is made now would be the beginning of another folder.
    pub(super) fn check_in_place(&self) -> Result<()> {
        if self.lock.is_in_place() {
            return Ok(());
        }
        let gone = "it was removed or replaced while the broker runs, and what is written now is lost when it stops: \
                    restart it";
        Err(refused(&self.path, gone))
    }

    /// Refuses appends to every log until a restart.
    fn give_up(&self, gone: &Error) {
        let topics = self.registry.list();
        let partitions = topics.iter().flat_map(|topic| &topic.partitions);
        partitions.for_each(|partition| partition.refuse_appends(&gone.to_string()));
    }

    /// How much room there is.
    pub(super) fn space(&self) -> Result<Space> {
        self.disk.space(&self.path)
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder of a partition.
    fn partition_dir(&self, topic: &TopicName, partition: i32) -> PathBuf {
        self.path.join(TopicPartition { topic: topic.clone(), partition }.to_string())
    }
}

impl Drop for DataFolder {
    /// Whoever makes files in the folder holds it, so nothing can come back after this. The lock is still held.
    fn drop(&mut self) {
        if self.is_temporary.load(Ordering::Relaxed)
            && let Err(error) = self.disk.remove_dir_all(&self.path)
        {
            tracing::warn!("the temporary data folder stays: {error}");
        }
    }
}

/// What a log needs to know of its topic's settings. Nobody knows how logs that came from elsewhere were compacted.
fn log_options(topic: &TopicConfig, broker: &BrokerConfig, is_adopted: bool) -> LogOptions {
    LogOptions {
        segment_bytes: u64::try_from(topic.segment_bytes).unwrap_or(0),
        segment_ms: topic.segment_ms - jitter_ms(topic),
        index_interval_bytes: u32::try_from(topic.index_interval_bytes).unwrap_or(0),
        segment_index_bytes: u32::try_from(topic.segment_index_bytes).unwrap_or(0),
        gaps_allowed: topic.cleanup_policy_compact || is_adopted,
        producer_id_expiration_ms: broker.producer_id_expiration_ms,
    }
}

/// A random part of `segment.jitter.ms`, so that logs which began together do not roll together.
fn jitter_ms(topic: &TopicConfig) -> i64 {
    match topic.segment_jitter_ms.min(topic.segment_ms) {
        most @ 1.. => i64::from(Uuid::new_v4().as_fields().0) % most,
        // Most topics want none, and asking the kernel for a random number at each log would add up.
        _ => 0,
    }
}

/// The error of a folder that this broker must not touch: what is wrong, and what to do.
fn refused(path: &Path, sentence: impl Into<String>) -> Error {
    Error::io("use the data folder", path)(std::io::Error::other(sentence.into()))
}
