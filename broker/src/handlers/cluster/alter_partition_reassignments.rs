//! AlterPartitionReassignments: puts replicas on other nodes. Nothing has to be copied for that, so it is done at once.

use kafka_protocol::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};

use crate::handlers::errors::{topic_code, topic_sentence};
use crate::handlers::{Core, RequestContext};
use crate::topics::{Move, TopicError};

/// Each partition succeeds or fails alone.
pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    if request.topics.is_empty() {
        return AlterPartitionReassignmentsResponse::default();
    }
    let may_change_count = request.allow_replication_factor_change;
    let mut responses = Vec::with_capacity(request.topics.len());
    for ReassignableTopic { name, partitions, .. } in request.topics {
        let moves: Vec<Move> = partitions.iter().map(|partition| wanted(partition, may_change_count)).collect();
        let outcomes = core.topics.reassign(&context.principal, &name, moves).await;
        let told = partitions.iter().zip(outcomes).map(|(partition, outcome)| tell(partition.partition_index, outcome));
        responses.push(ReassignableTopicResponse::default().with_partitions(told.collect()).with_name(name));
    }
    AlterPartitionReassignmentsResponse::default()
        .with_error_message(None)
        .with_allow_replication_factor_change(may_change_count)
        .with_responses(responses)
}

fn wanted(partition: &ReassignablePartition, may_change_count: bool) -> Move {
    Move {
        partition: partition.partition_index,
        replicas: partition.replicas.as_ref().map(|nodes| nodes.iter().map(|node| node.0).collect()),
        may_change_count,
    }
}

fn tell(partition: i32, outcome: Result<(), TopicError>) -> ReassignablePartitionResponse {
    let (code, sentence) = match outcome {
        Ok(()) => (0, None),
        Err(failure) => (topic_code(&failure).code(), topic_sentence(&failure)),
    };
    ReassignablePartitionResponse::default()
        .with_partition_index(partition)
        .with_error_code(code)
        .with_error_message(sentence)
}
