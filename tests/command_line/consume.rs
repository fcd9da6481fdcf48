//! `cutaway consume`: which records it prints, how, and when it ends. Written by the tests' own client.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail, ensure};
use cutaway::storage::batch::{BatchBuilder, Compression};
use cutaway_tests::broker::Broker;
use cutaway_tests::client::Client;
use cutaway_tests::kafka::RealKafka;
use cutaway_tests::patience;
use rustix::process::{Pid, Signal, kill_process};

use super::{Lines, Ran};

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;

fn consume(broker: SocketAddr, arguments: &[&str]) -> anyhow::Result<Ran> {
    Ran::of(&[&["consume", "-b", &broker.to_string()], arguments].concat())
}

/// Writes values into a partition, with timestamps 1000, 2000, … and a key that is the value's first letter.
fn write(client: &mut Client, topic: &str, partition: i32, values: &[&str]) -> anyhow::Result<()> {
    let mut builder = BatchBuilder::new(Compression::Gzip);
    for (index, value) in values.iter().enumerate() {
        let headers: &[(&[u8], Option<&[u8]>)] = if index == 0 { &[(b"n", Some(b"1"))] } else { &[] };
        builder.push(1000 * (index as i64 + 1), Some(&value.as_bytes()[..1]), Some(value.as_bytes()), headers);
    }
    let batch = builder.build().bytes().to_vec();
    stored(client, topic, partition, &batch)
}

/// Sends a batch; a leader that was made a moment ago may not know it yet.
pub(super) fn stored(client: &mut Client, topic: &str, partition: i32, batch: &[u8]) -> anyhow::Result<()> {
    patience::until("the leader to lead", || match client.produce(topic, partition, batch.to_vec())?.error_code {
        0 => Ok(true),
        NOT_LEADER_OR_FOLLOWER | UNKNOWN_TOPIC_OR_PARTITION => Ok(false),
        code => bail!("error {code}"),
    })
}

/// What is printed is the same with every broker.
fn records_are_printed(broker: SocketAddr) -> anyhow::Result<()> {
    let mut client = Client::connect(broker)?;
    ensure!(client.create_topic("two", 2, &[])? == 0, "no topic");
    write(&mut client, "two", 0, &["ab", "bc", "cd", "de"])?;
    write(&mut client, "two", 1, &["xy"])?;
    let printed = |arguments: &[&str]| consume(broker, &[&["-t", "two", "-e"], arguments].concat())?.printed();

    let mut all: Vec<String> = printed(&[])?.lines().map(str::to_owned).collect();
    all.sort();
    ensure!(all == ["ab", "bc", "cd", "de", "xy"], "{all:?}");
    ensure!(printed(&["--from-beginning", "-p", "1"])? == "xy\n", "a partition");
    for (arguments, expected) in [
        (&["-o", "end"][..], ""),
        (&["-o", "2"], "cd\nde\n"),
        (&["-o", "-1"], "de\n"),
        (&["-o", "-100", "-c", "2"], "ab\nbc\n"),
        (&["-o", "s@2500"], "cd\nde\n"),
        (&["-o", "s@1970-01-01T00:00:04Z"], "de\n"),
        (&["-o", "s@2100-01-01"], ""),
        (&["-o", "1", "-c", "1", "-K", ": "], "b: bc\n"),
        (&["-c", "1", "-f", "%t %p %o %k=%s %T [%h]\\n"], "two 0 0 a=ab 1000 [n=1]\n"),
        (&["-o", "3", "-X", "isolation.level=read_uncommitted"], "de\n"),
    ] {
        let text = printed(&[&["-p", "0"], arguments].concat())?;
        ensure!(text == expected, "{arguments:?}: {text:?} instead of {expected:?}");
    }
    let first = &consume(broker, &["-t", "two", "-p", "0", "-c", "1", "-J"])?.printed()?;
    let expected = "{\"topic\":\"two\",\"partition\":0,\"offset\":0,\"tstype\":\"create\",\"ts\":1000,\"broker\":1,\
                    \"headers\":[\"n\",\"1\"],\"key\":\"a\",\"payload\":\"ab\"}\n";
    ensure!(first == expected, "{first}");

    // The topic may be the first word.
    let ended = consume(broker, &["two", "-p", "1", "-e", "-o", "7"])?;
    ensure!(ended.stderr.contains("% two [1] has no offset 7: its records are 0 to 0; going on at 1"), "{ended:?}");
    ensure!(ended.stderr.contains("% Reached end of topic two [1] at offset 1: exiting"), "{ended:?}");
    Ok(())
}

#[test]
fn records_are_printed_here() -> anyhow::Result<()> {
    records_are_printed(Broker::start(&[])?.bootstrap())
}

