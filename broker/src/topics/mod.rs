//! What exists and how far it may be read.
//!
//! [`Topics`] is the door: it opens the data folder, finds topics by name and id, creates, extends and deletes them. A
//! [`Topic`] is a name, an id, settings and its [`Partition`]s; a partition is a log behind a mutex with its readable
//! end beside it. A fetch that finds too little parks a [`FetchWaiter`].
//!
//! What blocks stands in the room's `folder` and runs on the runtime's blocking pool; appends and reads happen in
//! place. Every operation takes the [`Principal`] that asks for it. Nothing here knows of groups or of Kafka's
//! messages.

mod adoption;
mod beginning;
mod creation;
mod error;
mod extension;
mod flush;
mod folder;
mod isolation;
mod partition;
mod placement;
mod registry;
mod replicas;
mod run;
mod topic;
mod upkeep;
mod waiter;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinError};
use uuid::Uuid;

use self::creation::Planned;
use self::folder::{Created, DataFolder, automatic, remove_later};
use crate::clock::Clock;
use crate::config::{Alterations, BrokerConfig, Scope};
use crate::journal::{Journal, TopicOrigin};
use crate::names::{Principal, TopicId, TopicName};
use crate::storage::disk::Disk;
use crate::storage::{Error, Result};

pub use adoption::{Adoption, Offer, Source};
pub use creation::NewTopic;
pub use error::TopicError;
pub use extension::MorePartitions;
pub use folder::{Adopted, CLUSTER_METADATA, LOCK_FILE};
pub use isolation::{Isolation, PartitionRead};
pub use partition::Partition;
pub use replicas::Move;
pub use topic::Topic;
pub use waiter::FetchWaiter;

/// What failed a moment ago, such as a checkpoint on a full disk, is not tried again at once.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Every topic of one broker.
#[derive(Debug)]
pub struct Topics {
    folder: Arc<DataFolder>,
    /// Whoever changes what there is holds the one permit.
    turns: Arc<Semaphore>,
    checkpointing: AbortHandle,
}

impl Topics {
    /// Opens the data folder's topics, recovering what needs it. Blocks, and must be called inside a tokio runtime.
    pub fn open(disk: Disk, clock: Clock, config: Arc<BrokerConfig>, journal: Journal) -> Result<Arc<Topics>> {
        let (folder, deleted) = DataFolder::open(disk.clone(), clock, config, journal)?;
        remove_later(&disk, &folder.upkeep, deleted, Duration::ZERO);
        let folder = Arc::new(folder);
        let checkpointing = write_checkpoints_after_changes(&folder);
        Ok(Arc::new(Topics { folder, turns: Arc::new(Semaphore::new(1)), checkpointing }))
    }

    /// Has the data folder removed once nobody uses it any more, neither this nor what still runs on its behalf.
    pub fn remove_when_unused(&self) {
        self.folder.is_temporary.store(true, Ordering::Relaxed);
    }

