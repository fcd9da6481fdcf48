//! Settings of topics and brokers: described, altered, and refused.

use std::collections::BTreeMap;

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as Replaced, AlterableConfig as ReplacedConfig,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
};
use serde_json::{Value, json};

use super::{creatable, create, text, wait_for};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// What each broker must have of its own to run beside the other.
pub(crate) const OF_ITS_OWN: &[&str] = &[
    "advertised.listeners",
    "broker.id",
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "cutaway.allow.insecure.listeners",
    "group.initial.rebalance.delay.ms",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "node.id",
    "offsets.topic.num.partitions",
    "offsets.topic.replication.factor",
    "process.roles",
    "share.coordinator.state.topic.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "transaction.state.log.min.isr",
    "transaction.state.log.num.partitions",
    "transaction.state.log.replication.factor",
];

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    let own = [("cleanup.policy", "compact, delete"), ("retention.ms", " 60000")];
    talk.learn(7, &create(vec![creatable("configured", 1, 1, &own)]))?;
    wait_for(talk, "configured", 1, 0)?;
    describe(talk)?;
    alter_topic(talk)?;
    alter_broker(talk)?;
    replace(talk)?;
    bad_alterations(talk)?;
    list(talk)
}

fn describe(talk: &mut Talk) -> anyhow::Result<()> {
    for version in 1..=4 {
        ask_to_describe(talk, "a topic", version, &[resource(TOPIC, "configured")])?;
        ask_to_describe(talk, "a broker", version, &[resource(BROKER, "1")])?;
    }
    let keys = Some(vec![text("retention.ms"), text("no.such.key")]);
    let one_key = resource(TOPIC, "configured").with_configuration_keys(keys);
    let no_keys = resource(TOPIC, "configured").with_configuration_keys(Some(vec![]));
    ask_to_describe(talk, "one key of a topic", 4, &[one_key])?;
    ask_to_describe(talk, "an empty list of keys", 4, &[no_keys])?;
    for version in [1, 4] {
        for (name, owner, resource_name) in [
            ("a topic that is not there", TOPIC, "nowhere"),
            ("a topic that cannot be", TOPIC, "no/where"),
            ("a topic without a name", TOPIC, ""),
            ("all brokers", BROKER, ""),
            ("another broker", BROKER, "7"),
            ("a broker that is no number", BROKER, "one"),
            ("the logger of another broker", 8, "7"),
            ("the logger of no broker", 8, ""),
        ] {
            ask_to_describe(talk, name, version, &[resource(owner, resource_name)])?;
        }
        let with_unknown = [resource(TOPIC, "configured"), resource(99, "what")];
        ask_to_describe(talk, "a type that is not there, after one that is", version, &with_unknown)?;
        ask_to_describe(talk, "nothing", version, &[])?;
        let twice = [resource(TOPIC, "configured"), resource(TOPIC, "configured")];
        ask_to_describe(talk, "a topic twice", version, &twice)?;
    }
    let request = DescribeConfigsRequest::default().with_resources(vec![resource(TOPIC, "configured")]);
    talk.ask_and_tidy("a topic without synonyms", 4, &request, by_name)?;
    let documented = request.with_include_documentation(true);
    talk.ask_and_tidy("a topic with documentation", 4, &documented, by_name)
}

