//! `cutaway produce`: what arrives in the log, where, and what is said of it. Read back by the tests' own client.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context, ensure};
use cutaway::storage::batch::{BatchHeader, Compression};
use cutaway::storage::record::{Record, records};
use cutaway_tests::broker::Broker;
use cutaway_tests::client::Client;
use cutaway_tests::folders;
use cutaway_tests::kafka::RealKafka;

use super::Ran;

/// More than any test sends.
const NO_LIMIT: usize = 1 << 30;

fn produce(broker: SocketAddr, arguments: &[&str], input: &[u8]) -> anyhow::Result<Ran> {
    Ran::with_input(&[&["produce", "-b", &broker.to_string()], arguments].concat(), input)
}

/// Everything in a partition.
fn stored(broker: SocketAddr, topic: &str, partition: i32) -> anyhow::Result<Vec<Record>> {
    let batches = Client::connect(broker)?.fetch_all_from(topic, partition, 0)?;
    let all = batches.into_iter().flat_map(|batch| records(batch, NO_LIMIT));
    all.map(|record| record.map_err(|refusal| anyhow::anyhow!("{refusal}"))).collect()
}

/// The header of a partition's first batch.
fn first_header(broker: SocketAddr, topic: &str) -> anyhow::Result<BatchHeader> {
    let batches = Client::connect(broker)?.fetch_all_from(topic, 0, 0)?;
    let header = batches.first().and_then(|batch| batch.first_chunk()).context("nothing was stored")?;
    Ok(BatchHeader::parse(header))
}

fn values(records: &[Record]) -> Vec<Option<&str>> {
    records.iter().map(|record| record.value.as_deref().map(|value| str::from_utf8(value).unwrap_or("?"))).collect()
}

/// What is stored is the same with every broker.
fn lines_become_records(broker: SocketAddr) -> anyhow::Result<()> {
    // The topic is created on the way, as both brokers' defaults have it.
    let printed = produce(broker, &["lines", "--json"], b"one\n\ntwo\r\nlast, without an end")?.values()?;
    let offsets: Vec<_> = printed.iter().map(|value| (value["partition"].as_i64(), value["offset"].as_i64())).collect();
    ensure!(offsets == [(Some(0), Some(0)), (Some(0), Some(1)), (Some(0), Some(2))], "{printed:?}");
    let records = stored(broker, "lines", 0)?;
    ensure!(values(&records) == [Some("one"), Some("two\r"), Some("last, without an end")], "{records:?}");
    ensure!(records.iter().all(|record| record.key.is_none() && record.headers.is_empty()), "{records:?}");
    let header = first_header(broker, "lines")?;
    ensure!((header.producer_epoch, header.base_sequence) == (0, 0) && header.has_producer_id(), "{header:?}");

    let options = ["-t", "keyed", "-K", "::", "-k", "fixed", "-H", "a=1", "-H", "a", "-Z", "-z", "zstd"];
    produce(broker, &options, b"k::v\n::v2\nk3::\nnone\n\n")?.printed()?;
    let records = stored(broker, "keyed", 0)?;
    ensure!(values(&records) == [Some("v"), Some("v2"), None, Some("none"), None], "{records:?}");
    let keys: Vec<_> = records.iter().map(|record| record.key.as_deref()).collect();
    let fixed = Some(&b"fixed"[..]);
    ensure!(keys == [Some(&b"k"[..]), None, Some(b"k3"), fixed, fixed], "{keys:?}");
    let headers = [("a".into(), Some("1".into())), ("a".into(), None)];
    ensure!(records.iter().all(|record| record.headers == headers), "{records:?}");
    ensure!(first_header(broker, "keyed")?.compression() == Some(Compression::Zstd), "it is not compressed");

    let mut client = Client::connect(broker)?;
    ensure!(client.create_topic("three", 3, &[])? == 0, "no topic");
    // As Java's producer hashes: 0, 3 and 7 of ten records.
    let lines: String = (1..=10).map(|number| format!("user-{},{number}\n", number % 3)).collect();
    produce(broker, &["-t", "three", "-K", ","], lines.as_bytes())?.printed()?;
    let counts =
        [stored(broker, "three", 0)?.len(), stored(broker, "three", 1)?.len(), stored(broker, "three", 2)?.len()];
    ensure!(counts == [0, 3, 7], "{counts:?}");
    produce(broker, &["-t", "three", "-p", "0", "-X", "acks=0"], b"x\n")?.printed()?;
    produce(broker, &["-t", "three", "-p", "0", "-X", "acks=1"], b"y\n")?.printed()?;
    ensure!(values(&stored(broker, "three", 0)?) == [Some("x"), Some("y")], "acks 0 and 1 store as well");
    Ok(())
}

#[test]
fn lines_become_records_here() -> anyhow::Result<()> {
    lines_become_records(Broker::start(&[])?.bootstrap())
}

#[test]
fn lines_become_records_in_a_real_kafka() -> anyhow::Result<()> {
    let Some(kafka) = RealKafka::start(&[])? else { return Ok(()) };
    lines_become_records(kafka.bootstrap())
}

#[test]
fn files_are_records_or_hold_them_line_by_line() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let folder = folders::in_memory();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("a"), "1\n2\n")?;
    fs::write(path("b"), "3")?;
    produce(broker.bootstrap(), &["-t", "whole", &path("a"), &path("b")], b"not read")?.printed()?;
    ensure!(values(&stored(broker.bootstrap(), "whole", 0)?) == [Some("1\n2\n"), Some("3")], "as kcat has it");
    Ran::of(&["topic", "produce", "lines", "-b", &broker.bootstrap().to_string(), "-l", &path("a"), &path("b")])?
        .printed()?;
    ensure!(values(&stored(broker.bootstrap(), "lines", 0)?) == [Some("1"), Some("2"), Some("3")], "with -l");
    for (file, sentence) in [(path("none"), "No such file"), (path(""), "cannot read")] {
        let told = produce(broker.bootstrap(), &["-t", "lines", &file], b"")?.failed(1)?;
        ensure!(told.contains(sentence) && told.contains(&file), "{told}");
    }
    Ok(())
}

