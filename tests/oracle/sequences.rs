//! Two thousand requests of an administrator with a die: topics made, extended, altered and deleted, rightly and wrongly, in
//! whatever order. Both brokers answer each alike, and end in the same state.

use std::net::SocketAddr;

use anyhow::ensure;
use cutaway_tests::chance::Chance;
use cutaway_tests::kafka::RealKafka;
use cutaway_tests::talk::{Step, Talk, differences};
use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as Replaced, AlterableConfig as ReplacedConfig,
};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    AlterConfigsRequest, CreatePartitionsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, MetadataRequest,
};
use serde_json::{Value, json};

use super::{creatable, create, start_cutaway, text, topic_name, wait_for};

const REQUESTS: usize = 2000;
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// A key, and values of which some are refused.
const TOPIC_SETTINGS: &[(&str, &[&str])] = &[
    ("retention.ms", &["60000", "-1", "-2", "soon", ""]),
    ("cleanup.policy", &["compact", "delete", "compact,delete", "burn", "delete,delete"]),
    ("segment.bytes", &["1048576", "2097152", "100", "9999999999"]),
    ("max.message.bytes", &["0", "2000000", "-1"]),
    ("compression.type", &["gzip", "zstd", "producer", "brotli"]),
    ("min.compaction.lag.ms", &["0", "5000", "9223372036854775807"]),
    ("max.compaction.lag.ms", &["1", "10000", "0"]),
    ("min.cleanable.dirty.ratio", &["0.1", "1", "2", "x"]),
    ("follower.replication.throttled.replicas", &["*", "0:1", "0:1,1:1", "all"]),
    ("message.timestamp.type", &["LogAppendTime", "CreateTime", "Never"]),
    ("no.such.key", &["1"]),
];

const BROKER_SETTINGS: &[(&str, &[&str])] = &[
    ("log.retention.ms", &["70000", "0", "x"]),
    ("log.segment.bytes", &["3145728", "5"]),
    ("log.cleanup.policy", &["compact", "burn"]),
    ("message.max.bytes", &["1500000"]),
    ("log.dirs", &["/x"]),
    ("nobody.knows", &["this"]),
];

/// The settings that are not compared in the end, because their defaults differ.
const LEFT_OUT: &[&str] = &["flush.ms"];

#[test]
fn two_thousand_requests_end_in_the_same_state() -> anyhow::Result<()> {
    let Some(kafka) = RealKafka::start(&[])? else { return Ok(()) };
    let cutaway = start_cutaway()?;
    let seed = Chance::seed(0x0061_646d_696e);
    eprintln!("CUTAWAY_SEED={seed}");
    let (theirs, ours) = (administer(kafka.bootstrap(), seed)?, administer(cutaway.bootstrap(), seed)?);
    ensure!(theirs.len() == REQUESTS + 1);
    let found = differences(&theirs, &ours);
    ensure!(found.is_empty(), "{} differences, seed {seed}:\n{}", found.len(), found[..found.len().min(20)].join("\n"));
    Ok(())
}

/// Asks what the seed says, and tells of every answer whether it was refused, and of the end.
fn administer(address: SocketAddr, seed: u64) -> anyhow::Result<Vec<Step>> {
    let (mut chance, mut talk) = (Chance::new(seed), Talk::with(address)?);
    for _ in 0..REQUESTS {
        request(&mut talk, &mut chance)?;
    }
    // One after the other is put in force, so that all is when this one is there.
    talk.learn(7, &create(vec![creatable("the-last-one", 1, 1, &[])]))?;
    wait_for(&mut talk, "the-last-one", 1, 0)?;
    let end = state(&mut talk)?;
    let mut steps = talk.steps();
    steps.push(Step::new("the end", end));
    Ok(steps)
}