    /// The data folder.
    pub fn data_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        &self.folder.cluster_id
    }

    /// The broker's settings as they are now.
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.folder.config.now()
    }

    /// The id of the data folder (KIP-858); zero for one that was made before folders had ids.
    pub fn directory_id(&self) -> Uuid {
        self.folder.directory_id
    }

    /// The number of this start of the broker, from 0.
    pub fn run(&self) -> i64 {
        self.folder.upkeep.run.number
    }

    /// The topic of a name.
    pub fn get(&self, name: &str) -> Option<Arc<Topic>> {
        // What cannot be a name need not be hashed, which takes a while for 32 KB and is asked for each partition.
        if name.len() > TopicName::MAX_LENGTH {
            return None;
        }
        self.folder.registry.get(name)
    }

    /// The topic of an id.
    pub fn get_by_id(&self, id: TopicId) -> Option<Arc<Topic>> {
        self.folder.registry.get_by_id(id)
    }

    /// All topics by name.
    pub fn list(&self) -> Vec<Arc<Topic>> {
        self.folder.registry.list()
    }

    /// Creates a topic, or with `validate_only` says what would come of it: a topic without partitions.
    pub async fn create(
        &self,
        principal: &Principal,
        wanted: NewTopic,
        validate_only: bool,
    ) -> std::result::Result<Arc<Topic>, TopicError> {
        let mut created = self.create_all(principal, vec![wanted], validate_only).await;
        created.pop().expect("each wish has an outcome")
    }

    /// Creates topics in hardly more time than one takes. Each succeeds or fails alone; the outcomes are in the order of
    /// the wishes.
    pub async fn create_all(
        &self,
        principal: &Principal,
        wanted: Vec<NewTopic>,
        validate_only: bool,
    ) -> Vec<std::result::Result<Arc<Topic>, TopicError>> {
        if validate_only {
            let plan = |wish| {
                let (record, config) = self.folder.plan(wish, &Planned::default())?;
                Ok(Arc::new(Topic::new(&record, self.config().nodes(), config, Vec::new())))
            };
            return wanted.iter().map(plan).collect();
        }
        self.create_in_folder(principal, wanted, TopicOrigin::Requested).await
    }

    /// Creates topics with the broker's defaults because a client asked for their metadata; one of two at once wins and
    /// both get it.
    pub async fn auto_create(
        &self,
        principal: &Principal,
        names: &[TopicName],
    ) -> Vec<std::result::Result<Arc<Topic>, TopicError>> {
        let created =
            self.create_in_folder(principal, names.iter().map(automatic).collect(), TopicOrigin::Automatic).await;
        let settle = |(name, outcome): (&TopicName, Created)| match outcome {
            Err(TopicError::Exists(_)) => self.get(name.as_str()).ok_or(TopicError::Unknown),
            outcome => outcome,
        };
        names.iter().zip(created).map(settle).collect()
    }

    /// Gives a topic more partitions, or with `validate_only` says whether it could have them: then the topic as it is.
    pub async fn extend(
        &self,
        principal: &Principal,
        wanted: MorePartitions,
        validate_only: bool,
    ) -> std::result::Result<Arc<Topic>, TopicError> {
        if validate_only {
            return self.folder.check_extension(&wanted);
        }
        let by = principal.clone();
        let outcome = self.in_turn(move |folder| folder.extend(&by, &wanted)).await;
        outcome.unwrap_or_else(|broken| Err(self.interrupted("extend a topic in", broken).into()))
    }

    /// Deletes a topic. Its records are gone when this returns; its files are removed after
    /// `log.segment.delete.delay.ms`.
    pub async fn delete(&self, principal: &Principal, topic: &Arc<Topic>) -> std::result::Result<(), TopicError> {
        if !self.config().delete_topic_enable {
            return Err(TopicError::DeletionDisabled);
        }
        let (by, topic) = (principal.clone(), Arc::clone(topic));
        let outcome = self.in_turn(move |folder| folder.delete(&by, &topic)).await;
        outcome.unwrap_or_else(|broken| Err(self.interrupted("delete a topic in", broken).into()))
    }

    /// Takes over topics that another broker wrote: all of them or none. Their folders are copied and every batch is checked.
    pub async fn adopt(
        &self,
        principal: &Principal,
        wanted: Vec<Adoption>,
    ) -> std::result::Result<Vec<Adopted>, TopicError> {
        let by = principal.clone();
        let outcome = self.in_turn(move |folder| folder.adopt(&by, &wanted)).await;
        outcome.unwrap_or_else(|broken| Err(self.interrupted("adopt topics into", broken).into()))
    }

    /// Alters a topic's own settings, or with `validate_only` says whether they may be altered so.
    pub async fn alter(
        &self,
        principal: &Principal,
        name: &str,
        alterations: Alterations,
        validate_only: bool,
    ) -> std::result::Result<(), TopicError> {
        let (by, name) = (principal.clone(), name.to_owned());
        let alter = move |folder: &DataFolder| folder.alter_topic(&by, &name, &alterations, validate_only);
        let outcome = self.in_turn(alter).await;
        outcome.unwrap_or_else(|broken| Err(self.interrupted("alter a topic in", broken).into()))
    }

    /// Alters settings of this broker or of all brokers; topics that set nothing of their own obey at once.
    pub async fn alter_broker(
        &self,
        principal: &Principal,
        scope: Scope,
        alterations: Alterations,
        validate_only: bool,
    ) -> std::result::Result<(), TopicError> {
        let by = principal.clone();
        let alter = move |folder: &DataFolder| folder.alter_broker(&by, scope, &alterations, validate_only);
        let outcome = self.in_turn(alter).await;
        outcome.unwrap_or_else(|broken| Err(self.interrupted("alter settings in", broken).into()))
    }

    /// A producer id that no one was given before, also across kills. Only one in a thousand waits for the disk.
    pub async fn new_producer_id(&self) -> Result<i64> {
        if let Some(id) = self.folder.producer_id_at_hand() {
            return Ok(id);
        }
        let folder = Arc::clone(&self.folder);
        let outcome = tokio::task::spawn_blocking(move || folder.take_producer_id()).await;
        outcome.unwrap_or_else(|broken| Err(self.interrupted("take producer ids from", broken)))
    }

    /// Flushes and closes every log, writes the checkpoints and the clean-shutdown file. Nothing can be appended,
    /// created or deleted afterwards.
    pub async fn close(&self) -> Result<()> {
        self.checkpointing.abort();
        let folder = Arc::clone(&self.folder);
        let outcome = tokio::task::spawn_blocking(move || folder.close()).await;
        outcome.unwrap_or_else(|broken| Err(self.interrupted("close", broken)))
    }

    /// A client that goes away does not interrupt a creation: it goes on where it blocks.
    async fn create_in_folder(&self, by: &Principal, wanted: Vec<NewTopic>, origin: TopicOrigin) -> Vec<Created> {
        let (by, count) = (by.clone(), wanted.len());
        let outcome = self.in_turn(move |folder| folder.create(&by, &wanted, origin)).await;
        outcome.unwrap_or_else(|broken| {
            let broken = broken.to_string();
            let interrupted =
                || Error::io("create topics in", &self.config().log_dir)(io::Error::other(broken.clone()));
            (0..count).map(|_| Err(interrupted().into())).collect()
        })
    }

    /// Does what blocks on a thread for such work, whoever goes away meanwhile. Changes happen one after another, and the
    /// others wait here, where they hold no thread that a flush could need.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&DataFolder) -> T + Send + 'static,
    ) -> std::result::Result<T, JoinError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("the semaphore is never closed");
        let folder = Arc::clone(&self.folder);
        let in_turn = move || {
            let _turn = turn;
            work(&folder)
        };
        tokio::task::spawn_blocking(in_turn).await
    }

    fn interrupted(&self, action: &'static str, broken: JoinError) -> Error {
        Error::io(action, &self.config().log_dir)(io::Error::other(broken))
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        self.checkpointing.abort();
    }
}

