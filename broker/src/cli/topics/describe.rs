//! `cutaway topics describe`: what there is to know of a topic, and where to look next.

use std::collections::BTreeMap;
use std::process::ExitCode;

use kafka_protocol::messages::metadata_response::{MetadataResponse, MetadataResponseTopic};
use kafka_protocol::messages::{ApiKey, BrokerId, DescribeLogDirsRequest};
use serde::Serialize;

use super::options::DescribeOptions;
use super::settings::{self, Setting};
use super::{disk_place, list};
use crate::cli::banner::{detail, shell_word};
use crate::cli::client::{Client, EARLIEST, Failure, LATEST, Offsets, check, name_of};
use crate::cli::output;

/// A topic.
#[derive(Debug, Serialize)]
struct Described {
    name: String,
    id: Option<String>,
    internal: bool,
    replication_factor: usize,
    /// The replicas are shown by the nodes of one process, which has one copy.
    simulated: bool,
    partitions: Vec<Partition>,
    /// What is not the default.
    settings: Vec<Setting>,
    /// On this machine, where that is known.
    folder: Option<String>,
}

/// One of its partitions.
#[derive(Debug, Serialize)]
struct Partition {
    partition: i32,
    leader: i32,
    replicas: Vec<i32>,
    in_sync: Vec<i32>,
    start_offset: Option<i64>,
    end_offset: Option<i64>,
    size_bytes: Option<i64>,
}

impl Partition {
    /// Records by their offsets: compaction and transactions leave fewer.
    fn records(&self) -> Option<i64> {
        Some(self.end_offset? - self.start_offset?)
    }
}

/// Describes them one after another.
pub(super) async fn run(client: &mut Client, options: &DescribeOptions, as_json: bool) -> anyhow::Result<ExitCode> {
    let metadata = client.metadata(Some(&options.names), false).await?;
    let mut failures = Vec::new();
    for (index, topic) in metadata.topics.iter().enumerate() {
        match described(client, &metadata, topic, options).await {
            Ok(described) if as_json => output::json(&described)?,
            Ok(described) => {
                if index > 0 {
                    output::line("")?;
                }
                show(&described)?;
            }
            Err(failure) => failures.push(super::told(client, name_of(topic), failure).await),
        }
    }
    Ok(super::outcome(&failures))
}

async fn described(
    client: &mut Client,
    metadata: &MetadataResponse,
    topic: &MetadataResponseTopic,
    options: &DescribeOptions,
) -> Result<Described, Failure> {
    let name = name_of(topic);
    check(&format!("{name} is not described"), topic.error_code, None)?;
    let starts = client.offsets(topic, EARLIEST, false).await?;
    let ends = client.offsets(topic, LATEST, false).await?;
    // Where a leader does not say, the rest is still worth showing.
    let offset = |offsets: &Offsets, partition: i32| offsets.get(&partition).and_then(|offset| offset.clone().ok());
    let sizes = sizes(client, topic).await?;
    let ids = |nodes: &[BrokerId]| nodes.iter().map(|node| node.0).collect();
    let partition = |it: &kafka_protocol::messages::metadata_response::MetadataResponsePartition| Partition {
        partition: it.partition_index,
        leader: it.leader_id.0,
        replicas: ids(&it.replica_nodes),
        in_sync: ids(&it.isr_nodes),
        start_offset: offset(&starts, it.partition_index),
        end_offset: offset(&ends, it.partition_index),
        size_bytes: sizes.get(&it.partition_index).copied(),
    };
    let first = topic.partitions.first().map_or(0, |partition| partition.partition_index);
    let folder = disk_place::find(&options.folder, metadata.cluster_id.as_deref(), name, first).await;
    Ok(Described {
        name: name.to_owned(),
        id: list::topic_id(topic),
        internal: topic.is_internal,
        replication_factor: list::replicas(topic),
        simulated: settings::are_nodes_simulated(client, &metadata.brokers).await,
        partitions: topic.partitions.iter().map(partition).collect(),
        settings: settings::of_topic(client, name).await?,
        folder: folder.map(|folder| shell_word(&folder)),
    })
}

