//! `cutaway topics delete`: asks first.

use std::process::ExitCode;

use anyhow::bail;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::DeleteTopicsRequest;
use serde_json::json;

use super::options::DeleteOptions;
use crate::cli::client::{Client, TIMEOUT_MS, check, name_of, topic_name};
use crate::cli::confirm::confirm;
use crate::cli::output;

/// Deletes them with one request, if they all are there.
pub(super) async fn run(client: &mut Client, options: &DeleteOptions, as_json: bool) -> anyhow::Result<ExitCode> {
    let there = client.metadata(Some(&options.names), false).await?;
    let missing = there.topics.iter().filter(|topic| topic.error_code == ResponseError::UnknownTopicOrPartition.code());
    let missing: Vec<String> = missing.map(|topic| name_of(topic).to_owned()).collect();
    let mut failures = Vec::new();
    for name in &missing {
        failures.push(super::missing(client, name).await);
    }
    if !failures.is_empty() {
        return Ok(super::outcome(&failures));
    }
    let all = options.names.join(", ");
    // Asked on another thread: Ctrl-C must end the question.
    let asks = move || confirm(&format!("Delete {all} with all records?"), &format!("delete {all} with all records"));
    if !options.yes && !tokio::task::spawn_blocking(asks).await?? {
        bail!("nothing was deleted");
    }
    let names = options.names.iter().map(|name| topic_name(name)).collect();
    let request = DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(TIMEOUT_MS);
    // From version 6 on topics may be meant by their ids, and are written otherwise.
    let answer = client.ask(1..=5, &request).await?;
    for result in &answer.responses {
        let name = result.name.as_ref().map_or("", |name| name.as_str());
        if result.error_code == 0 {
            super::settle(client, name, |topic| topic.error_code != 0).await;
        }
        match check(&format!("{name} is not deleted"), result.error_code, result.error_message.as_deref()) {
            Ok(()) if as_json => output::json(&json!({ "name": name, "deleted": true }))?,
            Ok(()) => output::line(format_args!("{name}  deleted"))?,
            Err(failure) => failures.push(failure.into()),
        }
    }
    Ok(super::outcome(&failures))
}