/// Writes the checkpoints some time after an offset changed; while nothing changes, nothing runs.
fn write_checkpoints_after_changes(folder: &Arc<DataFolder>) -> AbortHandle {
    let interval_ms = folder.config.now().log_flush_offset_checkpoint_interval_ms;
    let interval = Duration::from_millis(u64::try_from(interval_ms).unwrap_or(0));
    let (folder, upkeep) = (Arc::downgrade(folder), Arc::clone(&folder.upkeep));
    let task = tokio::spawn(async move {
        loop {
            upkeep.change().await;
            upkeep.clock.sleep(interval).await;
            let Some(folder) = folder.upgrade() else { return };
            let writing = Arc::clone(&folder);
            let written = tokio::task::spawn_blocking(move || writing.write_checkpoints()).await;
            if let Ok(Err(error)) = written {
                tracing::warn!("the checkpoints are not up to date, so that recovery may take longer: {error}");
                // What they do not tell yet is told at the next try. If the folder is gone that is the last, and says so, also
                // when it went in the middle of this one.
                if folder.check_in_place().is_err_and(|gone| gone.to_string() == error.to_string()) {
                    return;
                }
                upkeep.clock.sleep(PAUSE_AFTER_FAILURE).await;
                upkeep.note_change();
            }
        }
    });
    task.abort_handle()
}

#[cfg(test)]
mod tests;