/// Bytes of each partition at its leader, where brokers tell (DescribeLogDirs).
async fn sizes(client: &mut Client, topic: &MetadataResponseTopic) -> Result<BTreeMap<i32, i64>, Failure> {
    let mut found = BTreeMap::new();
    if !client.offers(ApiKey::DescribeLogDirs).await? {
        return Ok(found);
    }
    let mut leaders: Vec<i32> = topic.partitions.iter().map(|it| it.leader_id.0).filter(|id| *id >= 0).collect();
    leaders.sort_unstable();
    leaders.dedup();
    for leader in leaders {
        let answer = client.ask_node(leader, 1..=4, &DescribeLogDirsRequest::default().with_topics(None)).await?;
        let told = answer.results.into_iter().flat_map(|folder| folder.topics);
        let partitions = told.filter(|it| it.name.as_str() == name_of(topic)).flat_map(|it| it.partitions);
        let leads =
            |index: i32| topic.partitions.iter().any(|it| it.partition_index == index && it.leader_id.0 == leader);
        let current = partitions.filter(|it| !it.is_future_key && leads(it.partition_index));
        found.extend(current.map(|it| (it.partition_index, it.partition_size)));
    }
    Ok(found)
}

fn show(topic: &Described) -> anyhow::Result<()> {
    output::line(&topic.name)?;
    let field = |label: &str, value: String| output::line(format_args!("  {}", detail(label, value)));
    if let Some(id) = &topic.id {
        field("id", id.clone())?;
    }
    let replicas = topic.replication_factor;
    let copies = match (topic.simulated, replicas) {
        (true, _) => ", simulated: the nodes are one process, which keeps one copy of each record",
        (false, 1) => ": each record is kept on one broker",
        (false, _) => "",
    };
    field("replicas", format!("{replicas}{copies}"))?;
    let records: Option<i64> = topic.partitions.iter().map(Partition::records).sum();
    field("records", records.map_or("not known".into(), |records| format!("{records}, counted by offsets")))?;
    let size: Option<i64> = topic.partitions.iter().map(|partition| partition.size_bytes).sum();
    if let Some(size) = size.and_then(|size| u64::try_from(size).ok()) {
        field("size", output::bytes(size))?;
    }
    if let Some(folder) = &topic.folder {
        field("folder", folder.clone())?;
        field("look", format!("ls -l {folder}"))?;
    }
    output::line("")?;
    show_partitions(&topic.partitions, topic.simulated)?;
    output::line("")?;
    if topic.settings.is_empty() {
        return output::line("every setting is the default");
    }
    let rows: Vec<[String; 4]> = topic.settings.iter().map(setting_row).collect();
    output::table(["SETTING", "VALUE", "SET BY", "DEFAULT"], &rows)
}

fn show_partitions(partitions: &[Partition], is_simulated: bool) -> anyhow::Result<()> {
    let known = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
    let list = |ids: &[i32]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let size = |bytes: Option<i64>| bytes.and_then(|bytes| u64::try_from(bytes).ok()).map_or("-".into(), output::bytes);
    let row = |it: &Partition| {
        let leader = if it.leader < 0 { "none".to_owned() } else { it.leader.to_string() };
        [
            it.partition.to_string(),
            leader,
            known(it.start_offset),
            known(it.end_offset),
            known(it.records()),
            size(it.size_bytes),
            list(&it.replicas),
            list(&it.in_sync),
        ]
    };
    let rows: Vec<_> = partitions.iter().map(row).collect();
    let replicas = if is_simulated { "SIMULATED REPLICAS" } else { "REPLICAS" };
    output::table(["PARTITION", "LEADER", "START", "END", "RECORDS", "SIZE", replicas, "IN SYNC"], &rows)
}

fn setting_row(setting: &Setting) -> [String; 4] {
    let shown = |value: &Option<String>, none: &str| value.clone().unwrap_or_else(|| none.to_owned());
    [setting.key.clone(), shown(&setting.value, "(hidden)"), setting.set_by.clone(), shown(&setting.default, "-")]
}