#[test]
fn where_records_went_is_said_to_people() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let quiet = produce(broker.bootstrap(), &["-t", "t"], b"a\nb\n")?;
    ensure!(quiet.code == Some(0) && quiet.stderr.is_empty() && quiet.stdout.is_empty(), "{quiet:?}");
    let told = produce(broker.bootstrap(), &["-t", "t", "-v"], b"a\nb\n")?;
    ensure!(told.stderr == "t [0] offset 2\nt [0] offset 3\n" && told.stdout.is_empty(), "{told:?}");
    let nothing = produce(broker.bootstrap(), &["-t", "t", "-v"], b"")?;
    ensure!(nothing.code == Some(0) && nothing.stderr.is_empty(), "{nothing:?}");
    Ok(())
}

#[test]
fn who_reads_no_more_of_where_records_went_does_not_stop_them() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let mut command = super::cutaway(&["produce", "--json", "-t", "all", "-b", &broker.bootstrap().to_string()])?;
    // Each record is a batch of its own, so that most are still to be sent when the first cannot be told of.
    command.args(["-X", "batch.size=1"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().context("the input was piped")?;
    for _ in 0..100 {
        stdin.write_all(b"x\n")?;
    }
    drop(stdin);
    ensure!(child.wait()?.success(), "it failed");
    ensure!(stored(broker.bootstrap(), "all", 0)?.len() == 100, "some were not sent");
    Ok(())
}

#[test]
fn a_big_pipe_arrives_whole_and_in_order() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let lines: String = (0..300_000).map(|number| format!("{number:09}\n")).collect();
    produce(broker.bootstrap(), &["-t", "big", "-z", "lz4"], lines.as_bytes())?.printed()?;
    let records = stored(broker.bootstrap(), "big", 0)?;
    let numbers = records.iter().enumerate().map(|(number, record)| (format!("{number:09}"), record));
    ensure!(records.len() == 300_000, "{} records arrived", records.len());
    for (number, record) in numbers {
        ensure!(record.value.as_deref() == Some(number.as_bytes()), "{record:?} stands in the place of {number}");
    }
    Ok(())
}

#[test]
fn batches_that_are_too_large_are_split_and_records_that_are_too_large_are_named() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    Client::connect(broker.bootstrap())?.create_topic("small", 1, &[("max.message.bytes", "2000")])?;
    let lines: String = (0..100).map(|number| format!("{number:0100}\n")).collect();
    produce(broker.bootstrap(), &["-t", "small"], lines.as_bytes())?.printed()?;
    let records = stored(broker.bootstrap(), "small", 0)?;
    let numbers: Vec<_> = values(&records).into_iter().flatten().map(|value| value.parse::<u32>().ok()).collect();
    ensure!(numbers == (0..100).map(Some).collect::<Vec<_>>(), "{numbers:?}");
    let input = format!("fits\n{}\n", "x".repeat(5000));
    let told = produce(broker.bootstrap(), &["-t", "small"], input.as_bytes())?.failed(1)?;
    let sentence = "line 2 has 5000 bytes, more than small takes in one batch (max.message.bytes); allow more with: \
                    cutaway topics alter small -c max.message.bytes=6024";
    ensure!(told.contains(sentence), "{told}");
    ensure!(stored(broker.bootstrap(), "small", 0)?.len() == 101, "what fits is stored");
    Ok(())
}

#[test]
fn what_cannot_be_sent_is_said() -> anyhow::Result<()> {
    let broker = Broker::start(&["--override", "auto.create.topics.enable=false"])?;
    let address = broker.bootstrap();
    let mut client = Client::connect(address)?;
    client.create_topic("three", 3, &[])?;
    client.create_topic("compacted", 1, &[("cleanup.policy", "compact")])?;
    for (arguments, code, sentence) in [
        (&["-t", "none"][..], 1, "it with: cutaway topics create none"),
        (&["-t", "a b"], 1, "INVALID_TOPIC; a name has"),
        (&["-t", "three", "-p", "3"], 1, "three has no partition 3: they are 0 to 2"),
        (&["-t", "compacted"], 1, "Compacted topic cannot accept message without key"),
        (&["-t", "three", "-z", "zip"], 2, "-z zip: must be one of none, gzip, snappy, lz4, zstd"),
        (&["-t", "three", "-X", "ack=1"], 2, "-X ack: this command has no such setting; did you mean acks?"),
        (&["-t", "three", "-X", "acks=2"], 2, "-X acks=2: must be all, 1 or 0"),
        (&["-t", "three", "-X", "security.protocol=SSL"], 2, "no such setting; there are acks, batch.size"),
        (&["-t", "three", "-X", "acks"], 2, "-X acks: must be KEY=VALUE"),
        (&["-t", "three", "-X", "acks=1", "-X", "enable.idempotence=true"], 2, "needs acks=all"),
        (&["-t", "three", "-K", ""], 2, "a delimiter has at least one character"),
        (&["-t", "three", "-K", "\\q"], 2, "is no escape"),
        (&["-t", "three", "-H", "=x"], 2, "must be NAME=VALUE"),
        (&[], 2, "--topic <TOPIC>"),
    ] {
        let told = produce(address, arguments, b"x\n")?.failed(code).with_context(|| format!("{arguments:?}"))?;
        ensure!(told.contains(sentence), "{arguments:?}: {told}");
    }
    Ok(())
}
