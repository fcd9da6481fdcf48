//! CreateTopics: every topic of a request succeeds or fails alone.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName as WireName;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{NAMED_TWICE, once_each};
use crate::config::EffectiveSetting;
use crate::handlers::errors::topic_code;
use crate::handlers::settings::source_code;
use crate::handlers::{Core, RequestContext};
use crate::topics::{CLUSTER_METADATA, NewTopic, Topic};

/// Creates all topics of the request together; they are in the metadata by the time of the answer.
pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: &CreateTopicsRequest,
    version: i16,
) -> CreateTopicsResponse {
    let (topics, repeated) = once_each(&request.topics, |topic| topic.name.as_str());
    let why_not = |topic: &CreatableTopic| match topic.name.as_str() {
        name if repeated.contains(name) => Some(NAMED_TWICE.to_owned()),
        CLUSTER_METADATA => Some(format!("Creation of internal topic {CLUSTER_METADATA} is prohibited.")),
        _ => None,
    };
    let wishes = topics.iter().filter(|topic| why_not(topic).is_none()).map(|topic| wanted(topic)).collect();
    let mut outcomes = core.topics.create_all(&context.principal, wishes, request.validate_only).await.into_iter();
    let answer = |topic: &CreatableTopic| match why_not(topic) {
        Some(sentence) => refused(&topic.name, ResponseError::InvalidRequest, sentence),
        None => match outcomes.next().expect("each wish has an outcome") {
            Ok(created) => succeeded(core, &topic.name, &created, version),
            Err(failure) => refused(&topic.name, topic_code(&failure), failure.to_string()),
        },
    };
    CreateTopicsResponse::default().with_topics(topics.into_iter().map(answer).collect())
}

/// Versions before 5 do not tell what came of it, and before 7 not the id.
fn succeeded(core: &Core, name: &WireName, created: &Topic, version: i16) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(name.clone()).with_error_message(None);
    if version < 5 {
        return result;
    }
    let configs = core.config().settings.effective(&created.overrides).into_iter().map(tell).collect();
    let factor = i16::try_from(created.replicas_of(0).len()).unwrap_or(i16::MAX);
    let result =
        result.with_num_partitions(created.partition_count).with_replication_factor(factor).with_configs(Some(configs));
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
