//! Makes topics, extends and deletes them, in steps that a crash may interrupt anywhere.
//!
//! ```text
//! create:  metadata "creating" → folders → metadata "live" → registry, answer
//! extend:  metadata "extending" → new folders → metadata "live" → registry, answer
//! delete:  metadata "deleting" → registry → folders renamed → metadata forgets → checkpoints → answer … files removed
//! ```
//!
//! What the disk keeps from being finished is finished before the name is used again, or else by the next start; see
//! `reconcile`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::names::deleted_folder_name;
use super::open::leader_epoch;
use super::unknown::overrides_of_internal;
use super::{Changes, DataFolder, log_options, parallel};
use crate::config::TopicConfig;
use crate::journal::Event;
use crate::names::{Principal, TopicId, TopicName, TopicPartition};
use crate::storage::checkpoint::identity::{self, PARTITION_METADATA_FILE};
use crate::storage::disk::Disk;
use crate::storage::log::Log;
use crate::storage::metadata::{TopicRecord, TopicState};
use crate::storage::{Error, Result};
use crate::topics::creation::{NewTopic, Plan};
use crate::topics::extension::MorePartitions;
use crate::topics::partition::Partition;
use crate::topics::upkeep::Upkeep;
use crate::topics::{Topic, TopicError};

impl DataFolder {
    /// Says what would come of a wish.
    pub(in crate::topics) fn plan(
        &self,
        wanted: &NewTopic,
    ) -> std::result::Result<(TopicRecord, TopicConfig), TopicError> {
        let plan = Plan::of(wanted, &self.config.now(), &self.registry)?;
        let topic = TopicRecord {
            name: plan.name,
            id: TopicId::random(),
            partition_count: plan.partition_count,
            overrides: plan.overrides,
            state: TopicState::Creating,
            first_run: self.upkeep.run.number,
            adopted: false,
        };
        Ok((topic, plan.config))
    }

    /// Creates a topic. Blocks.
    pub(in crate::topics) fn create(
        &self,
        by: &Principal,
        wanted: &NewTopic,
        automatically: bool,
    ) -> std::result::Result<Arc<Topic>, TopicError> {
        let mut changes = self.changes();
        if changes.stopped {
            return Err(self.stopping("create a topic in").into());
        }
        self.check_in_place()?;
        self.upkeep.run.count()?;
        let (mut topic, config) = self.plan(wanted)?;
        self.finish_namesakes(&mut changes, &topic.name)?;
        self.metadata.put_topic(&topic)?;
        let partitions = self.create_logs(&topic, 0..topic.partition_count, &config).and_then(|partitions| {
            topic.state = TopicState::Live;
            self.metadata.put_topic(&topic)?;
            Ok(partitions)
        });
        let partitions = partitions.inspect_err(|_| self.abandon(&mut changes, &topic))?;
        let created = Arc::new(Topic::new(&topic, config, partitions));
        self.registry.insert(&created);
        self.upkeep.note_change();
        self.journal.record(|| Event::TopicCreated {
            topic: topic.name.to_string(),
            topic_id: topic.id.to_string(),
            partitions: topic.partition_count,
            by: by.to_string(),
            automatically,
        });
        Ok(created)
    }

    /// The topic that somebody wants to extend, if that may be.
    pub(in crate::topics) fn check_extension(
        &self,
        wanted: &MorePartitions,
    ) -> std::result::Result<Arc<Topic>, TopicError> {
        let topic = self.registry.get(&wanted.topic).ok_or(TopicError::Unknown)?;
        wanted.of(&topic, self.config.now().node_id, self.registry.partition_count())?;
        Ok(topic)
    }

