//! What a client asks for when it wants more partitions of a topic, and whether it may have them, by the rules of Kafka's
//! controller (`ReplicationControlManager.createPartitions`) and in its words. Nothing here touches the disk.

use std::ops::Range;

use super::creation::check_replicas;
use super::{Topic, TopicError};
use crate::config::Nodes;
use crate::config::limits::MAX_PARTITIONS;
use crate::storage::metadata::Replication;

/// What a client asks for when it wants more partitions of a topic.
#[derive(Clone, Debug, Default)]
pub struct MorePartitions {
    /// The topic.
    pub topic: String,
    /// How many partitions it shall have.
    pub count: i32,
    /// The replicas of each new partition, when the client assigns them by hand.
    pub assignments: Option<Vec<Vec<i32>>>,
}

impl MorePartitions {
    /// The numbers of the new partitions. Checks in Kafka's order: the count, the assignments, and before what they say
    /// whether there is room, as Kafka looks at quotas there.
    pub(super) fn of(&self, topic: &Topic, nodes: Nodes, all_partitions: usize) -> Result<Range<i32>, TopicError> {
        let (count, there) = (self.count, topic.partition_count);
        if count == there {
            return Err(TopicError::InvalidPartitions(format!("Topic already has {there} partition(s).")));
        }
        if count < there {
            return Err(TopicError::InvalidPartitions(format!(
                "The topic {} currently has {there} partition(s); {count} would not be an increase.",
                topic.name
            )));
        }
        let (more, assignments) = (count - there, self.assignments.as_deref().unwrap_or_default());
        if self.assignments.is_some() && i32::try_from(assignments.len()) != Ok(more) {
            return Err(TopicError::InvalidReplicaAssignment(format!(
                "Attempted to add {more} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            )));
        }
        let room = MAX_PARTITIONS.saturating_sub(all_partitions);
        if usize::try_from(more).map_or(true, |more| more > room) {
            return Err(TopicError::InvalidPartitions(format!(
                "The topic {} cannot have {more} more partition(s): this broker has room for {room} more of at most \
                 {MAX_PARTITIONS}; delete topics that are not needed any more.",
                topic.name
            )));
        }
        // As many as the first partition has. To Kafka a broker that is down is registered all the same; so to us are the nodes
        // that there were when the topic was made, and it gets its partitions on those that there are.
        let factor = topic.placement.wanted(0);
        for replicas in assignments {
            check_replicas(replicas, nodes, usize::try_from(factor).ok())?;
        }
        Ok(there..count)
    }

    /// The replicas of the topic once it has the new partitions.
    pub(super) fn replication(&self, topic: &Topic, new: Range<i32>) -> Replication {
        let mut replication = topic.placement.replication.clone();
        let factor = topic.placement.wanted(0);
        match &self.assignments {
            Some(assignments) => replication.assigned.extend(new.zip(assignments.iter().cloned())),
            // Somebody gave the first partition more replicas than the topic began with, or fewer.
            None if factor != replication.factor => {
                let spread = new.map(|partition| (partition, topic.placement.spread(partition, factor)));
                replication.assigned.extend(spread);
            }
            None => {}
        }
        replication
    }
}
