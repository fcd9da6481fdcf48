//! `cutaway topics`, with our own broker and with a real Kafka.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::Broker;
use cutaway_tests::client::Client;
use cutaway_tests::kafka::RealKafka;
use serde_json::Value;

use super::Ran;
use super::consume::stored;

/// Runs `cutaway topics` with a broker.
fn topics(broker: SocketAddr, arguments: &[&str]) -> anyhow::Result<Ran> {
    Ran::of(&[&["topics", "-b", &broker.to_string()], arguments].concat())
}

/// The life of a topic, which is the same with every broker.
fn a_topic_lives(broker: SocketAddr) -> anyhow::Result<()> {
    let created = topics(broker, &["create", "cars", "-p", "3", "-c", "retention.ms=-1", "--json"])?.values()?;
    ensure!(created.len() == 1 && created[0]["created"] == true && created[0]["partitions"] == 3, "{created:?}");
    let again = topics(broker, &["create", "cars"])?.failed(1)?;
    ensure!(again.contains("(TOPIC_ALREADY_EXISTS); add --if-not-exists to let it be"), "{again}");
    let again = topics(broker, &["create", "cars", "--if-not-exists", "--json"])?.values()?;
    ensure!(again[0]["created"] == false, "{again:?}");
    let listed = topics(broker, &["list", "--json"])?.values()?;
    ensure!(listed.len() == 1 && listed[0]["name"] == "cars" && listed[0]["id"] == created[0]["id"], "{listed:?}");

    let mut client = Client::connect(broker)?;
    stored(&mut client, "cars", 1, &Batch::default().bytes())?;
    let described = &topics(broker, &["describe", "cars", "--json"])?.values()?[0];
    let second = &described["partitions"][1];
    ensure!(second["start_offset"] == 0 && second["end_offset"] == 1 && second["leader"] == 1, "{described}");
    let retention = setting(described, "retention.ms").context("retention.ms is not told")?;
    ensure!(retention["value"] == "-1" && retention["set_by"] == "the topic", "{retention}");

    topics(broker, &["alter", "cars", "-c", "cleanup.policy=compact", "--unset", "retention.ms"])?.printed()?;
    let described = &topics(broker, &["describe", "cars", "--json"])?.values()?[0];
    ensure!(setting(described, "retention.ms").is_none(), "{described}");
    ensure!(setting(described, "cleanup.policy").is_some_and(|it| it["value"] == "compact"), "{described}");

    let refused = topics(broker, &["delete", "cars"])?.failed(1)?;
    ensure!(refused.contains("this would delete cars with all records; add --yes"), "{refused}");
    ensure!(client.topics()?.iter().any(|topic| topic.partitions.len() == 3), "it was deleted unasked");
    let deleted = topics(broker, &["delete", "cars", "--yes"])?.printed()?;
    ensure!(deleted == "cars  deleted\n", "{deleted}");
    Ok(())
}

fn setting<'a>(described: &'a Value, key: &str) -> Option<&'a Value> {
    described["settings"].as_array()?.iter().find(|setting| setting["key"] == key)
}

#[test]
fn a_topic_lives_here() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    a_topic_lives(broker.bootstrap())?;
    a_topic_grows(broker.bootstrap())
}

#[test]
fn a_topic_lives_in_a_real_kafka() -> anyhow::Result<()> {
    // One of its own: no other test's topics may stand in the list.
    let Some(kafka) = RealKafka::start(&[])? else { return Ok(()) };
    let broker = kafka.bootstrap();
    a_topic_lives(broker)?;
    a_topic_grows(broker)
}

