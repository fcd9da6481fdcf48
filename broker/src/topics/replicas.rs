//! Where replicas are, who leads them, and what becomes of the wish to have that otherwise, in the words of Kafka's
//! controller (`ReplicationControlManager`). The nodes have one folder, so that a replica is wherever it is wanted as soon
//! as that is written down; it is led by the first of its nodes, so that nobody need be elected.

use std::io;
use std::path::absolute;

use super::creation::check_replicas;
use super::{Topic, TopicError, Topics};
use crate::config::Nodes;
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

/// One partition on its way to other nodes.
#[derive(Clone, Debug)]
pub struct Move {
    /// Which.
    pub partition: i32,
    /// The nodes, the one that is to lead first; `None` takes back a wish that is not yet fulfilled.
    pub replicas: Option<Vec<i32>>,
    /// Whether there may be more of them than before, or fewer.
    pub may_change_count: bool,
}

impl Move {
    pub(super) fn check(&self, topic: Option<&Topic>, name: &str, nodes: Nodes) -> Result<(), TopicError> {
        let topic = topic.ok_or_else(|| not_found("Unable to find a topic named ", name, "."))?;
        let partition = self.partition;
        if topic.partition(partition).is_none() {
            return Err(TopicError::NotFound(format!("Unable to find partition {name}:{partition}.")));
        }
        let replicas = self.replicas.as_ref().ok_or(TopicError::NoReassignment)?;
        check_replicas(replicas, nodes, None)?;
        // Where there are fewer nodes than before, fewer are shown than were asked for.
        let before = usize::try_from(topic.placement.wanted(partition)).unwrap_or(0);
        if !self.may_change_count && before != replicas.len() {
            let now = replicas.len();
            let sentence = format!("The replication factor is changed from {before} to {now}");
            return Err(TopicError::InvalidReplicationFactor(sentence));
        }
        Ok(())
    }

    /// Whether the partition is not there already, by a wish for as many replicas.
    pub(super) fn moves_something(&self, topic: &Topic) -> bool {
        let wanted = usize::try_from(topic.placement.wanted(self.partition)).unwrap_or(0);
        self.replicas.as_ref().is_some_and(|nodes| nodes.len() != wanted || *nodes != topic.replicas_of(self.partition))
    }
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

    /// Puts partitions of one topic on other nodes; each succeeds or fails alone, and the outcomes are in their order.
    pub async fn reassign(&self, principal: &Principal, topic: &str, moves: Vec<Move>) -> Vec<Result<(), TopicError>> {
        let (by, name, count) = (principal.clone(), topic.to_owned(), moves.len());
        let outcome = self.in_turn(move |folder| folder.reassign(&by, &name, &moves)).await;
        outcome.unwrap_or_else(|broken| {
            let why = broken.to_string();
            let failed =
                || storage::Error::io("reassign partitions in", self.data_folder())(io::Error::other(why.clone()));
            (0..count).map(|_| Err(failed().into())).collect()
        })
    }

    /// Elects the leader of a partition anew.
    pub fn elect_leader(&self, _principal: &Principal, topic: &str, partition: i32) -> Result<(), TopicError> {
        let found = self.get(topic).ok_or_else(|| not_found("No such topic as ", topic, ""))?;
        match found.partition(partition) {
            Some(_) => Err(TopicError::ElectionNotNeeded),
            None => Err(TopicError::NotFound(format!("No such partition as {topic}-{partition}"))),
        }
    }

    /// Moves a node's partition into another folder of this node.
    pub fn move_replica(
        &self,
        _principal: &Principal,
        node: i32,
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
        found.partition(partition).ok_or(TopicError::Unknown)?;
        if found.is_on(partition, node) { Ok(()) } else { Err(TopicError::NoReplica) }
    }
}
