//! Topics that a real Kafka wrote, taken over by `cutaway topics adopt`: served as Kafka served them, transactions included.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::ensure;
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::{Broker, Launch, binary};
use cutaway_tests::client::Client;
use cutaway_tests::folders;
use cutaway_tests::kafka::RealKafka;
use cutaway_tests::patience;
use cutaway_tests::talk::{Talk, differences};
use cutaway_tests::transactional::TransactionalProducer;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{DescribeProducersRequest, FetchRequest, ListOffsetsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use serde_json::Value;

/// A few records of this size fill one of Kafka's smallest segments.
const LARGE: usize = 300_000;

fn adopt(arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(binary()?);
    Ok(command.args(["topics", "adopt"]).args(arguments).stdin(Stdio::null()).output()?)
}

/// What it printed as JSON, a topic a line.
fn adopted(from: &Path, data: &Path, more: &[&str]) -> anyhow::Result<Vec<Value>> {
    let (from, data) = (from.to_string_lossy(), data.to_string_lossy());
    let output = adopt(&[&[&*from, "--data", &*data, "--json"], more].concat())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout)?;
    printed.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// What it said when it refused.
fn refusal(arguments: &[&str]) -> anyhow::Result<String> {
    let output = adopt(arguments)?;
    ensure!(!output.status.success(), "{arguments:?} was not refused");
    Ok(String::from_utf8(output.stderr)?)
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// Transactions that commit, abort, overlap and stay open, over several segments.
fn write_transactions(kafka: &RealKafka, topic: &str) -> anyhow::Result<()> {
    let large = "x".repeat(LARGE);
    let mut client = Client::connect(kafka.bootstrap())?;
    let start = |id: &str| TransactionalProducer::start(kafka.bootstrap(), id);
    let (mut first, mut second, mut third, mut fourth) = (start("a")?, start("b")?, start("c")?, start("d")?);
    first.write(topic, "committed")?;
    first.end(true)?;
    second.write(topic, &large)?;
    first.write(topic, &large)?;
    first.end(false)?;
    client.produce(topic, 0, Batch::default().bytes())?;
    third.write(topic, &large)?;
    third.write(topic, &large)?;
    second.write(topic, &large)?;
    second.end(false)?;
    third.end(false)?;
    first.write(topic, &large)?;
    first.end(true)?;
    // Whatever was ended is ended in the log before the last one begins.
    patience::until("five markers", || Ok(client.end_offset(topic, 0)? == Ok(13)))?;
    fourth.write(topic, "open")?;
    client.produce(topic, 0, Batch::default().bytes())?;
    Ok(())
}

/// Asks for everything that depends on transactions, from every offset.
fn hold(talk: &mut Talk, topic: &str) -> anyhow::Result<()> {
    for isolation in [0, 1] {
        for offset in 0..=16 {
            for max_bytes in [1, 400_000, 1 << 20] {
                let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(max_bytes);
                let wanted = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
                let request = FetchRequest::default()
                    .with_max_bytes(1 << 24)
                    .with_isolation_level(isolation)
                    .with_topics(vec![wanted]);
                talk.ask(&format!("fetch {max_bytes} from {offset}, isolation {isolation}"), 11, &request)?;
            }
        }
        for timestamp in [-1, -2, -3, 0, 1_700_000_000_000, i64::MAX] {
            let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
            let wanted = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
            let request = ListOffsetsRequest::default().with_isolation_level(isolation).with_topics(vec![wanted]);
            let step = format!("offset of {timestamp}, isolation {isolation}");
            // Each start of ours is a leader epoch of its own.
            talk.ask_and_tidy(&step, 7, &request, |answer| {
                if timestamp == -1 {
                    answer["topics"][0]["partitions"][0]["leaderEpoch"] = Value::Null;
                }
            })?;
        }
    }
    let wanted = TopicRequest::default().with_name(name(topic)).with_partition_indexes(vec![0]);
    talk.ask_and_tidy("producers", 0, &DescribeProducersRequest::default().with_topics(vec![wanted]), |answer| {
        let producers = answer["topics"][0]["partitions"][0]["activeProducers"].as_array_mut();
        producers.expect("a list").sort_by_key(|producer| producer["producerId"].as_i64());
    })
}

fn files_ending(dir: &Path, suffix: &str) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(suffix) {
            files.push((name, std::fs::read(entry.path())?));
        }
    }
    files.sort();
    Ok(files)
}

/// The producers in a snapshot, which Kafka writes in no order.
fn producers(snapshot: &[u8]) -> BTreeSet<&[u8]> {
    snapshot[10..].chunks(46).collect()
}

