//! A topic as those see it who look it up.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{RwLock, RwLockReadGuard};

use super::Partition;
use super::placement::Placement;
use crate::config::{Nodes, TopicConfig};
use crate::names::{TopicId, TopicName};
use crate::storage::metadata::{Replication, TopicRecord, TopicState};

/// One topic, as it was when it was looked up: one that is extended gets a new `Arc`. A deleted topic's `Arc` stays valid
/// for those who hold it; its partitions refuse.
#[derive(Debug)]
pub struct Topic {
    /// The name.
    pub name: TopicName,
    /// The id, which tells it from its namesakes before and after.
    pub id: TopicId,
    /// The settings when it was looked up.
    pub config: Arc<TopicConfig>,
    /// Of these, what the topic sets itself, by Kafka's keys.
    pub overrides: BTreeMap<String, String>,
    /// The partitions by number. Empty for a topic that was only validated.
    pub partitions: Vec<Arc<Partition>>,
    /// How many partitions there are, or would be.
    pub partition_count: i32,
    pub(super) first_run: i64,
    pub(super) adopted: bool,
    pub(super) placement: Placement,
    /// The settings now. One for all that were looked up.
    in_force: Arc<RwLock<Arc<TopicConfig>>>,
}

impl Topic {
    pub(super) fn new(
        record: &TopicRecord,
        nodes: Nodes,
        config: TopicConfig,
        partitions: Vec<Arc<Partition>>,
    ) -> Topic {
        let config = Arc::new(config);
        Topic {
            name: record.name.clone(),
            id: record.id,
            in_force: Arc::new(RwLock::new(Arc::clone(&config))),
            config,
            overrides: record.overrides.clone(),
            partitions,
            partition_count: record.partition_count,
            first_run: record.first_run,
            adopted: record.adopted,
            placement: Placement::new(nodes, &record.name, record.id, record.replication.clone()),
        }
    }

    /// The node that leads a partition: a function of the nodes that there are, never stored.
    pub fn leader_of(&self, partition: i32) -> i32 {
        self.placement.leader(partition)
    }

    /// The nodes that have a partition, its leader first. All of them are in sync: they show the one copy that there is.
    pub fn replicas_of(&self, partition: i32) -> Vec<i32> {
        self.placement.replicas(partition)
    }

    /// Whether a node has a partition.
    pub fn is_on(&self, partition: i32, node: i32) -> bool {
        self.leader_of(partition) == node || self.replicas_of(partition).contains(&node)
    }

    /// The settings now, and no others while this is held: a batch is judged and appended under one set of them.
    pub async fn in_force(&self) -> RwLockReadGuard<'_, Arc<TopicConfig>> {
        self.in_force.read().await
    }

    /// The same topic with other settings, which `obey` tells to the logs between two appends. Blocks.
    pub(super) fn with_settings(
        &self,
        overrides: BTreeMap<String, String>,
        config: TopicConfig,
        obey: impl Fn(&Partition, &TopicConfig),
    ) -> Topic {
        let mut in_force = self.in_force.blocking_write();
        self.partitions.iter().for_each(|partition| obey(partition, &config));
        *in_force = Arc::new(config);
        Topic {
            config: Arc::clone(&in_force),
            overrides,
            partitions: self.partitions.clone(),
            name: self.name.clone(),
            in_force: Arc::clone(&self.in_force),
            placement: self.placement.clone(),
            ..*self
        }
    }

    /// The partition of a number.
    pub fn partition(&self, number: i32) -> Option<&Arc<Partition>> {
        usize::try_from(number).ok().and_then(|index| self.partitions.get(index))
    }

    /// The topic with more partitions, none or some, and with replicas as they are now; the partitions that it has are
    /// shared with the snapshot before.
    pub(super) fn extended(&self, more: Vec<Arc<Partition>>, replication: Replication) -> Topic {
        let partitions: Vec<_> = self.partitions.iter().cloned().chain(more).collect();
        Topic {
            config: Arc::clone(&self.config),
            overrides: self.overrides.clone(),
            partition_count: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
            partitions,
            name: self.name.clone(),
            in_force: Arc::clone(&self.in_force),
            placement: self.placement.with(replication),
            ..*self
        }
    }

    /// The topic as the metadata keeps it.
    pub(super) fn record(&self, state: TopicState) -> TopicRecord {
        TopicRecord {
            name: self.name.clone(),
            id: self.id,
            partition_count: self.partition_count,
            overrides: self.overrides.clone(),
            state,
            first_run: self.first_run,
            replication: self.placement.replication.clone(),
            adopted: self.adopted,
        }
    }
}
