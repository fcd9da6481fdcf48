//! Metadata: which brokers and topics there are, and who leads which partition. May create what is asked for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::call::wire_name;
use super::errors::topic_code;
use super::operations::{CLUSTER_OPERATIONS, TOPIC_OPERATIONS};
use super::{Core, RequestContext};
use crate::names::{TopicId, TopicName};
use crate::topics::{Partition, Topic, TopicError};

/// The first version in which a topic may be asked for by its id.
const TOPIC_IDS_FROM: i16 = 12;

/// Whichever node is asked tells the same of all of them.
pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: &MetadataRequest,
    version: i16,
) -> MetadataResponse {
    if version < TOPIC_IDS_FROM && request.topics.iter().flatten().any(names_an_id) {
        return refuse_ids(request);
    }
    let brokers = context.cluster.iter().map(|endpoint| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(endpoint.node))
            .with_host(StrBytes::from_string(endpoint.host.clone()))
            .with_port(i32::from(endpoint.port))
    });
    let mut response = MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(StrBytes::from_string(core.topics.cluster_id().to_owned())))
        .with_controller_id(BrokerId(context.controller()))
        .with_topics(topics(core, context, request, version).await);
    if request.include_cluster_authorized_operations && (8..=10).contains(&version) {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    if request.include_topic_authorized_operations && version >= 8 {
        // A topic that is not known by its id has no name, and nothing may be done to it.
        for topic in response.topics.iter_mut().filter(|topic| topic.name.is_some()) {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    response
}

async fn topics(
    core: &Core,
    context: &RequestContext,
    request: &MetadataRequest,
    version: i16,
) -> Vec<MetadataResponseTopic> {
    let Some(wanted) = wanted(request, version) else {
        return core.topics.list().iter().map(|topic| known(topic)).collect();
    };
    // As in Kafka, one id makes the request one for ids, and names in it are passed over.
    let by_id = wanted.iter().any(|topic| !topic.topic_id.is_nil());
    let mut found = if by_id { by_ids(core, wanted) } else { by_names(core, context, request, wanted).await };
    // Kafka tells of the topics that it does not know before all others or after them.
    found.sort_by_key(|topic| (topic.error_code != 0) != by_id);
    found
}

/// Versions 10 and 11 have a field for ids, but a topic cannot be asked for by one.
fn names_an_id(topic: &MetadataRequestTopic) -> bool {
    topic.name.is_none() || !topic.topic_id.is_nil()
}

/// Kafka refuses such a request as a whole, and then tells of no broker.
fn refuse_ids(request: &MetadataRequest) -> MetadataResponse {
    let refuse = |topic: &MetadataRequestTopic| {
        let name = topic.name.clone().unwrap_or_default();
        refused(ResponseError::InvalidRequest, Some(name), topic.topic_id)
    };
    let topics = request.topics.iter().flatten().map(refuse).collect();
    MetadataResponse::default().with_cluster_id(None).with_topics(topics)
}

/// The topics that are asked for by name or id; `None` for all. In version 0 an empty list asks for all.
fn wanted(request: &MetadataRequest, version: i16) -> Option<&[MetadataRequestTopic]> {
    request.topics.as_deref().filter(|topics| version > 0 || !topics.is_empty())
}

fn by_ids(core: &Core, wanted: &[MetadataRequestTopic]) -> Vec<MetadataResponseTopic> {
    let mut seen = HashSet::from([Uuid::nil()]);
    let ids = wanted.iter().map(|topic| topic.topic_id).filter(|id| seen.insert(*id));
    ids.map(|id| by_topic_id(core, id)).collect()
}

async fn by_names(
    core: &Core,
    context: &RequestContext,
    request: &MetadataRequest,
    wanted: &[MetadataRequestTopic],
) -> Vec<MetadataResponseTopic> {
    let mut seen = HashSet::new();
    let names = wanted.iter().filter_map(|topic| topic.name.as_ref()).filter(|name| seen.insert(name.as_str()));
    let names: Vec<&WireName> = names.collect();
    let missing: Vec<TopicName> = names.iter().filter_map(|name| to_create(core, request, name)).collect();
    let mut created = HashMap::new();
    if !missing.is_empty() {
        let outcomes = core.topics.auto_create(&context.principal, &missing).await;
        created = missing.iter().map(TopicName::as_str).zip(outcomes).collect();
    }
    names.into_iter().map(|name| by_name(core, name, created.remove(name.as_str()))).collect()
}

fn by_topic_id(core: &Core, id: Uuid) -> MetadataResponseTopic {
    match TopicId::from_uuid(id).and_then(|id| core.topics.get_by_id(id)) {
        Some(topic) => known(&topic),
        None => refused(ResponseError::UnknownTopicId, None, id),
    }
}

/// The name of a topic that is not there and is to be created, when both sides allow that. Kafka answers
/// UNKNOWN_TOPIC_OR_PARTITION while it creates; here the topic is there by the time of the answer.
fn to_create(core: &Core, request: &MetadataRequest, wire_name: &WireName) -> Option<TopicName> {
    if core.topics.get(wire_name).is_some() {
        return None;
    }
    let may_create = core.config().auto_create_topics_enable && request.allow_auto_topic_creation;
    // Kafka's own topics are made by those who write to them, with settings of their own.
    TopicName::parse(wire_name).ok().filter(|name| may_create && !name.is_internal())
}

/// A topic by its name, with what became of it if it was to be created.
fn by_name(
    core: &Core,
    wire_name: &WireName,
    created: Option<Result<Arc<Topic>, TopicError>>,
) -> MetadataResponseTopic {
    let refuse = |code| refused(code, Some(wire_name.clone()), Uuid::nil());
    match created {
        Some(Ok(topic)) => return known(&topic),
        Some(Err(failure)) => return refuse(topic_code(&failure)),
        None => {}
    }
    match (core.topics.get(wire_name), TopicName::parse(wire_name)) {
        (Some(topic), _) => known(&topic),
        (None, Err(_)) => refuse(ResponseError::InvalidTopicException),
        (None, Ok(name)) => refuse(ResponseError::UnknownTopicOrPartition).with_is_internal(name.is_internal()),
    }
}

fn known(topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| known_partition(topic, partition)).collect();
    MetadataResponseTopic::default()
        .with_name(Some(wire_name(topic.name.as_str())))
        .with_topic_id(topic.id.uuid())
        .with_is_internal(topic.name.is_internal())
        .with_partitions(partitions)
}

fn known_partition(topic: &Topic, partition: &Partition) -> MetadataResponsePartition {
    let index = partition.id().partition;
    let replicas: Vec<BrokerId> = topic.replicas_of(index).into_iter().map(BrokerId).collect();
    MetadataResponsePartition::default()
        .with_partition_index(index)
        .with_leader_id(BrokerId(topic.leader_of(index)))
        .with_leader_epoch(partition.leader_epoch())
        .with_replica_nodes(replicas.clone())
        .with_isr_nodes(replicas)
}

fn refused(code: ResponseError, name: Option<WireName>, id: Uuid) -> MetadataResponseTopic {
    MetadataResponseTopic::default().with_error_code(code.code()).with_name(name).with_topic_id(id)
}
