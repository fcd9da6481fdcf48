//! DeleteTopics: by name, and from version 6 by id as well.

use std::collections::HashMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName as WireName;
use kafka_protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use kafka_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::handlers::call::wire_name;
use crate::handlers::errors::topic_code;
use crate::handlers::{Core, RequestContext};
use crate::names::TopicId;
use crate::topics::{Topic, TopicError};

/// The first version whose topics have names or ids; before it they are names alone.
const TOPIC_IDS_FROM: i16 = 6;

/// The first version that knows TOPIC_DELETION_DISABLED.
const DELETION_DISABLED_FROM: i16 = 3;

/// Deletes one topic after the other; each succeeds or fails alone.
pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: DeleteTopicsRequest,
    version: i16,
) -> DeleteTopicsResponse {
    let wanted = wanted(request, version);
    let mut results = Vec::with_capacity(wanted.len());
    if !core.config().delete_topic_enable {
        results.extend(wanted.iter().map(|topic| refuse_deletion(topic, version)));
        return DeleteTopicsResponse::default().with_responses(results);
    }
    for (topic, count) in counted(wanted) {
        results.push(match resolve(core, &topic, count) {
            Ok(found) => delete(core, context, &topic, &found).await,
            Err((code, sentence)) => refused(&topic, code, sentence),
        });
    }
    DeleteTopicsResponse::default().with_responses(results)
}

/// What is asked for, whatever the version calls it.
fn wanted(request: DeleteTopicsRequest, version: i16) -> Vec<DeleteTopicState> {
    if version >= TOPIC_IDS_FROM {
        return request.topics;
    }
    let named = |name: WireName| DeleteTopicState::default().with_name(Some(name));
    request.topic_names.into_iter().map(named).collect()
}

/// Each topic once, in the order of the request, with the number of times that it stands there.
fn counted(wanted: Vec<DeleteTopicState>) -> Vec<(DeleteTopicState, usize)> {
    let mut places = HashMap::new();
    let mut counted: Vec<(DeleteTopicState, usize)> = Vec::with_capacity(wanted.len());
    for topic in wanted {
        let place = *places.entry((topic.name.clone(), topic.topic_id)).or_insert(counted.len());
        match counted.get_mut(place) {
            Some((_, count)) => *count += 1,
            None => counted.push((topic, 1)),
        }
    }
    counted
}

fn resolve(core: &Core, topic: &DeleteTopicState, count: usize) -> Result<Arc<Topic>, (ResponseError, String)> {
    let invalid = |sentence: &str| Err((ResponseError::InvalidRequest, sentence.to_owned()));
    let found = match (&topic.name, TopicId::from_uuid(topic.topic_id)) {
        (None, None) => return invalid("Neither topic name nor id were specified."),
        (Some(_), Some(_)) => return invalid("You may not specify both topic name and topic id."),
        (Some(_), None) if count > 1 => return invalid("Duplicate topic name."),
        (None, Some(_)) if count > 1 => return invalid("Duplicate topic id."),
        (Some(name), None) => core.topics.get(name).ok_or(TopicError::Unknown),
        (None, Some(id)) => core.topics.get_by_id(id).ok_or(TopicError::UnknownId),
    };
    found.map_err(|failure| (topic_code(&failure), failure.to_string()))
}

async fn delete(
    core: &Core,
    context: &RequestContext,
    topic: &DeleteTopicState,
    found: &Arc<Topic>,
) -> DeletableTopicResult {
    match core.topics.delete(&context.principal, found).await {
        Ok(()) => {
            core.coordinator.topic_deleted(found).await;
            DeletableTopicResult::default()
                .with_name(Some(wire_name(found.name.as_str())))
                .with_topic_id(found.id.uuid())
        }
        Err(failure) => refused(topic, topic_code(&failure), failure.to_string()),
    }
}

fn refuse_deletion(topic: &DeleteTopicState, version: i16) -> DeletableTopicResult {
    if version < DELETION_DISABLED_FROM {
        let sentence = "This version does not support topic deletion.".into();
        return refused(topic, ResponseError::InvalidRequest, sentence);
    }
    refused(topic, ResponseError::TopicDeletionDisabled, TopicError::DeletionDisabled.to_string())
}

/// Before version 6 every result has a name.
fn refused(topic: &DeleteTopicState, code: ResponseError, sentence: String) -> DeletableTopicResult {
    DeletableTopicResult::default()
        .with_name(topic.name.clone())
        .with_topic_id(topic.topic_id)
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(sentence)))
}
