//! What a client asks for when it creates a topic, and whether it may have it, by the rules of Kafka's controller
//! (`ReplicationControlManager.createTopics`) and in its words. Nothing here touches the disk.

use std::collections::{BTreeMap, HashMap};

use super::TopicError;
use super::registry::{Registry, metric_name};
use crate::config::limits::{MAX_NODES, MAX_PARTITIONS};
use crate::config::{BrokerConfig, Nodes, TopicConfig};
use crate::names::TopicName;
use crate::storage::metadata::Replication;

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
    pub(super) replication: Replication,
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
        let (partition_count, replication) = partitions(wanted, config)?;
        let room = MAX_PARTITIONS.saturating_sub(registry.partition_count() + planned.partition_count);
        if usize::try_from(partition_count).map_or(true, |count| count > room) {
            return Err(TopicError::InvalidPartitions(format!(
                "Number of partitions was set to {partition_count}, but this broker has room for {room} more of at most \
                 {MAX_PARTITIONS}; delete topics that are not needed any more."
            )));
        }
        let own = wanted.configs.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
        Ok(Plan { name, partition_count, replication, overrides: own.collect(), config: topic_config })
    }
}

/// How many partitions come of a wish, and with which replicas.
fn partitions(wanted: &NewTopic, config: &BrokerConfig) -> Result<(i32, Replication), TopicError> {
    if !wanted.assignments.is_empty() {
        return assigned_partitions(wanted, config.nodes());
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
    check_factor(factor, config.nodes())?;
    Ok((if wanted.partitions == -1 { config.num_partitions } else { wanted.partitions }, Replication::of(factor)))
}

/// No node has two replicas of a partition. To Kafka's sentence is added what can be done about it here.
fn check_factor(factor: i16, nodes: Nodes) -> Result<(), TopicError> {
    let (count, wanted) = (nodes.count(), i32::from(factor));
    if wanted <= count {
        return Ok(());
    }
    let ask = if count == 1 { "Ask for 1 or -1".to_owned() } else { format!("Ask for at most {count}") };
    let more = if wanted <= MAX_NODES {
        format!(", or start the broker with --nodes {factor}, which simulates as many.")
    } else {
        format!("; --nodes simulates up to {MAX_NODES}.")
    };
    Err(TopicError::InvalidReplicationFactor(format!(
        "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be \
         reached because only {count} broker(s) are registered or some brokers have all their log directories cordoned. \
         {ask}{more}"
    )))
}

/// The same for replicas that were assigned by hand. Partitions that come later get as many as the first.
fn assigned_partitions(wanted: &NewTopic, nodes: Nodes) -> Result<(i32, Replication), TopicError> {
    if wanted.replication_factor != -1 {
        let text = "A manual partition assignment was specified, but replication factor was not set to -1.";
        return Err(TopicError::InvalidRequest(text.into()));
    }
    if wanted.partitions != -1 {
        let text = "A manual partition assignment was specified, but numPartitions was not set to -1.";
        return Err(TopicError::InvalidRequest(text.into()));
    }
    let refuse = |text: String| Err(TopicError::InvalidReplicaAssignment(text));
    let mut assigned = BTreeMap::new();
    let mut factor = None;
    for (partition, replicas) in &wanted.assignments {
        if assigned.insert(*partition, replicas.clone()).is_some() {
            return refuse(format!("Found multiple manual partition assignments for partition {partition}"));
        }
        check_replicas(replicas, nodes, factor)?;
        factor = Some(replicas.len());
    }
    let count = i32::try_from(assigned.len()).unwrap_or(i32::MAX);
    if assigned.keys().copied().ne(0..count) {
        return refuse("partitions should be a consecutive 0-based integer sequence".into());
    }
    let factor = factor.and_then(|factor| i16::try_from(factor).ok()).unwrap_or(1);
    Ok((count, Replication { factor, assigned }))
}

/// Kafka looks at the replicas in ascending order, and names the first that is wrong; then at how many there are, if that
/// is settled already.
pub(super) fn check_replicas(replicas: &[i32], nodes: Nodes, wanted: Option<usize>) -> Result<(), TopicError> {
    let refuse = |what: String| {
        Err(TopicError::InvalidReplicaAssignment(format!("The manual partition assignment includes {what}")))
    };
    if replicas.is_empty() {
        return refuse("an empty replica list.".into());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    let mut before = None;
    for node in &sorted {
        if !nodes.contains(*node) {
            return refuse(format!("broker {node}, but no such broker is registered."));
        }
        if before == Some(node) {
            return refuse(format!("the broker {node} more than once."));
        }
        before = Some(node);
    }
    match wanted {
        Some(wanted) if wanted != replicas.len() => refuse(format!(
            "a partition with {} replica(s), but this is not consistent with previous partitions, which have {wanted} \
             replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}