fn alter_topic(talk: &mut Talk) -> anyhow::Result<()> {
    for version in [0, 1] {
        for (name, key, operation, value) in [
            ("a number", "retention.ms", SET, Some("120000")),
            ("the same number", "retention.ms", SET, Some("120000")),
            ("another item", "cleanup.policy", APPEND, Some("compact")),
            ("one item less", "cleanup.policy", SUBTRACT, Some("delete")),
            ("an item of a list that was not set", "follower.replication.throttled.replicas", APPEND, Some("0:1")),
            ("a key that was set", "retention.ms", DELETE, None),
            ("a key that was not set", "retention.bytes", DELETE, None),
            ("a key that is not there, away", "no.such", DELETE, None),
            ("a key that is not there", "no.such", SET, Some("1")),
            ("an item of no list", "retention.ms", APPEND, Some("1")),
            ("an item less of no list", "retention.ms", SUBTRACT, Some("1")),
            ("an item of a key that is not there", "no.such", APPEND, Some("1")),
            ("no number", "retention.ms", SET, Some("soon")),
            ("out of range", "retention.ms", SET, Some("-2")),
            ("no choice", "compression.type", SET, Some("brotli")),
            ("too small", "segment.bytes", SET, Some("100")),
            ("no value", "retention.ms", SET, None),
            ("an empty value", "retention.ms", SET, Some("")),
            ("a key of brokers", "log.retention.ms", SET, Some("1")),
            ("what another key forbids", "min.compaction.lag.ms", SET, Some("9223372036854775807")),
        ] {
            alter(talk, name, version, "configured", vec![config(key, operation, value)])?;
        }
        settle(talk, TOPIC, "configured", "retention.ms", "604800000")?;
        ask_to_describe(talk, "a topic that was altered", 4, &[resource(TOPIC, "configured")])?;
    }
    let long = "x".repeat(40_000);
    alter(talk, "a long value", 1, "configured", vec![config("compression.type", SET, Some(&long))])?;
    let good_and_bad = vec![config("flush.ms", SET, Some("7")), config("retention.ms", SET, Some("soon"))];
    alter(talk, "one good and one bad", 1, "configured", good_and_bad)?;
    let twice = vec![config("flush.ms", SET, Some("7")), config("flush.ms", SET, Some("8"))];
    alter(talk, "a key twice", 1, "configured", twice)?;
    alter(talk, "a topic that is not there", 1, "nowhere", vec![config("flush.ms", SET, Some("7"))])?;
    alter(talk, "a topic that is not there, badly", 1, "nowhere", vec![config("flush.ms", SET, Some("soon"))])?;
    alter(talk, "a topic that cannot be", 1, "no/where", vec![config("flush.ms", SET, Some("7"))])?;
    alter(talk, "a topic without a name", 1, "", vec![config("flush.ms", SET, Some("7"))])?;
    alter(talk, "nothing of a topic", 1, "configured", vec![])?;
    ask_to_describe(talk, "a topic after all this", 4, &[resource(TOPIC, "configured")])
}

fn alter_broker(talk: &mut Talk) -> anyhow::Result<()> {
    for (name, key, value) in [
        ("a number", "log.retention.ms", "1000000"),
        ("a key that needs a restart", "log.dirs", "/x"),
        ("a key that nobody knows", "foo", "bar"),
        ("no number", "log.retention.ms", "soon"),
        ("too small", "log.segment.bytes", "100"),
        ("a key of topics", "retention.ms", "5"),
    ] {
        for (whose, id) in [("this broker", "1"), ("all brokers", "")] {
            let resource = altered(BROKER, id, vec![config(key, SET, Some(value))]);
            ask_to_alter(talk, &format!("{name} of {whose}"), 1, vec![resource], false)?;
        }
    }
    let of_all = |key, value| altered(BROKER, "", vec![config(key, SET, Some(value))]);
    ask_to_alter(talk, "threads of all brokers", 1, vec![of_all("log.cleaner.threads", "2")], false)?;
    ask_to_alter(talk, "a key of single brokers", 1, vec![of_all("sasl.kerberos.kinit.cmd", "/x")], false)?;
    let insync = |id, operation| altered(BROKER, id, vec![config("min.insync.replicas", operation, Some("1"))]);
    ask_to_alter(talk, "replicas in sync of this broker", 1, vec![insync("1", SET)], false)?;
    ask_to_alter(talk, "replicas in sync of all brokers", 1, vec![insync("", SET)], false)?;
    ask_to_alter(talk, "replicas in sync of all brokers, away", 1, vec![insync("", DELETE)], false)?;
    for key in ["ssl.protocol", "ssl.keystore.type"] {
        let security = altered(BROKER, "1", vec![config(key, SET, Some("TLSv1.2"))]);
        ask_to_alter(talk, &format!("{key} without a listener"), 1, vec![security], false)?;
    }
    let item = |key| altered(BROKER, "1", vec![config(key, APPEND, Some("compact"))]);
    ask_to_alter(talk, "an item of a broker's list", 1, vec![item("log.cleanup.policy")], false)?;
    ask_to_alter(talk, "an item of no broker's list", 1, vec![item("log.retention.ms")], false)?;
    ask_to_alter(talk, "an item of a list that nobody knows", 1, vec![item("bar")], false)?;
    for (name, id) in [("another broker", "7"), ("a broker that is no number", "one"), ("a negative broker", "-1")] {
        let resource = altered(BROKER, id, vec![config("log.retention.ms", SET, Some("5"))]);
        ask_to_alter(talk, name, 1, vec![resource], false)?;
    }
    // What was altered reaches a Kafka's broker after the answer.
    settle(talk, BROKER, "", "log.cleaner.threads", "2")?;
    settle(talk, BROKER, "1", "log.cleanup.policy", "delete,compact")?;
    for (name, owner, id) in
        [("this broker", BROKER, "1"), ("all brokers", BROKER, ""), ("a topic", TOPIC, "configured")]
    {
        ask_to_describe(talk, &format!("{name}, when brokers were altered"), 4, &[resource(owner, id)])?;
    }
    for id in ["1", ""] {
        let keys =
            ["log.retention.ms", "foo", "log.cleaner.threads", "log.cleanup.policy", "retention.ms", "ssl.protocol"];
        let configs = keys.map(|key| config(key, DELETE, None)).to_vec();
        ask_to_alter(talk, "all keys away", 1, vec![altered(BROKER, id, configs)], false)?;
    }
    settle(talk, BROKER, "1", "log.cleaner.threads", "1")
}

