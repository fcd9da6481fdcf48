//! `cutaway topics alter`: more partitions, other settings.

use std::process::ExitCode;

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{CreatePartitionsRequest, IncrementalAlterConfigsRequest};
use serde_json::json;

use super::options::AlterOptions;
use super::settings::{self, TOPIC_RESOURCE};
use crate::cli::client::{Client, Failure, TIMEOUT_MS, check, text, topic_name};
use crate::cli::output;

/// `AlterConfigOp.OpType`.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// Settings first, all or none of them; then partitions.
pub(super) async fn run(client: &mut Client, options: &AlterOptions, as_json: bool) -> anyhow::Result<ExitCode> {
    let name = &options.name;
    let mut done = Vec::new();
    if !options.config.is_empty() || !options.unset.is_empty() {
        if let Err(failure) = alter_settings(client, options).await {
            let error = super::told(client, name, failure).await;
            let keys =
                options.config.iter().map(|(key, _)| key.as_str()).chain(options.unset.iter().map(String::as_str));
            return Err(settings::with_hint(error, keys));
        }
        done.extend(options.config.iter().map(|(key, value)| format!("{key} is {value}")));
        done.extend(options.unset.iter().map(|key| format!("{key} is the default again")));
    }
    if let Some(count) = options.partitions {
        if let Err(failure) = create_partitions(client, name, count).await {
            if !done.is_empty() {
                anstream::eprintln!("{name}: {}; but the partitions are as before", done.join(", "));
            }
            return Err(super::told(client, name, failure).await);
        }
        let expected = usize::try_from(count).unwrap_or(0);
        super::settle(client, name, |topic| topic.partitions.len() >= expected).await;
        done.push(output::count(count, "partition"));
    }
    match as_json {
        true => {
            let set: serde_json::Map<_, _> =
                options.config.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            output::json(&json!({
                "name": name, "set": set, "unset": options.unset, "partitions": options.partitions,
            }))?;
        }
        false => output::line(format_args!("{name}  altered: {}", done.join(", ")))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn alter_settings(client: &mut Client, options: &AlterOptions) -> Result<(), Failure> {
    let set = options.config.iter().map(|(key, value)| {
        AlterableConfig::default().with_name(text(key)).with_config_operation(SET).with_value(Some(text(value)))
    });
    let unset = options
        .unset
        .iter()
        .map(|key| AlterableConfig::default().with_name(text(key)).with_config_operation(DELETE).with_value(None));
    let resource = AlterConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE)
        .with_resource_name(text(&options.name))
        .with_configs(set.chain(unset).collect());
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = client.ask(0..=1, &request).await?;
    let what = format!("the settings of {} are as before", options.name);
    answer.responses.iter().try_for_each(|result| check(&what, result.error_code, result.error_message.as_deref()))
}

async fn create_partitions(client: &mut Client, name: &str, count: i32) -> Result<(), Failure> {
    let topic = CreatePartitionsTopic::default().with_name(topic_name(name)).with_count(count).with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
    let answer = client.ask(0..=3, &request).await?;
    let what = format!("{name} has as many partitions as before");
    answer.results.iter().try_for_each(|result| check(&what, result.error_code, result.error_message.as_deref()))
}