fn request(talk: &mut Talk, chance: &mut Chance) -> anyhow::Result<()> {
    let name = format!("t{}", chance.below(12));
    let validate_only = chance.below(8) == 0;
    match chance.below(10) {
        0..=2 => {
            let configs = settings(chance, TOPIC_SETTINGS, 2);
            let configs: Vec<_> = configs.iter().map(|(key, value)| (*key, *value)).collect();
            let partitions = *chance.pick(&[1, 2, 3, -1, 0, -7]);
            let factor = *chance.pick(&[1, 1, 1, -1, 2]);
            let topic = creatable(&name, partitions, factor, &configs);
            let request = create(vec![topic]).with_validate_only(validate_only);
            talk.ask_and_tidy(&format!("create {name} {partitions} {configs:?}"), 7, &request, only_errors)
        }
        3 => {
            let topic = DeleteTopicState::default().with_name(Some(topic_name(&name)));
            let request = DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
            talk.ask_and_tidy(&format!("delete {name}"), 6, &request, only_errors)
        }
        4 | 5 => {
            let count = *chance.pick(&[1, 2, 3, 4, 5, 6, 0, -1]);
            let topic = CreatePartitionsTopic::default().with_name(topic_name(&name)).with_count(count);
            let request = CreatePartitionsRequest::default()
                .with_topics(vec![topic.with_assignments(None)])
                .with_timeout_ms(10_000)
                .with_validate_only(validate_only);
            talk.ask_and_tidy(&format!("{name} to {count}"), 3, &request, only_errors)
        }
        6 => {
            let configs = settings(chance, TOPIC_SETTINGS, 3);
            let replaced = configs
                .iter()
                .map(|(key, value)| ReplacedConfig::default().with_name(text(key)).with_value(Some(text(value))));
            let resource = Replaced::default().with_resource_type(TOPIC).with_resource_name(text(&name));
            let resource = resource.with_configs(replaced.collect());
            let request =
                AlterConfigsRequest::default().with_resources(vec![resource]).with_validate_only(validate_only);
            talk.ask_and_tidy(&format!("replace {name} {configs:?}"), 2, &request, only_errors)
        }
        7 => alter(talk, chance, BROKER, chance_of_broker(seeded(&name)), BROKER_SETTINGS, validate_only),
        _ => alter(talk, chance, TOPIC, &name, TOPIC_SETTINGS, validate_only),
    }
}

/// This broker or all of them, as the name of a topic says.
fn chance_of_broker(number: usize) -> &'static str {
    if number.is_multiple_of(2) { "1" } else { "" }
}

fn seeded(name: &str) -> usize {
    name.trim_start_matches('t').parse().unwrap_or(0)
}

fn alter(
    talk: &mut Talk,
    chance: &mut Chance,
    owner: i8,
    name: &str,
    from: &'static [(&str, &[&str])],
    validate_only: bool,
) -> anyhow::Result<()> {
    let configs: Vec<_> = settings(chance, from, 2)
        .into_iter()
        .map(|(key, value)| {
            let operation = *chance.pick(&[0, 0, 0, 1, 2, 3]);
            AlterableConfig::default()
                .with_name(text(key))
                .with_config_operation(operation)
                .with_value((operation != 1).then(|| text(value)))
        })
        .collect();
    let told: Vec<_> = configs.iter().map(|config| (config.name.as_str(), config.config_operation)).collect();
    let told = format!("alter {name:?} {told:?}");
    let resource = AlterConfigsResource::default().with_resource_type(owner).with_resource_name(text(name));
    let request = IncrementalAlterConfigsRequest::default()
        .with_resources(vec![resource.with_configs(configs)])
        .with_validate_only(validate_only);
    talk.ask_and_tidy(&told, 1, &request, only_errors)
}

/// Up to so many keys, each with a value.
fn settings(
    chance: &mut Chance,
    from: &'static [(&'static str, &'static [&'static str])],
    most: usize,
) -> Vec<(&'static str, &'static str)> {
    let mut chosen: Vec<(&str, &str)> = Vec::new();
    for _ in 0..chance.below(most + 1) {
        let (key, values) = chance.pick(from);
        let value = chance.pick(values);
        if chosen.iter().all(|(present, _)| present != key) {
            chosen.push((key, value));
        }
    }
    chosen
}

/// Of an answer its errors: where several things are wrong at once, Java's hash maps decide which is told.
fn only_errors(answer: &mut Value) {
    let results = ["topics", "responses", "results"].iter().find_map(|name| answer[*name].as_array());
    let codes: Vec<Value> = results.into_iter().flatten().map(|result| result["errorCode"].clone()).collect();
    *answer = json!(codes);
}

/// Every topic with its partitions and settings.
fn state(talk: &mut Talk) -> anyhow::Result<Value> {
    let metadata = talk.learn(12, &MetadataRequest::default().with_topics(None))?;
    let mut state = serde_json::Map::new();
    for topic in metadata["topics"].as_array().into_iter().flatten() {
        let name = topic["name"].as_str().unwrap_or_default();
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(name))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
        let described = talk.learn(4, &request)?;
        let configs = described["results"][0]["configs"].as_array().into_iter().flatten();
        let configs = configs.filter(|config| !LEFT_OUT.iter().any(|name| config["name"] == *name));
        let mut configs: Vec<String> = configs.map(ToString::to_string).collect();
        configs.sort();
        let partitions = topic["partitions"].as_array().map(Vec::len);
        state.insert(name.to_owned(), json!({ "partitions": partitions, "configs": configs }));
    }
    Ok(Value::Object(state))
}