#[test]
fn a_topic_of_kafka_with_transactions_is_served_as_kafka_served_it() -> anyhow::Result<()> {
    let Some(mut kafka) = RealKafka::start(&[])? else { return Ok(()) };
    let mut client = Client::connect(kafka.bootstrap())?;
    client.create_topic("mixed", 1, &[("segment.bytes", "1048576")])?;
    write_transactions(&kafka, "mixed")?;
    let mut by_kafka = Talk::with(kafka.bootstrap())?;
    hold(&mut by_kafka, "mixed")?;
    let said = refusal(&[&*kafka.data_dir().to_string_lossy(), "--data", "/nowhere/data"])?;
    ensure!(said.contains("a broker is using") && said.contains("stop it first"), "{said}");
    kafka.stop()?;

    let folder = folders::in_memory();
    let data = folder.path().join("data");
    let topics = adopted(&kafka.data_dir(), &data, &[])?;
    ensure!(topics.len() == 1 && topics[0]["name"] == "mixed", "{topics:?}");
    let partition = &topics[0]["partitions"][0];
    ensure!(partition["aborted_transactions"] == 3 && partition["findings"] == Value::Array(vec![]), "{partition}");
    ensure!(partition["open_transactions"][0]["first_offset"] == 13, "{partition}");
    let (theirs, ours) = (kafka.data_dir().join("mixed-0"), data.join("mixed-0"));
    assert_eq!(files_ending(&theirs, ".txnindex")?, files_ending(&ours, ".txnindex")?);
    let (left, right) = (files_ending(&theirs, ".snapshot")?, files_ending(&ours, ".snapshot")?);
    let described = |files: &[(String, Vec<u8>)]| -> Vec<(String, BTreeSet<Vec<u8>>)> {
        let owned = |bytes: &[u8]| producers(bytes).into_iter().map(<[u8]>::to_vec).collect();
        files.iter().map(|(name, bytes)| (name.clone(), owned(bytes))).collect()
    };
    assert_eq!(described(&left), described(&right));

    let broker = Broker::launch(Launch { folder: Some(data), ..Launch::default() })?;
    let mut by_us = Talk::with(broker.bootstrap())?;
    hold(&mut by_us, "mixed")?;
    let differences = differences(&by_kafka.steps(), &by_us.steps());
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    // What is written now carries a later leader epoch than everything that Kafka wrote.
    let mut client = Client::connect(broker.bootstrap())?;
    ensure!(client.produce("mixed", 0, Batch::default().bytes())?.error_code == 0, "a record is refused");
    let batch = &client.fetch_all_from("mixed", 0, 15)?[0];
    let epoch = i32::from_be_bytes(batch[12..16].try_into()?);
    ensure!(epoch > 0, "the leader epoch is {epoch}");
    Ok(())
}

#[test]
fn the_command_tells_what_it_took_and_what_it_left() -> anyhow::Result<()> {
    let folder = folders::in_memory();
    let (theirs, ours) = (folder.path().join("theirs"), folder.path().join("ours"));
    let mut broker = Broker::launch(Launch { folder: Some(theirs.clone()), ..Launch::default() })?;
    let mut client = Client::connect(broker.bootstrap())?;
    client.create_topic("orders", 2, &[])?;
    client.produce("orders", 1, Batch::default().bytes())?;
    let (from, to) = (theirs.to_string_lossy().into_owned(), ours.to_string_lossy().into_owned());
    ensure!(refusal(&[&from, "--data", &to])?.contains("stop it first"), "a broker is running there");
    broker.stop()?;
    std::fs::create_dir(theirs.join("__consumer_offsets-0"))?;
    let output = adopt(&[&from, "--data", &to, "--topic-config", "retention.ms=-1"])?;
    let (told, printed) = (String::from_utf8(output.stderr)?, String::from_utf8(output.stdout)?);
    ensure!(output.status.success(), "{told}");
    ensure!(told.contains("__consumer_offsets is left out"), "{told}");
    ensure!(told.contains(&format!("this serves them: cutaway --data {to}")), "{told}");
    assert_eq!(
        printed,
        "orders  adopted, 2 partitions\n  orders-0  offsets 0 to 0, 0 bytes\n  orders-1  offsets 0 to 1, 70 bytes\n"
    );
    let own = refusal(&[&to, "--data", &to])?;
    ensure!(own.contains("is the data folder itself"), "{own}");
    let again = refusal(&[&from, "--data", &to])?;
    ensure!(again.contains("nothing was adopted: Topic 'orders' already exists."), "{again}");

    let broker = Broker::launch(Launch { folder: Some(ours), ..Launch::default() })?;
    ensure!(refusal(&[&from, "--data", &to])?.contains("a broker is running on"), "a broker is running here");
    let mut client = Client::connect(broker.bootstrap())?;
    ensure!(client.end_offset("orders", 1)? == Ok(1), "the record is not there");
    Ok(())
}