#[test]
fn records_are_printed_from_a_real_kafka() -> anyhow::Result<()> {
    let Some(kafka) = RealKafka::start(&[])? else { return Ok(()) };
    records_are_printed(kafka.bootstrap())
}

/// A command that goes on until it is told to stop; killed on drop.
struct Following {
    child: Child,
    out: Lines,
    errors: Lines,
}

impl Following {
    fn start(broker: SocketAddr, arguments: &[&str]) -> anyhow::Result<Following> {
        let mut child = command(broker, arguments)?.spawn()?;
        let out = Lines::of(child.stdout.take().context("the output was piped")?);
        let errors = Lines::of(child.stderr.take().context("the errors were piped")?);
        Ok(Following { child, out, errors })
    }
}

fn command(broker: SocketAddr, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = super::cutaway(&["consume", "-b", &broker.to_string()])?;
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

impl Drop for Following {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn a_missing_topic_is_waited_for_and_followed_until_ctrl_c() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let mut client = Client::connect(broker.bootstrap())?;
    let mut following = Following::start(broker.bootstrap(), &["-t", "later"])?;
    let said = following.errors.next()?;
    ensure!(
        said == "% There is no topic later yet; waiting for it; make it with: cutaway topics create later",
        "{said}"
    );
    client.create_topic("later", 3, &[])?;
    for (partition, value) in [(2, "one"), (0, "two"), (2, "three")] {
        write(&mut client, "later", partition, &[value])?;
        let line = following.out.next()?;
        ensure!(line == value, "{line} instead of {value}");
    }
    // A topic of the same name is another topic, and is read from its beginning.
    client.delete_topic("later")?;
    while !following.errors.next()?.contains("is gone") {}
    client.create_topic("later", 1, &[])?;
    write(&mut client, "later", 0, &["anew"])?;
    ensure!(following.out.next()? == "anew", "the new topic is not read");
    kill_process(Pid::from_child(&following.child), Signal::INT)?;
    let status = following.child.wait()?;
    ensure!(status.code() == Some(130), "{status}");
    Ok(())
}

#[test]
fn partitions_that_are_added_are_read_as_well() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let mut client = Client::connect(broker.bootstrap())?;
    client.create_topic("grows", 1, &[])?;
    let following = Following::start(broker.bootstrap(), &["-t", "grows", "-o", "end"])?;
    let said = following.errors.next()?;
    ensure!(said == "% Reached end of topic grows [0] at offset 0", "{said}");
    let address = broker.bootstrap().to_string();
    Ran::of(&["topics", "alter", "grows", "-p", "2", "-b", &address])?.printed()?;
    write(&mut client, "grows", 1, &["new"])?;
    ensure!(following.out.next()? == "new", "the new partition is not read");
    Ok(())
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let mut client = Client::connect(broker.bootstrap())?;
    client.create_topic("long", 1, &[])?;
    let value = "x".repeat(10_000);
    for _ in 0..20 {
        write(&mut client, "long", 0, &[value.as_str(); 20])?;
    }
    let mut child = command(broker.bootstrap(), &["-t", "long", "-q", "-c", "400"])?.spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("the output was piped")?).read_line(&mut line)?;
    ensure!(line.len() == 10_001, "the first line");
    // With its reader the pipe was closed.
    let ended = child.wait_with_output()?;
    let (status, said) = (ended.status, String::from_utf8_lossy(&ended.stderr));
    ensure!(status.success() && said.is_empty(), "{status}: {said}");
    Ok(())
}

#[test]
fn what_cannot_be_read_is_said() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    Client::connect(broker.bootstrap())?.create_topic("here", 2, &[])?;
    for (arguments, code, sentence) in [
        (&["-t", "her", "-e"][..], 1, "there is no topic her; did you mean here?"),
        (&["-t", "here", "-p", "2"], 1, "here has no partition 2: they are 0 to 1"),
        (&["-t", "a b"], 1, "INVALID_TOPIC; a name has"),
        (&["-t", "here", "-o", "middle"], 2, "must be beginning, end, an offset, -N"),
        (&["-t", "here", "-o", "s@noon"], 2, "s@TIME with a time as in"),
        (&["-t", "here", "-f", "%x"], 2, "there is no %x; there are %s"),
        (&["-t", "here", "-X", "isolation.level=x"], 2, "must be read_committed or read_uncommitted"),
        (&["-t", "here", "-X", "isolation.levels=x"], 2, "did you mean isolation.level?"),
        (&["-t", "here", "-c", "0"], 2, "0 is not in 1.."),
        (&["-t", "here", "-J", "-f", "%s"], 2, "cannot be used with"),
        (&[], 2, "<TOPIC>"),
    ] {
        let told = consume(broker.bootstrap(), arguments)?.failed(code).with_context(|| format!("{arguments:?}"))?;
        ensure!(told.contains(sentence), "{arguments:?}: {told}");
    }
    Ok(())
}
