//! AlterPartitionReassignments: puts replicas on other nodes. There is one node, so that they can only stay.

use kafka_protocol::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition,
};
use kafka_protocol::messages::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};

use crate::handlers::errors::{topic_code, topic_sentence};
use crate::handlers::{Core, RequestContext};

/// Each partition succeeds or fails alone.
pub(super) fn handle(
    core: &Core,
    context: &RequestContext,
    request: &AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    if request.topics.is_empty() {
        return AlterPartitionReassignmentsResponse::default();
    }
    let responses = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| reassign(core, context, &topic.name, partition));
        ReassignableTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    AlterPartitionReassignmentsResponse::default()
        .with_error_message(None)
        .with_allow_replication_factor_change(request.allow_replication_factor_change)
        .with_responses(responses.collect())
}

fn reassign(
    core: &Core,
    context: &RequestContext,
    topic: &str,
    partition: &ReassignablePartition,
) -> ReassignablePartitionResponse {
    let replicas: Option<Vec<i32>> = partition.replicas.as_ref().map(|nodes| nodes.iter().map(|node| node.0).collect());
    let outcome = core.topics.reassign(&context.principal, topic, partition.partition_index, replicas.as_deref());
    let (code, sentence) = match outcome {
        Ok(()) => (0, None),
        Err(failure) => (topic_code(&failure).code(), topic_sentence(&failure)),
    };
    ReassignablePartitionResponse::default()
        .with_partition_index(partition.partition_index)
        .with_error_code(code)
        .with_error_message(sentence)
}