    /// Gives a topic more partitions. A crash leaves it with as many as before or with all that were wanted, for the
    /// next start finishes what it finds begun. Blocks.
    pub(in crate::topics) fn extend(
        &self,
        by: &Principal,
        wanted: &MorePartitions,
    ) -> std::result::Result<Arc<Topic>, TopicError> {
        let mut changes = self.changes();
        if changes.stopped {
            return Err(self.stopping("extend a topic in").into());
        }
        self.check_in_place()?;
        self.upkeep.run.count()?;
        let topic = self.check_extension(wanted)?;
        self.finish_namesakes(&mut changes, &topic.name)?;
        let new = topic.partition_count..wanted.count;
        // What fails below is taken back by removing folders of this topic, so that none may be there before.
        new.clone().try_for_each(|partition| self.check_vacant(&self.partition_dir(&topic.name, partition)))?;
        let mut record = TopicRecord { partition_count: wanted.count, ..topic.record(TopicState::Extending) };
        self.metadata.put_topic(&record)?;
        let partitions = self.create_logs(&record, new, &topic.config).and_then(|partitions| {
            record.state = TopicState::Live;
            self.metadata.put_topic(&record)?;
            Ok(partitions)
        });
        let partitions = partitions.inspect_err(|_| {
            record.state = TopicState::Extending;
            self.abandon(&mut changes, &record);
        })?;
        let extended = Arc::new(topic.extended(partitions));
        self.registry.replace(&extended);
        self.upkeep.note_change();
        self.journal.record(|| Event::TopicExtended {
            topic: extended.name.to_string(),
            topic_id: extended.id.to_string(),
            partitions: extended.partition_count,
            by: by.to_string(),
        });
        Ok(extended)
    }

