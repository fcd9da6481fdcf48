//! CreatePartitions: more partitions for topics, each of which succeeds or fails alone.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName as WireName;
use kafka_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use kafka_protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};
use kafka_protocol::protocol::StrBytes;

use super::{NAMED_TWICE, once_each};
use crate::handlers::errors::{topic_code, topic_sentence};
use crate::handlers::{Core, RequestContext};
use crate::topics::MorePartitions;

/// Extends one topic after the other; the new partitions are in the metadata by the time of the answer.
pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: &CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let (topics, repeated) = once_each(&request.topics, |topic| topic.name.as_str());
    let mut results = Vec::with_capacity(topics.len());
    for topic in topics {
        results.push(if repeated.contains(topic.name.as_str()) {
            let sentence = StrBytes::from_static_str(NAMED_TWICE);
            result(&topic.name, ResponseError::InvalidRequest.code(), Some(sentence))
        } else {
            extend(core, context, topic, request.validate_only).await
        });
    }
    CreatePartitionsResponse::default().with_results(results)
}

async fn extend(
    core: &Core,
    context: &RequestContext,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
) -> CreatePartitionsTopicResult {
    match core.topics.extend(&context.principal, wanted(topic), validate_only).await {
        Ok(_) => result(&topic.name, 0, None),
        Err(failure) => result(&topic.name, topic_code(&failure).code(), topic_sentence(&failure)),
    }
}

/// What the room of the topics is asked for; nothing of it points into the request.
fn wanted(topic: &CreatePartitionsTopic) -> MorePartitions {
    let assignments = topic.assignments.as_ref().map(|assignments| {
        assignments.iter().map(|assignment| assignment.broker_ids.iter().map(|id| id.0).collect()).collect()
    });
    MorePartitions { topic: topic.name.as_str().to_owned(), count: topic.count, assignments }
}

fn result(name: &WireName, error_code: i16, sentence: Option<StrBytes>) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult::default()
        .with_name(name.clone())
        .with_error_code(error_code)
        .with_error_message(sentence)
}
