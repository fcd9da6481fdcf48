//! The topic that keeps groups and offsets does not grow without bound, and what counts of it outlives that.

use std::path::Path;

use anyhow::{Context, ensure};
use cutaway_tests::broker::Broker;
use cutaway_tests::client::Client;
use cutaway_tests::kafka::{self, dump_log};
use cutaway_tests::patience;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{
    GroupId, IncrementalAlterConfigsRequest, OffsetCommitRequest, OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

const TOPIC: &str = "read";
pub(crate) const PARTITIONS: i32 = 8;
const GROUPS: usize = 20;
/// About a kilobyte with each commit, so that a segment is soon full.
const METADATA_BYTES: usize = 1000;
const SEGMENT_BYTES: u64 = 1024 * 1024;

#[test]
fn the_topic_of_offsets_is_compacted_and_loses_nothing() -> anyhow::Result<()> {
    let mut broker = Broker::start(&[
        "--quiet",
        "--override",
        "offsets.topic.num.partitions=1",
        "--override",
        "offsets.topic.segment.bytes=1048576",
    ])?;
    let mut client = Client::connect(broker.bootstrap())?;
    ensure!(client.create_topic(TOPIC, PARTITIONS, &[])? == 0, "no topic");
    let folder = broker.data_dir().join("__consumer_offsets-0");
    let (mut rounds, mut written) = (0, 0);
    let mut largest = 0;
    // What counts takes 160 KB; so much is committed that it would be ten segments.
    while written < 10 * SEGMENT_BYTES {
        rounds += 1;
        commit_everything(&mut client, rounds)?;
        written += (GROUPS * METADATA_BYTES) as u64 * u64::try_from(PARTITIONS)?;
        largest = largest.max(log_bytes(&folder)?);
    }
    ensure!(largest < 4 * SEGMENT_BYTES, "{largest} bytes at its largest, {written} written");
    patience::until("what was compacted to be removed", || Ok(first_segment(&folder)? > 0))?;
    check_everything(&mut client, rounds)?;

    if kafka::is_installed()? {
        kafkas_tool_reads(&folder)?;
    }
    broker.stop()?;
    broker.restart()?;
    check_everything(&mut Client::connect(broker.bootstrap())?, rounds)?;
    broker.kill()?;
    broker.restart()?;
    let mut client = Client::connect(broker.bootstrap())?;
    check_everything(&mut client, rounds)?;
    // And it goes on from there.
    commit_everything(&mut client, rounds + 1)?;
    check_everything(&mut client, rounds + 1)
}

/// What a start could not read may be read by the next one: it is not thrown away meanwhile.
#[test]
fn what_could_not_be_read_is_not_compacted() -> anyhow::Result<()> {
    for is_damaged in [false, true] {
        let mut broker = Broker::start(&["--quiet", "--override", "offsets.topic.num.partitions=1"])?;
        let mut client = Client::connect(broker.bootstrap())?;
        ensure!(client.create_topic(TOPIC, PARTITIONS, &[])? == 0, "no topic");
        for round in 1..=15 {
            commit_everything(&mut client, round)?;
        }
        roll_at(&mut client, SEGMENT_BYTES)?;
        broker.stop()?;
        let folder = broker.data_dir().join("__consumer_offsets-0");
        let log = folder.join("00000000000000000000.log");
        let mut bytes = std::fs::read(&log)?;
        ensure!(bytes.len() as u64 > 2 * SEGMENT_BYTES, "{} bytes", bytes.len());
        if is_damaged {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&log, &bytes)?;
        }
        broker.restart()?;
        let mut client = Client::connect(broker.bootstrap())?;
        // Whole segments more, which with all that was there before would be reason enough.
        for round in 16..=30 {
            commit_everything(&mut client, round)?;
        }
        if is_damaged {
            ensure!(std::fs::read(&log)?.starts_with(&bytes), "the damaged file is as it was");
            ensure!(broker.log().contains("are not known"), "{}", broker.log());
        } else {
            patience::until("what is over to be removed", || Ok(first_segment(&folder)? > 0))?;
        }
        check_everything(&mut client, 30)?;
    }
    Ok(())
}

