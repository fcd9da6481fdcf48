//! CreateTopics: every topic of a request succeeds or fails alone.

use std::collections::HashSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName as WireName;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use kafka_protocol::protocol::StrBytes;

use crate::config::EffectiveSetting;
use crate::handlers::errors::topic_code;
use crate::handlers::settings::source_code;
use crate::handlers::{Core, RequestContext};
use crate::topics::{CLUSTER_METADATA, NewTopic, Topic};

/// Creates one topic after the other; a topic is in the metadata by the time of the answer.
pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: &CreateTopicsRequest,
    version: i16,
) -> CreateTopicsResponse {
    let (mut seen, mut duplicates) = (HashSet::new(), HashSet::new());
    for topic in &request.topics {
        if !seen.insert(topic.name.as_str()) {
            duplicates.insert(topic.name.as_str());
        }
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        // A duplicate is reported once, wherever it stands.
        if !seen.remove(topic.name.as_str()) {
            continue;
        }
        results.push(if duplicates.contains(topic.name.as_str()) {
            refused(&topic.name, ResponseError::InvalidRequest, "Duplicate topic name.".into())
        } else if topic.name.as_str() == CLUSTER_METADATA {
            let sentence = format!("Creation of internal topic {CLUSTER_METADATA} is prohibited.");
            refused(&topic.name, ResponseError::InvalidRequest, sentence)
        } else {
            create(core, context, topic, request.validate_only, version).await
        });
    }
    CreateTopicsResponse::default().with_topics(results)
}

async fn create(
    core: &Core,
    context: &RequestContext,
    topic: &CreatableTopic,
    validate_only: bool,
    version: i16,
) -> CreatableTopicResult {
    match core.topics.create(&context.principal, wanted(topic), validate_only).await {
        Ok(created) => succeeded(core, &topic.name, &created, version),
        Err(failure) => refused(&topic.name, topic_code(&failure), failure.to_string()),
    }
}

/// Versions before 5 do not tell what came of it, and before 7 not the id.
fn succeeded(core: &Core, name: &WireName, created: &Topic, version: i16) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(name.clone()).with_error_message(None);
    if version < 5 {
        return result;
    }
    let configs = core.config().settings.effective(&created.overrides).into_iter().map(tell).collect();
    let result =
        result.with_num_partitions(created.partition_count).with_replication_factor(1).with_configs(Some(configs));
    if version >= 7 { result.with_topic_id(created.id.uuid()) } else { result }
}

fn tell(setting: EffectiveSetting) -> CreatableTopicConfigs {
    CreatableTopicConfigs::default()
        .with_name(StrBytes::from_static_str(setting.definition.name))
        .with_value(Some(StrBytes::from_string(setting.value)))
        .with_config_source(source_code(setting.source))
}

/// What the room of the topics is asked for, in its own words; nothing of it points into the request.
fn wanted(topic: &CreatableTopic) -> NewTopic {
    let text = |bytes: &StrBytes| bytes.as_str().to_owned();
    NewTopic {
        name: text(&topic.name),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic
            .assignments
            .iter()
            .map(|replicas| (replicas.partition_index, replicas.broker_ids.iter().map(|id| id.0).collect()))
            .collect(),
        configs: topic.configs.iter().map(|config| (text(&config.name), config.value.as_ref().map(text))).collect(),
    }
}

fn refused(name: &WireName, code: ResponseError, sentence: String) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name.clone())
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(sentence)))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_configs(Some(Vec::new()))
}
