//! Kafka's own tools read the files that Cutaway writes, and Cutaway serves the files that Kafka wrote.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::{Broker, Launch};
use cutaway_tests::folders;
use cutaway_tests::kafka::{self, RealKafka, dump_log};
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{CreateTopicsRequest, FetchRequest, ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::crash::{reopen, write_folder};

/// kafka-dump-log with deep iteration finds fault with every segment that does not begin at offset 0, Kafka's own too.
const FALSE_ALARMS: [&str; 2] = ["Non-consecutive offsets in", "-1 is followed by"];

/// Every file of a partition that the tool reads, after the given ending.
fn dumpable(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
        if matches!(suffix, "log" | "index" | "timeindex" | "snapshot") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Runs the tool over a folder; returns how many batches it found good.
fn dump_without_complaint(dir: &Path) -> anyhow::Result<usize> {
    let files = dumpable(dir)?;
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let dump = dump_log(&paths, &["--deep-iteration", "--print-data-log"])?;
    let (output, errors) = (String::from_utf8_lossy(&dump.stdout), String::from_utf8_lossy(&dump.stderr));
    ensure!(dump.status.success(), "{errors}");
    for line in output.lines().chain(errors.lines()) {
        let complaint = ["ismatch", "not found", "invalid bytes", "out of order", "isvalid: false", "xception"];
        ensure!(!complaint.iter().any(|word| line.contains(word)), "{}: {line}", dir.display());
        let consecutive = !line.contains("followed by") || line.contains(FALSE_ALARMS[1]);
        ensure!(consecutive, "{}: {line}", dir.display());
    }
    Ok(output.lines().filter(|line| line.contains("isvalid: true")).count())
}

#[test]
fn kafkas_tool_reads_our_files_without_a_complaint() -> anyhow::Result<()> {
    if !kafka::is_installed()? {
        return Ok(());
    }
    let folder = folders::in_memory();
    for (name, clean) in [("stopped-0", true), ("killed-0", false)] {
        let dir = folder.path().join(name);
        let (model, recovery_point) = write_folder(&dir, 5, 60, clean);
        ensure!(dump_without_complaint(&dir)? == model.len(), "{name}: not every batch was found good");
        let mut log = reopen(&dir, clean, recovery_point);
        log.close()?;
        ensure!(dump_without_complaint(&dir)? == model.len(), "{name}, opened again");
    }
    // A torn tail is cut by recovery, and then nothing is left to complain about.
    let dir = folder.path().join("torn-0");
    let (model, recovery_point) = write_folder(&dir, 5, 60, false);
    let last = dumpable(&dir)?.into_iter().rfind(|file| file.extension().is_some_and(|suffix| suffix == "log"));
    let last = std::fs::OpenOptions::new().write(true).open(last.context("a log")?)?;
    last.set_len(last.metadata()?.len() - 9)?;
    reopen(&dir, false, recovery_point).close()?;
    ensure!(dump_without_complaint(&dir)? == model.len() - 1, "the torn batch is gone, all others are there");
    Ok(())
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn produce(talk: &mut Talk, topic: &str, batch: &Batch) -> anyhow::Result<()> {
    let partition = PartitionProduceData::default().with_index(0).with_records(Some(batch.bytes().into()));
    let topic = TopicProduceData::default().with_name(TopicName(text(topic))).with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![topic]);
    talk.learn_until(9, &request, |answer| answer["responses"][0]["partitionResponses"][0]["errorCode"] == 0)?;
    Ok(())
}

/// Everything in the partition, as the answer shows it.
fn fetch(talk: &mut Talk, topic: &str) -> anyhow::Result<serde_json::Value> {
    let partition = FetchPartition::default().with_fetch_offset(0).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(TopicName(text(topic))).with_partitions(vec![partition]);
    let request = FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![topic]);
    let answer = talk.learn(11, &request)?;
    Ok(answer["responses"][0]["partitions"][0].clone())
}

#[test]
fn we_serve_a_folder_that_kafka_wrote() -> anyhow::Result<()> {
    let Some(mut kafka) = RealKafka::start(&[])? else { return Ok(()) };
    let mut talk = Talk::with(kafka.bootstrap())?;
    let topic = CreatableTopic::default()
        .with_name(TopicName(text("paper")))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(vec![
            CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(Some(text("-1"))),
        ]);
    talk.learn(7, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000))?;
    for sequence in 0..5 {
        produce(&mut talk, "paper", &Batch::of_producer(4_000, 0, sequence))?;
    }
    let written = fetch(&mut talk, "paper")?;
    kafka.stop()?;

    let broker = Broker::launch(Launch { folder: Some(kafka.data_dir()), ..Launch::default() })?;
    let mut talk = Talk::with(broker.bootstrap())?;
    let served = fetch(&mut talk, "paper")?;
    for field in ["errorCode", "highWatermark", "logStartOffset", "records"] {
        assert_eq!(served[field], written[field], "{field}");
    }
    produce(&mut talk, "paper", &Batch::of_producer(4_000, 0, 5))?;
    assert_eq!(fetch(&mut talk, "paper")?["highWatermark"], 6);
    Ok(())
}
