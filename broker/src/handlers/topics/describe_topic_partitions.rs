//! DescribeTopicPartitions: the metadata of topics in pages, for clusters whose Metadata would be too long.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};

use crate::handlers::Core;
use crate::handlers::call::wire_name;
use crate::handlers::operations::TOPIC_OPERATIONS;
use crate::names::TopicName;
use crate::topics::{Partition, Topic};

/// Tells of topics in the order of their names, from the cursor on, until there are enough partitions.
pub(super) fn handle(core: &Core, request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let wants_all = request.topics.is_empty();
    let (first_topic, first_partition) =
        request.cursor.as_ref().map_or(("", 0), |cursor| (cursor.topic_name.as_str(), cursor.partition_index));
    let mut names: BTreeSet<String> = if wants_all {
        core.topics.list().iter().map(|topic| topic.name.to_string()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.as_str().to_owned()).collect()
    };
    names.retain(|name| name.as_str() >= first_topic);
    if request.cursor.is_some() && (first_partition < 0 || !wants_all && !names.contains(first_topic)) {
        return refuse(request);
    }
    let limit = request.response_partition_limit.min(core.config().max_request_partition_size_limit).max(1);
    let mut room = usize::try_from(limit).expect("it is at least 1");
    let mut response = DescribeTopicPartitionsResponse::default().with_next_cursor(None);
    for name in names {
        if room == 0 {
            response.next_cursor = Some(cursor(&name, 0));
            break;
        }
        let Some(topic) = core.topics.get(&name) else {
            if !wants_all {
                response.topics.push(unknown(name));
            }
            continue;
        };
        let from = if name == first_topic { usize::try_from(first_partition).unwrap_or(0) } else { 0 };
        let page: Vec<_> = topic.partitions.iter().skip(from).take(room).collect();
        let next = from + page.len();
        room -= page.len();
        response.topics.push(known(&topic, &page));
        if next < topic.partitions.len() {
            response.next_cursor = Some(cursor(&name, next));
            break;
        }
    }
    response
}

fn known(topic: &Topic, page: &[&Arc<Partition>]) -> DescribeTopicPartitionsResponseTopic {
    let partitions = page.iter().map(|partition| {
        let index = partition.id().partition;
        let replicas: Vec<BrokerId> = topic.replicas_of(index).into_iter().map(BrokerId).collect();
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(topic.leader_of(index)))
            .with_leader_epoch(partition.leader_epoch())
            .with_replica_nodes(replicas.clone())
            .with_isr_nodes(replicas)
            .with_eligible_leader_replicas(Some(Vec::new()))
            .with_last_known_elr(Some(Vec::new()))
    });
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(wire_name(topic.name.as_str())))
        .with_topic_id(topic.id.uuid())
        .with_is_internal(topic.name.is_internal())
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}

/// What may be done to a topic does not depend on whether it is there.
fn unknown(name: String) -> DescribeTopicPartitionsResponseTopic {
    let (code, is_internal) = match TopicName::parse(&name) {
        Ok(name) => (ResponseError::UnknownTopicOrPartition, name.is_internal()),
        Err(_) => (ResponseError::InvalidTopicException, false),
    };
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(code.code())
        .with_name(Some(wire_name(&name)))
        .with_is_internal(is_internal)
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}

/// A cursor that leads nowhere. The answer has no place for an error but the topics that were asked for.
fn refuse(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let refused = request.topics.iter().map(|topic| {
        DescribeTopicPartitionsResponseTopic::default()
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_name(Some(topic.name.clone()))
    });
    DescribeTopicPartitionsResponse::default().with_topics(refused.collect()).with_next_cursor(None)
}

fn cursor(topic: &str, partition: usize) -> Cursor {
    let partition = i32::try_from(partition).expect("partitions are numbered by i32");
    Cursor::default().with_topic_name(wire_name(topic)).with_partition_index(partition)
}
