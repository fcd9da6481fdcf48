//! ElectLeaders: makes replicas leaders. The first of each list leads already.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName as WireName;
use kafka_protocol::messages::elect_leaders_request::ElectLeadersRequest;
use kafka_protocol::messages::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};
use kafka_protocol::protocol::StrBytes;

use crate::handlers::call::wire_name;
use crate::handlers::errors::topic_code;
use crate::handlers::{Core, RequestContext};

/// The replica that stands first; any replica, even one that lost records. Version 0 knows only the first, and has no place
/// for an error of the whole request.
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// Each partition is answered alone.
pub(super) fn handle(core: &Core, context: &RequestContext, request: &ElectLeadersRequest) -> ElectLeadersResponse {
    let is_known = matches!(request.election_type, PREFERRED | UNCLEAN);
    let Some(topics) = &request.topic_partitions else {
        // Of all partitions only those are told of that get another leader, and that is none.
        let topics = core.topics.list();
        let none = topics.iter().map(|topic| result(&wire_name(topic.name.as_str()), Vec::new()));
        return respond(if is_known { none.collect() } else { Vec::new() }, is_known);
    };
    if topics.is_empty() {
        return ElectLeadersResponse::default();
    }
    let results = topics.iter().map(|topic| {
        let elect = |partition: &i32| {
            let (code, sentence) = if is_known {
                match core.topics.elect_leader(&context.principal, &topic.topic, *partition) {
                    Ok(()) => (0, None),
                    Err(failure) => (topic_code(&failure).code(), Some(failure.to_string())),
                }
            } else {
                (ResponseError::InvalidRequest.code(), Some(format!("Unknown election type {}", request.election_type)))
            };
            PartitionResult::default()
                .with_partition_id(*partition)
                .with_error_code(code)
                .with_error_message(sentence.map(StrBytes::from_string))
        };
        result(&topic.topic, topic.partitions.iter().map(elect).collect())
    });
    respond(results.collect(), is_known)
}

fn respond(results: Vec<ReplicaElectionResult>, is_known: bool) -> ElectLeadersResponse {
    ElectLeadersResponse::default()
        .with_error_code(if is_known { 0 } else { ResponseError::InvalidRequest.code() })
        .with_replica_election_results(results)
}

fn result(topic: &WireName, partitions: Vec<PartitionResult>) -> ReplicaElectionResult {
    ReplicaElectionResult::default().with_topic(topic.clone()).with_partition_result(partitions)
}
