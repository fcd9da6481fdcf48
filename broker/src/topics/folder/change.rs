//! Deletes topics, and removes what is half made or half deleted, in steps that a crash may interrupt anywhere.
//!
//! ```text
//! metadata "deleting" → registry → folders renamed → metadata forgets → checkpoints → answer … files removed
//! ```
//!
//! What the disk keeps from being finished is finished before the name is used again, or else by the next start; see
//! `reconcile`.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::names::deleted_folder_name;
use super::{Changes, DataFolder};
use crate::journal::Event;
use crate::names::{Principal, TopicName};
use crate::storage::checkpoint::identity::{self, PARTITION_METADATA_FILE};
use crate::storage::disk::Disk;
use crate::storage::metadata::{TopicRecord, TopicState};
use crate::storage::{Error, Result};
use crate::topics::upkeep::Upkeep;
use crate::topics::{Topic, TopicError};

impl DataFolder {
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
        self.metadata.put_topic(&record).inspect_err(|error| self.doubt(&topic, error))?;
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

    /// A deletion that failed after its last write may be found done by the next start, which then removes the topic.
    /// Until it is known, nothing is acknowledged that could be removed.
    fn doubt(&self, topic: &Topic, error: &Error) {
        if self.metadata.is_shut() {
            for partition in &topic.partitions {
                partition.refuse_appends(&format!("whether the topic is deleted is known after a restart: {error}"));
            }
        }
    }

    /// Removes what a failed creation or extension left. Where that fails too, it is done before the name is used again,
    /// or the next start does what it can.
    pub(super) fn abandon(&self, changes: &mut Changes, topic: &TopicRecord) {
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
        if self.metadata.is_shut() {
            // Whether its last commit is on the disk is not known. The next start finds out, and needs the folders if it is.
            let in_doubt = "whether it is there is known after a restart";
            return Err(Error::io("undo what was begun in", &self.path)(std::io::Error::other(in_doubt)));
        }
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
