//! What a client asks for when it creates a topic, and whether it may have it, by the rules of Kafka's controller
//! (`ReplicationControlManager.createTopics`) and in its words. Nothing here touches the disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::TopicError;
use super::registry::{Registry, metric_name};
use crate::config::limits::MAX_PARTITIONS;
use crate::config::{BrokerConfig, TopicConfig};
use crate::names::TopicName;

/// What a client asks for when it creates a topic.
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    /// The name, not yet checked.
    pub name: String,
    /// -1: `num.partitions`.
    pub partitions: i32,
    /// -1: `default.replication.factor`.
    pub replication_factor: i16,
    /// Replicas by partition, when the client assigns them by hand.
    pub assignments: Vec<(i32, Vec<i32>)>,
    /// The topic's own settings.
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic that may be created.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: TopicName,
    pub(super) partition_count: i32,
    pub(super) overrides: BTreeMap<String, String>,
    pub(super) config: TopicConfig,
}

/// Topics that are to be created together with another: to that one they are as good as there.
#[derive(Debug, Default)]
pub(super) struct Planned {
    by_metric_name: HashMap<String, TopicName>,
    partition_count: usize,
}

impl Planned {
    pub(super) fn add(&mut self, name: &TopicName, partition_count: i32) {
        self.by_metric_name.insert(metric_name(name), name.clone());
        self.partition_count += usize::try_from(partition_count).unwrap_or(0);
    }
}

impl Plan {
    /// Checks a wish in Kafka's order: name, namesakes, settings, replicas, partitions.
    pub(super) fn of(
        wanted: &NewTopic,
        config: &BrokerConfig,
        registry: &Registry,
        planned: &Planned,
    ) -> Result<Plan, TopicError> {
        let name = TopicName::parse(&wanted.name).map_err(|error| TopicError::InvalidName(error.to_string()))?;
        let planned_like_it = planned.by_metric_name.get(&metric_name(&name));
        if registry.get(name.as_str()).is_some() || planned_like_it == Some(&name) {
            return Err(TopicError::Exists(name));
        }
        if let Some(other) = registry.colliding(&name).or_else(|| planned_like_it.cloned()) {
            return Err(TopicError::InvalidName(format!("Topic '{name}' collides with existing topic: {other}")));
        }
        let topic_config = config.topic_defaults.with_overrides(&wanted.configs).map_err(TopicError::InvalidConfig)?;
        let partition_count = partition_count(wanted, config)?;
        let room = MAX_PARTITIONS.saturating_sub(registry.partition_count() + planned.partition_count);
        if usize::try_from(partition_count).map_or(true, |count| count > room) {
            return Err(TopicError::InvalidPartitions(format!(
                "Number of partitions was set to {partition_count}, but this broker has room for {room} more of at most \
                 {MAX_PARTITIONS}; delete topics that are not needed any more."
            )));
        }
        let own = wanted.configs.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
        Ok(Plan { name, partition_count, overrides: own.collect(), config: topic_config })
    }
}

/// How many partitions come of a wish. Replicas are checked on the way: there is one node, and it has one copy.
fn partition_count(wanted: &NewTopic, config: &BrokerConfig) -> Result<i32, TopicError> {
    if !wanted.assignments.is_empty() {
        return assigned_partition_count(wanted, config.node_id);
    }
    if wanted.replication_factor < -1 || wanted.replication_factor == 0 {
        let text = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(TopicError::InvalidReplicationFactor(text.into()));
    }
    if wanted.partitions < -1 || wanted.partitions == 0 {
        return Err(TopicError::InvalidPartitions(
            "Number of partitions was set to an invalid non-positive value.".into(),
        ));
    }
    let factor =
        if wanted.replication_factor == -1 { config.default_replication_factor } else { wanted.replication_factor };
    if factor != 1 {
        return Err(TopicError::InvalidReplicationFactor(format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be \
             reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned."
        )));
    }
    Ok(if wanted.partitions == -1 { config.num_partitions } else { wanted.partitions })
}

/// The same for replicas that were assigned by hand: each partition can only be on this node.
fn assigned_partition_count(wanted: &NewTopic, node_id: i32) -> Result<i32, TopicError> {
    if wanted.replication_factor != -1 {
        let text = "A manual partition assignment was specified, but replication factor was not set to -1.";
        return Err(TopicError::InvalidRequest(text.into()));
    }
    if wanted.partitions != -1 {
        let text = "A manual partition assignment was specified, but numPartitions was not set to -1.";
        return Err(TopicError::InvalidRequest(text.into()));
    }
    let refuse = |text: String| Err(TopicError::InvalidReplicaAssignment(text));
    let mut partitions = BTreeSet::new();
    for (partition, replicas) in &wanted.assignments {
        if !partitions.insert(*partition) {
            return refuse(format!("Found multiple manual partition assignments for partition {partition}"));
        }
        check_replicas(replicas, node_id)?;
    }
    if partitions.iter().copied().ne(0..i32::try_from(partitions.len()).unwrap_or(i32::MAX)) {
        return refuse("partitions should be a consecutive 0-based integer sequence".into());
    }
    Ok(i32::try_from(partitions.len()).unwrap_or(i32::MAX))
}

/// Kafka looks at the replicas in ascending order, and names the first that is wrong.
pub(super) fn check_replicas(replicas: &[i32], node_id: i32) -> Result<(), TopicError> {
    let refuse = |what: String| {
        Err(TopicError::InvalidReplicaAssignment(format!("The manual partition assignment includes {what}")))
    };
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    match sorted[..] {
        [] => refuse("an empty replica list.".into()),
        [only] if only == node_id => Ok(()),
        [first, ..] if first != node_id => refuse(format!("broker {first}, but no such broker is registered.")),
        [_, second, ..] if second != node_id => refuse(format!("broker {second}, but no such broker is registered.")),
        _ => refuse(format!("the broker {node_id} more than once.")),
    }
}
