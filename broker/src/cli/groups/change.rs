//! `cutaway groups delete` and `delete-offsets`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::bail;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::{DeleteGroupsRequest, GroupId, OffsetDeleteRequest};
use serde_json::json;

use super::find::{find, missing};
use super::options::{DeleteOffsetsOptions, DeleteOptions, Wanted};
use crate::cli::client::{Client, check, name_of, text, topic_name};
use crate::cli::confirm::confirm;
use crate::cli::output;

/// Deletes them one after another, if they all are there.
pub(super) async fn delete(client: &mut Client, options: &DeleteOptions, as_json: bool) -> anyhow::Result<ExitCode> {
    let (mut failures, mut nodes) = (Vec::new(), Vec::new());
    for name in &options.names {
        let found = find(client, name).await?;
        if found.is_missing() {
            failures.push(missing(client, name).await);
        }
        nodes.push(found.node);
    }
    if !failures.is_empty() {
        return Ok(super::outcome(&failures));
    }
    let all = options.names.join(", ");
    let deed = format!("delete {all} with all that is committed");
    // Asked on another thread: Ctrl-C must end the question.
    let asks = move || confirm(&format!("Delete {all} with all that is committed?"), &deed);
    if !options.yes && !tokio::task::spawn_blocking(asks).await?? {
        bail!("nothing was deleted");
    }
    for (name, node) in options.names.iter().zip(nodes) {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(name))]);
        let answer = client.ask_node(node, 0..=2, &request).await?;
        let code = answer.results.first().map_or(0, |result| result.error_code);
        match check(&format!("{name} is not deleted"), code, None) {
            Ok(()) if as_json => output::json(&json!({ "group": name, "deleted": true }))?,
            Ok(()) => output::line(format_args!("{name}  deleted"))?,
            Err(failure) => failures.push(failure.into()),
        }
    }
    Ok(super::outcome(&failures))
}

/// Forgets what is committed for topics.
pub(super) async fn delete_offsets(
    client: &mut Client,
    options: &DeleteOffsetsOptions,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let name = &options.name;
    let found = find(client, name).await?;
    if found.is_missing() {
        return Ok(super::outcome(&[missing(client, name).await]));
    }
    let topics = wanted_partitions(client, &options.topic).await?;
    let topic = |(topic, partitions): (&String, &Vec<i32>)| {
        let partition = |index: &i32| OffsetDeleteRequestPartition::default().with_partition_index(*index);
        OffsetDeleteRequestTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(partitions.iter().map(partition).collect())
    };
    let request = OffsetDeleteRequest::default()
        .with_group_id(GroupId(text(name)))
        .with_topics(topics.iter().map(topic).collect());
    let answer = client.ask_node(found.node, 0..=0, &request).await?;
    check(&format!("offsets of {name} are not deleted"), answer.error_code, None)?;
    let mut failures = Vec::new();
    for topic in answer.topics {
        for partition in topic.partitions {
            let (topic, index) = (topic.name.as_str(), partition.partition_index);
            match check(&format!("{topic} [{index}] of {name} is not forgotten"), partition.error_code, None) {
                Ok(()) if as_json => {
                    output::json(&json!({ "group": name, "topic": topic, "partition": index, "deleted": true }))?;
                }
                Ok(()) => output::line(format_args!("{topic} [{index}]  forgotten"))?,
                Err(failure) => failures.push(failure.into()),
            }
        }
    }
    Ok(super::outcome(&failures))
}

/// The partitions that are meant, of topics that must be there.
pub(super) async fn wanted_partitions(
    client: &mut Client,
    wanted: &[Wanted],
) -> anyhow::Result<BTreeMap<String, Vec<i32>>> {
    let mut partitions: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for one in wanted {
        let topic = client.topic(&one.topic, false).await?;
        check(&format!("the partitions of {} are not known", one.topic), topic.error_code, None)?;
        let own = partitions.entry(one.topic.clone()).or_default();
        own.extend(if one.partitions.is_empty() { all_of(&topic) } else { some_of(&topic, &one.partitions)? });
        own.sort_unstable();
        own.dedup();
    }
    Ok(partitions)
}

fn all_of(topic: &MetadataResponseTopic) -> Vec<i32> {
    topic.partitions.iter().map(|partition| partition.partition_index).collect()
}

fn some_of(topic: &MetadataResponseTopic, wanted: &[i32]) -> anyhow::Result<Vec<i32>> {
    let all = all_of(topic);
    if let Some(missing) = wanted.iter().find(|index| !all.contains(index)) {
        bail!("{} has no partition {missing}: it has {}", name_of(topic), output::count(all.len(), "partition"));
    }
    Ok(wanted.to_vec())
}