fn a_topic_grows(broker: SocketAddr) -> anyhow::Result<()> {
    topics(broker, &["create", "grows"])?.printed()?;
    let altered = topics(broker, &["alter", "grows", "-p", "4"])?.printed()?;
    ensure!(altered == "grows  altered: 4 partitions\n", "{altered}");
    let described = &topics(broker, &["describe", "grows", "--json"])?.values()?[0];
    ensure!(described["partitions"].as_array().is_some_and(|all| all.len() == 4), "{described}");
    ensure!(described["partitions"][3]["size_bytes"] == 0 && described["folder"].is_null(), "{described}");
    let refused = topics(broker, &["alter", "grows", "-p", "2"])?.failed(1)?;
    ensure!(refused.contains("INVALID_PARTITIONS"), "{refused}");
    Ok(())
}

#[test]
fn describe_shows_what_a_learner_asks_for() -> anyhow::Result<()> {
    let broker = Broker::start(&["--override", "log.retention.ms=3600000"])?;
    let mut client = Client::connect(broker.bootstrap())?;
    client.create_topic("seen", 2, &[])?;
    client.produce("seen", 0, Batch::default().bytes())?;
    let data = broker.data_dir().display().to_string();
    let shown = topics(broker.bootstrap(), &["describe", "seen", "--data", &data])?.printed()?;
    for line in [
        "seen\n",
        "  records   1, counted by offsets\n",
        &format!("  look      ls -l {data}/seen-0\n"),
        "PARTITION  LEADER  START  END  RECORDS  SIZE",
        "0          1       0      1    1  ",
        "1          1       0      0    0  ",
        "retention.ms  -1     the topic  604800000\n",
    ] {
        ensure!(shown.contains(line), "no {line:?} in:\n{shown}");
    }
    client.create_topic("seen-not", 1, &[])?;
    topics(broker.bootstrap(), &["alter", "seen", "--unset", "retention.ms"])?.printed()?;
    let shown = topics(broker.bootstrap(), &["describe", "seen", "--data", "/no/such/folder"])?.printed()?;
    ensure!(shown.contains("retention.ms  3600000  the broker's start (log.retention.ms)"), "{shown}");
    ensure!(!shown.contains("look "), "the folder of another broker:\n{shown}");
    // A broker on this folder, but not the one that was asked.
    let other = Broker::start(&[])?;
    let shown = topics(other.bootstrap(), &["create", "seen"])?.printed()?;
    ensure!(shown.contains("seen  created"), "{shown}");
    let shown = topics(other.bootstrap(), &["describe", "seen", "--data", &data])?.printed()?;
    ensure!(!shown.contains("look "), "the folder of another broker:\n{shown}");
    Ok(())
}

#[test]
fn what_is_mistyped_is_named() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let address = broker.bootstrap();
    Client::connect(address)?.create_topic("greetings", 1, &[])?;
    for (arguments, code, sentence) in [
        (&["describe", "greeting"][..], 1, "there is no topic greeting; did you mean greetings?"),
        (&["describe", "zzz"], 1, "there is no topic zzz; `cutaway topics list` shows which there are"),
        (&["delete", "--yes", "greetings", "greetingz"], 1, "there is no topic greetingz; did you mean greetings?"),
        (&["alter", "greetinsg", "-c", "retention.ms=1"], 1, "did you mean greetings?"),
        (&["alter", "greetings", "-c", "retention=1"], 1, "did you mean retention."),
        (&["create", "x", "-c", "log.retention.ms=1"], 1, "did you mean retention.ms instead of log.retention.ms?"),
        (&["create", "x", "-c", "retention.ms"], 2, "must be KEY=VALUE"),
        (&["create", "x", "-p", "0"], 2, "0 is not in 1.."),
        (&["create", "x", "--replication-factor", "3"], 1, "Ask for 1 or -1, or start the broker with --nodes 3"),
        (&["create", "a b"], 1, "(INVALID_TOPIC); a name has 1 to 249 letters"),
        (&["alter", "greetings"], 2, "required"),
        (&["describe"], 2, "required"),
    ] {
        let told = topics(address, arguments)?.failed(code).with_context(|| format!("{arguments:?}"))?;
        ensure!(told.contains(sentence), "{arguments:?}: {told}");
    }
    ensure!(Client::connect(address)?.topics()?.len() == 1, "something was made or deleted");
    Ok(())
}