    /// Deletes a topic: it is gone when this returns, its files a while later. Blocks.
    pub(in crate::topics) fn delete(&self, by: &Principal, topic: &Topic) -> std::result::Result<(), TopicError> {
        let mut changes = self.changes();
        if changes.stopped {
            return Err(self.stopping("delete a topic in").into());
        }
        self.check_in_place()?;
        let topic = self.registry.get_by_id(topic.id).ok_or(TopicError::Unknown)?;
        self.finish_namesakes(&mut changes, &topic.name)?;
        let record = topic.record(TopicState::Deleting);
        self.metadata.put_topic(&record)?;
        self.registry.remove(&topic);
        let renamed = self.retire(&topic);
        self.journal.record(|| Event::TopicDeleted {
            topic: topic.name.to_string(),
            topic_id: topic.id.to_string(),
            by: by.to_string(),
        });
        let forgotten = renamed.and_then(|renamed| self.forget(&record).map(|()| renamed));
        let renamed = forgotten.inspect_err(|_| changes.unfinished.push(record))?;
        let delay_ms = self.config.now().log_segment_delete_delay_ms;
        let delay = Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0));
        remove_later(&self.disk, &self.upkeep, renamed, delay);
        Ok(())
    }

    /// Makes the logs of new partitions.
    fn create_logs(
        &self,
        topic: &TopicRecord,
        partitions: Range<i32>,
        config: &TopicConfig,
    ) -> Result<Vec<Arc<Partition>>> {
        let (epoch, now_ms) = (leader_epoch(topic, self.upkeep.run.number), self.upkeep.clock.now_ms());
        let options = log_options(config, &self.config.now(), false);
        let logs = parallel::each(partitions.clone().collect(), |partition| {
            let dir = self.partition_dir(&topic.name, partition);
            self.check_vacant(&dir)?;
            let made = Log::create(&self.disk, &dir, topic.id, epoch, options.clone(), now_ms);
            // Until it says whose it is, nobody but us knows that this folder may be removed.
            made.inspect_err(|_| drop(self.disk.remove_dir_all(&dir)))
        });
        let logs = logs.into_iter().zip(partitions).map(|(log, partition)| {
            let id = TopicPartition { topic: topic.name.clone(), partition };
            Ok(Partition::new(id, log?, config, Arc::clone(&self.upkeep)))
        });
        let partitions: Result<Vec<_>> = logs.collect();
        self.disk.sync_dir(&self.path)?;
        partitions
    }

    fn check_vacant(&self, dir: &Path) -> Result<()> {
        if self.disk.exists(dir) {
            let occupied = "a folder of this name is there already; move it away, or restart the broker to serve it";
            return Err(Error::io("create", dir)(std::io::Error::other(occupied)));
        }
        Ok(())
    }

    /// Removes what a failed creation or extension left. Where that fails too, it is done before the name is used again,
    /// or the next start does what it can.
    fn abandon(&self, changes: &mut Changes, topic: &TopicRecord) {
        if let Err(error) = self.undo(topic) {
            tracing::warn!(
                "topic {} could not be made or extended, and what is there of it waits for the next start: {error}",
                topic.name
            );
            changes.unfinished.push(topic.clone());
        }
    }

    /// Finishes what was left half done to a name that is to be used again.
    pub(super) fn finish_namesakes(&self, changes: &mut Changes, name: &TopicName) -> Result<()> {
        while let Some(at) = changes.unfinished.iter().position(|topic| topic.name == *name) {
            self.undo(&changes.unfinished[at])?;
            changes.unfinished.swap_remove(at);
        }
        Ok(())
    }

    /// Removes a topic that is not there any more, or not yet; of one that was to be extended the new partitions alone.
    fn undo(&self, topic: &TopicRecord) -> Result<()> {
        match self.registry.get_by_id(topic.id) {
            Some(served) => {
                self.remove_folders(topic, served.partition_count..topic.partition_count)?;
                self.metadata.put_topic(&served.record(TopicState::Live))
            }
            None => {
                self.remove_folders(topic, 0..topic.partition_count)?;
                self.forget(topic)
            }
        }
    }

    /// Removes those of the folders that say that they are this topic's.
    fn remove_folders(&self, topic: &TopicRecord, partitions: Range<i32>) -> Result<()> {
        for partition in partitions {
            let dir = self.partition_dir(&topic.name, partition);
            // A folder that was there before belongs to another topic, or to nobody.
            let owner = identity::read_topic_id(&self.disk, &dir.join(PARTITION_METADATA_FILE));
            if self.disk.exists(&dir) && owner.is_ok_and(|owner| owner == Some(topic.id)) {
                self.disk.remove_dir_all(&dir)?;
            }
        }
        self.disk.sync_dir(&self.path)
    }

    /// Takes a topic whose folders are gone out of the metadata and the checkpoints: the next one of its name must not
    /// inherit its offsets.
    fn forget(&self, topic: &TopicRecord) -> Result<()> {
        self.metadata.remove_topics(&[topic.id])?;
        self.write_checkpoints()
    }

    /// Renames the folders of a topic that is being deleted.
    fn retire(&self, topic: &Topic) -> Result<Vec<PathBuf>> {
        let mut renamed = Vec::new();
        let mut failure = None;
        // All partitions refuse from now on, even those whose folder cannot be renamed.
        for partition in &topic.partitions {
            let to = self.path.join(deleted_folder_name(partition.id()));
            match partition.retire(&self.disk, &to) {
                Ok(()) => renamed.push(to),
                Err(error) => failure = Some(error),
            }
        }
        self.disk.sync_dir(&self.path)?;
        failure.map_or(Ok(renamed), Err)
    }

    pub(super) fn stopping(&self, action: &'static str) -> Error {
        Error::io(action, &self.path)(std::io::Error::other("the broker is stopping"))
    }
}

/// Removes folders in the background; what a stop prevents, the next start does.
pub(in crate::topics) fn remove_later(disk: &Disk, upkeep: &Arc<Upkeep>, folders: Vec<PathBuf>, delay: Duration) {
    if folders.is_empty() {
        return;
    }
    let (disk, upkeep, runtime) = (disk.clone(), Arc::clone(upkeep), upkeep.runtime.clone());
    runtime.spawn(async move {
        upkeep.clock.sleep(delay).await;
        upkeep.runtime.spawn_blocking(move || {
            for folder in folders {
                if let Err(error) = disk.remove_dir_all(&folder) {
                    tracing::warn!("a deleted topic's folder stays until the next start: {error}");
                }
            }
        });
    });
}

/// The wish behind a topic that is created because somebody used its name.
pub(in crate::topics) fn automatic(name: &TopicName) -> NewTopic {
    let configs = overrides_of_internal(name).into_iter().map(|(key, value)| (key, Some(value))).collect();
    NewTopic { name: name.to_string(), partitions: -1, replication_factor: -1, assignments: Vec::new(), configs }
}
