//! `cutaway groups reset-offsets`: works out where a group is to go on, shows it, and with `--execute` commits it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use cutaway::storage::disk::Disk;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest};
use serde_json::json;

use super::change::wanted_partitions;
use super::find::find;
use super::options::{ResetOptions, WhereTo};
use crate::cli::client::{Client, Committed, EARLIEST, Failure, LATEST, check, text, topic_name};
use crate::cli::{output, say};

/// Shows, or does it.
pub(super) async fn run(client: &mut Client, options: &ResetOptions, as_json: bool) -> anyhow::Result<ExitCode> {
    let name = &options.name;
    let found = find(client, name).await?;
    if !found.group.members.is_empty() {
        let members = output::count(found.group.members.len(), "member");
        bail!("{name} has {members}, which would go on where they are; stop them first");
    }
    let before = client.committed(found.node, name).await?;
    let wanted = match &options.where_to.from_file {
        Some(file) => read(file)?,
        None => targets(client, options, &before).await?,
    };
    if let Some(file) = options.where_to.from_file.as_ref().filter(|_| wanted.is_empty()) {
        bail!("{} names no partition; a line of it is TOPIC,PARTITION,OFFSET", file.display());
    }
    if wanted.is_empty() {
        bail!("{name} has committed nothing yet; name topics with --topic");
    }
    let wanted = within(client, wanted).await?;
    if options.execute {
        commit(client, found.node, name, &wanted).await?;
    }
    for ((topic, partition), after) in &wanted {
        let was = before.get(&(topic.clone(), *partition)).copied();
        if as_json {
            let changed = options.execute;
            output::json(&json!({
                "group": name, "topic": topic, "partition": partition, "before": was, "after": after,
                "committed": changed,
            }))?;
        }
    }
    if !as_json {
        let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let row = |((topic, partition), after): (&(String, i32), &i64)| {
            let was = before.get(&(topic.clone(), *partition)).copied();
            [topic.clone(), partition.to_string(), number(was), after.to_string()]
        };
        let rows: Vec<[String; 4]> = wanted.iter().map(row).collect();
        output::table(["TOPIC", "PARTITION", "COMMITTED", "NEW"], &rows)?;
        if !options.execute {
            say("nothing is changed yet; add --execute to do it");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where each partition is to go on.
async fn targets(client: &mut Client, options: &ResetOptions, before: &Committed) -> anyhow::Result<Committed> {
    let partitions = match options.all_topics {
        true => by_topic(before),
        false => wanted_partitions(client, &options.topic).await?,
    };
    let mut targets = Committed::new();
    for (name, indexes) in partitions {
        let mut topic = client.topic(&name, false).await?;
        check(&format!("the offsets of {name} are not known"), topic.error_code, None)?;
        topic.partitions.retain(|partition| indexes.contains(&partition.partition_index));
        let ends = of_times(client, &topic, LATEST).await?;
        let found = match time_of(&options.where_to, client.clock().now_ms()) {
            Some(time) => of_times(client, &topic, time).await?,
            None => BTreeMap::new(),
        };
        for (index, end) in ends {
            let was = before.get(&(name.clone(), index)).copied();
            let target = match (options.where_to.to_offset, options.where_to.shift_by) {
                (Some(offset), _) => offset,
                (_, Some(shift)) => match was {
                    Some(was) => was.saturating_add(shift),
                    None => bail!("{name} [{index}] has no committed offset that could be shifted"),
                },
                // Where no record is that late, what comes next is.
                _ => found.get(&index).copied().filter(|offset| *offset >= 0).unwrap_or(end),
            };
            targets.insert((name.clone(), index), target);
        }
    }
    Ok(targets)
}

/// The time that is asked for, as ListOffsets has it.
fn time_of(where_to: &WhereTo, now_ms: i64) -> Option<i64> {
    let ago = where_to.by_duration.map(|ago| now_ms.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)));
    let named = where_to.to_earliest.then_some(EARLIEST).or(where_to.to_latest.then_some(LATEST));
    named.or(where_to.to_datetime).or(ago.map(|time| time.max(0)))
}

async fn of_times(
    client: &mut Client,
    topic: &MetadataResponseTopic,
    time: i64,
) -> Result<BTreeMap<i32, i64>, Failure> {
    client.offsets(topic, time, false).await?.into_iter().map(|(index, offset)| Ok((index, offset?))).collect()
}

/// Offsets outside of a partition become its nearest end: a consumer would not know where to go on.
async fn within(client: &mut Client, wanted: Committed) -> anyhow::Result<Committed> {
    let mut bounded = Committed::new();
    for (name, indexes) in by_topic(&wanted) {
        let mut topic = client.topic(&name, false).await?;
        check(&format!("the offsets of {name} are not known"), topic.error_code, None)?;
        topic.partitions.retain(|partition| indexes.contains(&partition.partition_index));
        let (starts, ends) = (of_times(client, &topic, EARLIEST).await?, of_times(client, &topic, LATEST).await?);
        for index in indexes {
            let (Some(start), Some(end)) = (starts.get(&index), ends.get(&index)) else {
                bail!("{name} has no partition {index}");
            };
            let offset = wanted[&(name.clone(), index)];
            if !(*start..=*end).contains(&offset) {
                say(format_args!(
                    "{name} [{index}] has no offset {offset}: it has {start} to {end}, and the nearest is taken"
                ));
            }
            bounded.insert((name.clone(), index), offset.clamp(*start, *end));
        }
    }
    Ok(bounded)
}

/// `TOPIC,PARTITION,OFFSET` a line, as kafka-consumer-groups exports it.
fn read(file: &Path) -> anyhow::Result<Committed> {
    let text = String::from_utf8(Disk::default().read(file)?).context("the file is not text")?;
    let mut wanted = Committed::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
        let parsed = match fields[..] {
            [topic, partition, offset] => partition.parse().ok().zip(offset.parse().ok()).map(|both| (topic, both)),
            _ => None,
        };
        let Some((topic, (partition, offset))) = parsed else {
            bail!("line {} of {} is not TOPIC,PARTITION,OFFSET: {line}", number + 1, file.display());
        };
        wanted.insert((topic.to_owned(), partition), offset);
    }
    Ok(wanted)
}

async fn commit(client: &mut Client, node: i32, name: &str, wanted: &Committed) -> Result<(), Failure> {
    let topic = |(topic, indexes): (String, Vec<i32>)| {
        let partition = |index: &i32| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(*index)
                .with_committed_offset(wanted[&(topic.clone(), *index)])
                .with_committed_metadata(Some(text("")))
        };
        let partitions = indexes.iter().map(partition).collect();
        OffsetCommitRequestTopic::default().with_name(topic_name(&topic)).with_partitions(partitions)
    };
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(name)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(by_topic(wanted).into_iter().map(topic).collect());
    let answer = client.ask_node(node, 2..=7, &request).await?;
    for topic in answer.topics {
        for partition in topic.partitions {
            let (topic, index) = (topic.name.as_str(), partition.partition_index);
            check(&format!("{topic} [{index}] of {name} is not committed"), partition.error_code, None)?;
        }
    }
    Ok(())
}

fn by_topic(offsets: &Committed) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    offsets.keys().for_each(|(topic, index)| topics.entry(topic.clone()).or_default().push(*index));
    topics
}
