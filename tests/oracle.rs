//! The same raw conversation held with two brokers, and their answers compared field by field.
//!
//! Apache Kafka is the specification, so the one on the left is a real one. Where we differ from it on purpose, a line in
//! `tests/kafka/differences.txt` names the step, the field and the reason; every other difference fails.

mod access;
mod cluster;
mod configs;
mod coordinators;
mod epochs;
mod fetch;
mod groups;
mod in_force;
mod log_dirs;
mod metadata;
mod nodes;
mod offsets;
mod page;
mod partitions;
mod produce;
mod producer_ids;
mod sequences;
mod sessions;
mod topics;
mod transactions;
mod versions;

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, ensure};
use cutaway_tests::broker::Broker;
use cutaway_tests::kafka::{RealKafka, repository};
use cutaway_tests::talk::{Step, Talk, differences};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{CreateTopicsRequest, ListOffsetsRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use serde_json::json;

pub(crate) use configs::OF_ITS_OWN;

/// Holds one conversation, and notes down what it asks and hears.
type Conversation = fn(&mut Talk) -> anyhow::Result<()>;

/// Every conversation by its name, with the steps that it took.
type Held = Vec<(&'static str, Vec<Step>)>;

/// Conversations that are held elsewhere, and whose differences are looked at there.
const OTHERS: [&str; 2] = ["tools", "nodes"];

/// Every conversation by its name. They are held in this order; each makes its own topics.
const CONVERSATIONS: &[(&str, Conversation)] = &[
    ("versions", versions::hold),
    ("metadata", metadata::hold),
    ("topics", topics::hold),
    ("configs", configs::hold),
    ("cluster", cluster::hold),
    ("partitions", partitions::hold),
    ("log dirs", log_dirs::hold),
    ("access", access::hold),
    ("coordinators", coordinators::hold),
    ("transactions", transactions::hold),
    ("produce", produce::hold),
    ("producer ids", producer_ids::hold),
    ("fetch", fetch::hold),
    ("sessions", sessions::hold),
    ("offsets", offsets::hold),
    ("in force", in_force::hold),
    ("epochs", epochs::hold),
    ("groups", groups::hold),
];

/// A difference between two real Kafkas is one that the comparison must overlook, or a conversation that leaves to chance
/// what it should fix.
#[test]
fn kafka_agrees_with_itself() -> anyhow::Result<()> {
    let (Some(left), Some(right)) = (what_kafka_says()?, RealKafka::start(&[])?) else {
        return Ok(());
    };
    let differences = compare(&left, &hold_all(right.bootstrap())?);
    ensure!(differences.is_empty(), "two real Kafkas differ:\n{}", differences.join("\n"));
    Ok(())
}

/// The point of it all: Cutaway answers as Kafka does, but for what `differences.txt` names.
#[test]
fn cutaway_agrees_with_kafka() -> anyhow::Result<()> {
    let Some(kafka) = what_kafka_says()? else { return Ok(()) };
    let cutaway = start_cutaway()?;
    let accepted: Vec<_> = accepted_differences()?
        .into_iter()
        .filter(|accepted| !OTHERS.iter().any(|other| accepted.is_about(other)))
        .collect();
    let found = unexplained(&compare(&kafka, &hold_all(cutaway.bootstrap())?), &accepted);
    ensure!(found.is_empty(), "Cutaway differs from Kafka:\n{}", found.join("\n"));
    Ok(())
}

/// What the comparison overlooks, and what it must not.
#[test]
fn a_difference_is_found_where_it_is() {
    let step = |answer| [Step::new("topics", answer)];
    let answer = json!({"topics": [{"errorCode": 0, "topicId": "ab", "name": "t"}], "port": 9092});
    let same = json!({"topics": [{"errorCode": 0, "topicId": "cd", "name": "t"}], "port": 29092});
    assert_eq!(differences(&step(answer.clone()), &step(same)), Vec::<String>::new());
    let other = json!({"topics": [{"errorCode": 3, "topicId": "00", "name": "t"}], "port": 9092});
    assert_eq!(
        differences(&step(answer.clone()), &step(other)),
        ["topics: topics[0].errorCode: 0, 3", "topics: topics[0].topicId: true, false"]
    );
    let longer = json!({"topics": [], "port": 9092, "more": null});
    assert_eq!(differences(&step(answer), &step(longer)).len(), 2);
}

#[test]
fn every_accepted_difference_has_its_reason() -> anyhow::Result<()> {
    for Accepted { difference, reason } in accepted_differences()? {
        ensure!(!difference.is_empty() && !reason.is_empty(), "{difference} | {reason}");
    }
    Ok(())
}

#[test]
fn a_difference_without_a_reason_and_a_reason_without_a_difference_both_count() {
    let accepted = |difference: &str| Accepted { difference: difference.into(), reason: "it is better so".into() };
    let found = ["fetch: the end, version 4: errorCode: 0, 1".into(), "topics: a topic: name: 1, 2".into()];
    assert_eq!(
        unexplained(&found, &[accepted("fetch: the end, version 4"), accepted("topics: ")]),
        Vec::<String>::new()
    );
    assert_eq!(
        unexplained(&found, &[accepted("topics: "), accepted("produce:")]),
        ["fetch: the end, version 4: errorCode: 0, 1", "no difference any more begins with: produce:"]
    );
    assert_eq!(unexplained(&found, &[accepted("*version *: errorCode"), accepted("top*: name")]), Vec::<String>::new());
    assert_eq!(unexplained(&found, &[accepted("*: name*errorCode"), accepted("*")]).len(), 1);
}

/// Our broker with the one setting of the real one that answers show.
fn start_cutaway() -> anyhow::Result<Broker> {
    Broker::start(&["--override", "log.segment.delete.delay.ms=1000"])
}

/// What a real Kafka says, which is asked once for all tests of this process; None where there is none.
fn what_kafka_says() -> anyhow::Result<Option<Arc<Held>>> {
    static SAID: Mutex<Option<Arc<Held>>> = Mutex::new(None);
    let mut said = SAID.lock().expect("no test panics while it asks");
    if said.is_none() {
        // A broker of its own: its topics can be made only once, and no others may be there.
        let Some(kafka) = RealKafka::start(&[])? else { return Ok(None) };
        *said = Some(Arc::new(hold_all(kafka.bootstrap())?));
    }
    Ok(said.clone())
}

fn hold_all(address: SocketAddr) -> anyhow::Result<Held> {
    let mut held = Vec::new();
    for (name, hold) in CONVERSATIONS {
        let mut talk = Talk::with(address)?;
        hold(&mut talk).with_context(|| format!("{name}, with {address}"))?;
        held.push((*name, talk.steps()));
    }
    Ok(held)
}

/// Where two brokers differ; a line names the conversation, the step, the field and both values.
fn compare(left: &Held, right: &Held) -> Vec<String> {
    let both = left.iter().zip(right);
    both.flat_map(|((name, left), (_, right))| {
        differences(left, right).into_iter().map(move |line| format!("{name}: {line}"))
    })
    .collect()
}

/// A line of `differences.txt`.
pub(crate) struct Accepted {
    /// The beginning of lines that [`compare`] returns.
    difference: String,
    /// Why it is as it should be.
    reason: String,
}

impl Accepted {
    /// Whether it is about this conversation.
    pub(crate) fn is_about(&self, conversation: &str) -> bool {
        self.difference.starts_with(&format!("{conversation}:"))
    }

    /// Whether a line that [`compare`] returns begins so; `*` stands for any text.
    fn covers(&self, line: &str) -> bool {
        let mut pieces = self.difference.split('*');
        let Some(mut rest) = line.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
        pieces.all(|piece| match rest.find(piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    }
}

/// The differences that are as they should be.
pub(crate) fn accepted_differences() -> anyhow::Result<Vec<Accepted>> {
    let text = fs::read_to_string(repository().join("tests/kafka/differences.txt"))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (difference, reason) = line.split_once(" | ").with_context(|| format!("no ` | ` in: {line}"))?;
            Ok(Accepted { difference: difference.trim().to_owned(), reason: reason.trim().to_owned() })
        })
        .collect()
}

/// The differences that nobody has accepted, and the accepted ones that are gone.
pub(crate) fn unexplained(found: &[String], accepted: &[Accepted]) -> Vec<String> {
    let is_accepted = |line: &&String| accepted.iter().any(|accepted| accepted.covers(line));
    let is_gone = |accepted: &&Accepted| !found.iter().any(|line| accepted.covers(line));
    let gone = accepted.iter().filter(is_gone);
    let gone = gone.map(|accepted| format!("no difference any more begins with: {}", accepted.difference));
    found.iter().filter(|line| !is_accepted(line)).cloned().chain(gone).collect()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn creatable(name: &str, partitions: i32, replication_factor: i16, configs: &[(&str, &str)]) -> CreatableTopic {
    let configs = configs.iter();
    let configs =
        configs.map(|(key, value)| CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value))));
    CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(replication_factor)
        .with_configs(configs.collect())
}