/// Gives the topic of offsets segments of this size.
fn roll_at(client: &mut Client, segment_bytes: u64) -> anyhow::Result<()> {
    let set = AlterableConfig::default()
        .with_name(text("segment.bytes".into()))
        .with_value(Some(text(segment_bytes.to_string())));
    let topic = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("__consumer_offsets".into()))
        .with_configs(vec![set]);
    let answer = client.ask(1, &IncrementalAlterConfigsRequest::default().with_resources(vec![topic]))?;
    ensure!(answer.responses.iter().all(|one| one.error_code == 0), "{answer:?}");
    Ok(())
}

/// Each group commits an offset for each partition.
fn commit_everything(client: &mut Client, offset: i64) -> anyhow::Result<()> {
    for group in 0..GROUPS {
        let code = commit(client, TOPIC, group, offset)?;
        ensure!(code == 0, "a commit is refused with error {code}");
    }
    Ok(())
}

/// A group commits an offset for each partition; gives the error code.
pub(crate) fn commit(client: &mut Client, topic: &str, group: usize, offset: i64) -> anyhow::Result<i16> {
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("x".repeat(METADATA_BYTES))))
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(topic.into())))
        .with_partitions((0..PARTITIONS).map(partition).collect());
    let commit = OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    let answer = client.ask(7, &commit)?;
    let codes: Vec<i16> = answer.topics[0].partitions.iter().map(|one| one.error_code).collect();
    ensure!(codes.iter().all(|code| *code == codes[0]), "one commit, one outcome: {codes:?}");
    Ok(codes[0])
}

/// What a group has committed for each partition.
pub(crate) fn committed(client: &mut Client, group: usize) -> anyhow::Result<Vec<i64>> {
    let answer = client.ask(5, &OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(None))?;
    let topic = answer.topics.first().context("nothing is committed")?;
    Ok(topic.partitions.iter().map(|one| one.committed_offset).collect())
}

fn check_everything(client: &mut Client, offset: i64) -> anyhow::Result<()> {
    for group in 0..GROUPS {
        let committed = committed(client, group)?;
        ensure!(committed == [offset; PARTITIONS as usize], "group {group}: {committed:?}, not {offset}");
    }
    Ok(())
}

/// `kafka-dump-log --offsets-decoder` finds commits in every file, and nothing wrong.
fn kafkas_tool_reads(folder: &Path) -> anyhow::Result<()> {
    let logs: Vec<_> = logs(folder)?.into_iter().map(|(_, path)| path).collect();
    let paths: Vec<&Path> = logs.iter().map(std::path::PathBuf::as_path).collect();
    let dump = dump_log(&paths, &["--offsets-decoder"])?;
    let output = String::from_utf8_lossy(&dump.stdout);
    ensure!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let commits = output.matches("\"offset\":").count();
    ensure!(commits >= GROUPS * PARTITIONS as usize, "{commits} commits in:\n{output}");
    ensure!(!output.contains("isvalid: false"), "a batch is not valid");
    Ok(())
}

fn log_bytes(folder: &Path) -> anyhow::Result<u64> {
    logs(folder)?.iter().map(|(_, path)| Ok(path.metadata().map_or(0, |metadata| metadata.len()))).sum()
}

/// The offset with which the earliest segment begins.
pub(crate) fn first_segment(folder: &Path) -> anyhow::Result<i64> {
    logs(folder)?.into_iter().map(|(base_offset, _)| base_offset).min().context("there is no segment")
}

fn logs(folder: &Path) -> anyhow::Result<Vec<(i64, std::path::PathBuf)>> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "log") {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).context("a name")?;
            logs.push((stem.parse()?, path));
        }
    }
    Ok(logs)
}

fn group_id(index: usize) -> GroupId {
    GroupId(text(format!("group-{index}")))
}

fn text(text: String) -> StrBytes {
    StrBytes::from_string(text)
}
