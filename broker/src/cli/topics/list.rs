//! `cutaway topics list`.

use std::process::ExitCode;

use cutaway::names::TopicId;
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use serde_json::json;

use super::options::ListOptions;
use super::settings;
use crate::cli::client::{Client, name_of};
use crate::cli::output;

/// Prints name, partitions and replicas of every topic.
pub(super) async fn run(client: &mut Client, options: &ListOptions, as_json: bool) -> anyhow::Result<ExitCode> {
    let MetadataResponse { topics, brokers, .. } = client.metadata(None, false).await?;
    let shown: Vec<_> = topics.iter().filter(|topic| options.internal || !topic.is_internal).collect();
    if as_json {
        shown.iter().try_for_each(|topic| output::json(&as_value(topic)))?;
        return Ok(ExitCode::SUCCESS);
    }
    if shown.is_empty() {
        anstream::eprintln!("there are no topics yet; make one with: cutaway topics create NAME");
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 3]> = shown
        .iter()
        .map(|topic| [name_of(topic).to_owned(), topic.partitions.len().to_string(), replicas(topic).to_string()])
        .collect();
    let is_simulated = settings::are_nodes_simulated(client, &brokers).await;
    let replicas = if is_simulated { "SIMULATED REPLICAS" } else { "REPLICAS" };
    output::table(["TOPIC", "PARTITIONS", replicas], &rows)?;
    Ok(ExitCode::SUCCESS)
}

/// A topic as JSON.
fn as_value(topic: &MetadataResponseTopic) -> serde_json::Value {
    json!({
        "name": name_of(topic),
        "id": topic_id(topic),
        "partitions": topic.partitions.len(),
        "replication_factor": replicas(topic),
        "internal": topic.is_internal,
    })
}

/// A topic's id as Kafka prints it; `None` from brokers that give none.
pub(super) fn topic_id(topic: &MetadataResponseTopic) -> Option<String> {
    TopicId::from_uuid(topic.topic_id).map(|id| id.to_string())
}

/// On how many brokers each record is kept.
pub(super) fn replicas(topic: &MetadataResponseTopic) -> usize {
    topic.partitions.first().map_or(0, |partition| partition.replica_nodes.len())
}