fn create(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000)
}

/// Makes a topic whose records stay, however old they are, waits until it can be used, and returns its id.
fn make_topic(talk: &mut Talk, name: &str, partitions: i32) -> anyhow::Result<String> {
    talk.learn(7, &create(vec![creatable(name, partitions, 1, &[("retention.ms", "-1")])]))?;
    wait_for(talk, name, partitions, 0)?;
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    let metadata = talk.learn(12, &MetadataRequest::default().with_topics(Some(vec![topic])))?;
    let id = metadata["topics"][0]["topicId"].as_str().context("the topic has no id")?;
    Ok(id.to_owned())
}

/// Waits until the partitions of a topic answer with this error code: 0 once it is there, 3 once it is gone.
fn wait_for(talk: &mut Talk, name: &str, partitions: i32, error_code: i16) -> anyhow::Result<()> {
    let partitions: Vec<_> = (0..partitions).map(|index| (index, -1, -1)).collect();
    let request = list_offsets(7, name, &partitions);
    talk.learn_until(7, &request, |answer| {
        let partitions = answer["topics"][0]["partitions"].as_array();
        partitions.is_some_and(|partitions| partitions.iter().all(|partition| partition["errorCode"] == error_code))
    })?;
    Ok(())
}

/// Asks for offsets: partition, current leader epoch, timestamp.
fn list_offsets(version: i16, topic: &str, partitions: &[(i32, i32, i64)]) -> ListOffsetsRequest {
    let partitions = partitions.iter().map(|(partition, leader_epoch, timestamp)| {
        let asked = ListOffsetsPartition::default().with_partition_index(*partition).with_timestamp(*timestamp);
        if version >= 4 { asked.with_current_leader_epoch(*leader_epoch) } else { asked }
    });
    let topic = ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(partitions.collect());
    ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic])
}