fn replace(talk: &mut Talk) -> anyhow::Result<()> {
    for version in 0..=2 {
        for (name, owner, id, configs) in [
            ("two keys", TOPIC, "configured", vec![("retention.ms", Some("5000")), ("flush.ms", Some("9"))]),
            ("one key", TOPIC, "configured", vec![("retention.ms", Some("6000"))]),
            ("no keys", TOPIC, "configured", vec![]),
            ("no value", TOPIC, "configured", vec![("retention.ms", None)]),
            ("a key twice", TOPIC, "configured", vec![("retention.ms", Some("1")), ("retention.ms", Some("2"))]),
            ("a key that is not there", TOPIC, "configured", vec![("no.such", Some("1"))]),
            ("a topic that is not there", TOPIC, "nowhere", vec![("retention.ms", Some("1"))]),
            ("another broker", BROKER, "7", vec![("log.retention.ms", Some("1"))]),
            ("a key that needs a restart", BROKER, "1", vec![("log.dirs", Some("/x"))]),
            ("a logger", 8, "1", vec![("root", Some("INFO"))]),
            ("a type that is not there", 99, "what", vec![]),
        ] {
            let configs = configs
                .into_iter()
                .map(|(key, value)| ReplacedConfig::default().with_name(text(key)).with_value(value.map(text)));
            let resource = Replaced::default()
                .with_resource_type(owner)
                .with_resource_name(text(id))
                .with_configs(configs.collect());
            talk.ask(
                &format!("{name}, replaced"),
                version,
                &AlterConfigsRequest::default().with_resources(vec![resource]),
            )?;
        }
        settle(talk, TOPIC, "configured", "retention.ms", "604800000")?;
        ask_to_describe(talk, "a topic whose settings were replaced", 4, &[resource(TOPIC, "configured")])?;
    }
    Ok(())
}

fn bad_alterations(talk: &mut Talk) -> anyhow::Result<()> {
    let flush = |ms: &str| altered(TOPIC, "configured", vec![config("flush.ms", SET, Some(ms))]);
    ask_to_alter(talk, "only to validate", 1, vec![flush("11")], true)?;
    ask_to_alter(talk, "only to validate, badly", 1, vec![flush("soon")], true)?;
    ask_to_alter(talk, "a topic twice", 1, vec![flush("11"), flush("12")], false)?;
    let good_and_bad = vec![flush("13"), altered(TOPIC, "nowhere", vec![config("flush.ms", SET, Some("1"))])];
    ask_to_alter(talk, "one topic there and one not", 1, good_and_bad, false)?;
    ask_to_alter(talk, "a type that is not there", 1, vec![altered(99, "what", vec![])], false)?;
    ask_to_alter(talk, "nothing", 1, vec![], false)?;
    settle(talk, TOPIC, "configured", "flush.ms", "13")?;
    ask_to_describe(talk, "a topic that was altered and not altered", 4, &[resource(TOPIC, "configured")])
}

