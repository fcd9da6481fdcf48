//! `cutaway topics create`.

use std::process::ExitCode;

use cutaway::names::TopicId;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use serde_json::json;

use super::options::CreateOptions;
use super::settings;
use crate::cli::client::{Client, Failure, TIMEOUT_MS, check, text, topic_name};
use crate::cli::output;

/// What stands for "as the broker's settings say".
const BROKERS_DEFAULT: i32 = -1;

/// Creates them with one request; each succeeds or fails by itself.
pub(super) async fn run(client: &mut Client, options: &CreateOptions, as_json: bool) -> anyhow::Result<ExitCode> {
    let configs: Vec<CreatableTopicConfig> = options
        .config
        .iter()
        .map(|(key, value)| CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value))))
        .collect();
    let wanted = |name: &String| {
        CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(options.partitions.unwrap_or(BROKERS_DEFAULT))
            .with_replication_factor(options.replication_factor.unwrap_or(BROKERS_DEFAULT as i16))
            .with_configs(configs.clone())
    };
    let topics = options.names.iter().map(wanted).collect();
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(TIMEOUT_MS);
    // Before version 4 a broker has no defaults for partitions and replicas.
    let answer = client.ask(4..=7, &request).await?;
    let mut failures = Vec::new();
    for result in &answer.topics {
        let name = result.name.as_str();
        let created = check(&format!("{name} is not created"), result.error_code, result.error_message.as_deref());
        match created {
            Ok(()) => {
                super::settle(client, name, |topic| topic.error_code == 0).await;
                tell(result, "created", as_json)?;
            }
            Err(Failure::Refused { error: ResponseError::TopicAlreadyExists, .. }) if options.if_not_exists => {
                tell(result, "there already", as_json)?;
            }
            Err(failure) => {
                let keys = options.config.iter().map(|(key, _)| key.as_str());
                failures.push(settings::with_hint(failure.into(), keys));
            }
        }
    }
    Ok(super::outcome(&failures))
}

fn tell(result: &CreatableTopicResult, what: &str, as_json: bool) -> anyhow::Result<()> {
    let (name, partitions) = (result.name.as_str(), result.num_partitions);
    let is_new = result.error_code == 0;
    if as_json {
        let known = (is_new && partitions >= 0).then_some((partitions, result.replication_factor));
        let id = TopicId::from_uuid(result.topic_id).map(|id| id.to_string());
        return output::json(&json!({
            "name": name,
            "created": is_new,
            "id": id,
            "partitions": known.map(|(partitions, _)| partitions),
            "replication_factor": known.map(|(_, replicas)| replicas),
        }));
    }
    match is_new && partitions >= 0 {
        true => output::line(format_args!("{name}  {what}, {}", output::count(partitions, "partition"))),
        false => output::line(format_args!("{name}  {what}")),
    }
}
