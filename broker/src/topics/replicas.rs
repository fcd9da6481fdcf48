//! Where replicas are, who leads them, and what becomes of the wish to have that otherwise. There is one node with one
//! folder, so that each partition is where it should be already; everything else is refused in the words of Kafka's
//! controller (`ReplicationControlManager`).

use std::path::absolute;

use super::creation::check_replicas;
use super::{TopicError, Topics};
use crate::config::limits::MAX_REPEATED_BYTES;
use crate::names::{Principal, brief};
use crate::storage;
use crate::storage::disk::Space;

/// Kafka gives a replica that moves a folder with a longer name: the partition's, a dot, 32 hexadecimal digits, `-future`.
const LONGEST_MOVING_NAME: usize = 255 - 40;

/// The sentence on a topic that is not there.
fn not_found(before: &str, name: &str, after: &str) -> TopicError {
    TopicError::NotFound(format!("{before}{}{after}", brief(name, MAX_REPEATED_BYTES)))
}

impl Topics {
    /// The data folder by its absolute path, as Kafka names it.
    pub fn log_dir(&self) -> String {
        let config = self.config();
        let path = absolute(&config.log_dir).unwrap_or_else(|_| config.log_dir.clone());
        path.to_string_lossy().into_owned()
    }

    /// How much room there is where the data folder stands.
    pub fn space(&self) -> storage::Result<Space> {
        self.folder.space()
    }

    /// Puts a partition on these nodes; `None` takes back a wish that is not yet fulfilled.
    pub fn reassign(
        &self,
        _principal: &Principal,
        topic: &str,
        partition: i32,
        replicas: Option<&[i32]>,
    ) -> Result<(), TopicError> {
        let found = self.get(topic).ok_or_else(|| not_found("Unable to find a topic named ", topic, "."))?;
        if found.partition(partition).is_none() {
            return Err(TopicError::NotFound(format!("Unable to find partition {topic}:{partition}.")));
        }
        check_replicas(replicas.ok_or(TopicError::NoReassignment)?, self.config().node_id)
    }

    /// Elects the leader of a partition anew.
    pub fn elect_leader(&self, _principal: &Principal, topic: &str, partition: i32) -> Result<(), TopicError> {
        let found = self.get(topic).ok_or_else(|| not_found("No such topic as ", topic, ""))?;
        match found.partition(partition) {
            Some(_) => Err(TopicError::ElectionNotNeeded),
            None => Err(TopicError::NotFound(format!("No such partition as {topic}-{partition}"))),
        }
    }

    /// Moves a partition into another folder of this node.
    pub fn move_replica(
        &self,
        _principal: &Principal,
        topic: &str,
        partition: i32,
        log_dir: &str,
    ) -> Result<(), TopicError> {
        if topic.len() > LONGEST_MOVING_NAME || format!("{topic}-{partition}").len() > LONGEST_MOVING_NAME {
            return Err(TopicError::InvalidName("The topic name is too long.".into()));
        }
        if log_dir != self.log_dir() {
            return Err(TopicError::NoSuchLogDir);
        }
        let found = self.get(topic).ok_or(TopicError::Unknown)?;
        found.partition(partition).map(|_| ()).ok_or(TopicError::Unknown)
    }
}