fn list(talk: &mut Talk) -> anyhow::Result<()> {
    let request = |types: &[i8]| ListConfigResourcesRequest::default().with_resource_types(types.to_vec());
    talk.ask("who has settings", 0, &request(&[]))?;
    for (name, types) in [
        ("who has settings", &[][..]),
        ("which topics", &[TOPIC]),
        ("which brokers", &[BROKER]),
        ("which loggers", &[8]),
        ("which metrics and groups", &[16, 32]),
        ("which of a type that is not there", &[TOPIC, 99]),
    ] {
        talk.ask_and_tidy(name, 1, &request(types), |answer| {
            if let Some(resources) = answer["configResources"].as_array_mut() {
                resources.sort_by_key(ToString::to_string);
            }
        })?;
    }
    Ok(())
}

fn resource(owner: i8, name: &str) -> DescribeConfigsResource {
    DescribeConfigsResource::default()
        .with_resource_type(owner)
        .with_resource_name(text(name))
        .with_configuration_keys(None)
}

fn config(key: &str, operation: i8, value: Option<&str>) -> AlterableConfig {
    AlterableConfig::default().with_name(text(key)).with_config_operation(operation).with_value(value.map(text))
}

fn altered(owner: i8, name: &str, configs: Vec<AlterableConfig>) -> AlterConfigsResource {
    AlterConfigsResource::default().with_resource_type(owner).with_resource_name(text(name)).with_configs(configs)
}

fn alter(talk: &mut Talk, name: &str, version: i16, topic: &str, configs: Vec<AlterableConfig>) -> anyhow::Result<()> {
    ask_to_alter(talk, &format!("{name}, altered"), version, vec![altered(TOPIC, topic, configs)], false)
}

fn ask_to_alter(
    talk: &mut Talk,
    name: &str,
    version: i16,
    resources: Vec<AlterConfigsResource>,
    validate_only: bool,
) -> anyhow::Result<()> {
    let request = IncrementalAlterConfigsRequest::default().with_resources(resources).with_validate_only(validate_only);
    talk.ask(name, version, &request)?;
    Ok(())
}

fn ask_to_describe(
    talk: &mut Talk,
    name: &str,
    version: i16,
    resources: &[DescribeConfigsResource],
) -> anyhow::Result<()> {
    let request = DescribeConfigsRequest::default().with_resources(resources.to_vec()).with_include_synonyms(true);
    talk.ask_and_tidy(name, version, &request, by_name)
}

/// Waits until a setting is described with this value.
fn settle(talk: &mut Talk, owner: i8, name: &str, key: &str, value: &str) -> anyhow::Result<()> {
    let resource = resource(owner, name).with_configuration_keys(Some(vec![text(key)]));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    talk.learn_until(4, &request, |answer| answer["results"][0]["configs"][0]["value"] == value)?;
    Ok(())
}

/// Settings in the order of their names, without those that each broker must have of its own. Of documentation only
/// whether there is any: the words are each broker's.
fn by_name(answer: &mut Value) {
    let Some(results) = answer["results"].as_array_mut() else { return };
    for result in results {
        let Some(configs) = result["configs"].as_array() else { continue };
        let named = configs.iter().filter_map(|config| {
            let mut config = config.clone();
            if let Some(documentation) = config.get_mut("documentation") {
                *documentation = json!(!documentation.is_null());
            }
            Some((config["name"].as_str()?.to_owned(), config))
        });
        let named: BTreeMap<String, Value> = named.filter(|(name, _)| !OF_ITS_OWN.contains(&name.as_str())).collect();
        result["configs"] = json!(named);
    }
}
