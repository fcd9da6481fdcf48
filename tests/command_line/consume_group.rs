//! `cutaway consume --group`, with our broker and with a real Kafka.

use std::net::SocketAddr;
use std::process::{Child, Stdio};

use anyhow::{Context, ensure};
use cutaway::storage::batch::{BatchBuilder, Compression};
use cutaway_tests::broker::Broker;
use cutaway_tests::client::Client;
use cutaway_tests::kafka::RealKafka;
use cutaway_tests::patience;
use rustix::process::{Pid, Signal, kill_process};

use super::{Lines, Ran, cutaway};

const TOPIC: &str = "shared";
const PARTITIONS: i32 = 3;

/// A consumer at work.
struct Reader {
    child: Child,
    printed: Lines,
    said: Lines,
}

impl Reader {
    fn start(broker: SocketAddr, arguments: &[&str]) -> anyhow::Result<Reader> {
        let address = broker.to_string();
        let mut command = cutaway(&["consume", TOPIC, "-b", &address, "-f", "%p %s\\n"])?;
        let command = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let printed = Lines::of(child.stdout.take().context("the output was piped")?);
        let said = Lines::of(child.stderr.take().context("the errors were piped")?);
        Ok(Reader { child, printed, said })
    }

    /// Waits until it says which partitions it reads; gives them.
    fn part(&self) -> anyhow::Result<Vec<String>> {
        loop {
            let line = self.said.next()?;
            if let Some((_, part)) = line.split_once("assigned: ") {
                return Ok(part.split(", ").map(str::to_owned).collect());
            }
        }
    }

    /// Waits until it reads so many partitions.
    fn part_of(&self, count: usize) -> anyhow::Result<Vec<String>> {
        loop {
            let part = self.part()?;
            if part.len() == count && part.iter().all(|partition| partition.starts_with(TOPIC)) {
                return Ok(part);
            }
        }
    }

    fn read(&self, count: usize) -> anyhow::Result<Vec<String>> {
        (0..count).map(|_| self.printed.next()).collect()
    }

    /// Ends it by a signal, and gives its exit code.
    fn end(mut self, signal: Signal) -> anyhow::Result<Option<i32>> {
        kill_process(Pid::from_child(&self.child), signal)?;
        Ok(self.child.wait()?.code())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts a record into each partition.
fn produce(client: &mut Client, value: &str) -> anyhow::Result<()> {
    for partition in 0..PARTITIONS {
        let mut batch = BatchBuilder::new(Compression::None);
        batch.push(0, None, Some(value.as_bytes()), &[]);
        let batch = batch.build().bytes().to_vec();
        // A Kafka's brokers learn of a new topic a moment late.
        patience::until("the partition to take records", || {
            Ok(client.produce(TOPIC, partition, batch.clone())?.error_code == 0)
        })?;
    }
    Ok(())
}

fn records(value: &str) -> Vec<String> {
    (0..PARTITIONS).map(|partition| format!("{partition} {value}")).collect()
}

fn in_order(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Two share a topic; one leaves and the other takes over; every record is printed once. The next one goes on from there.
fn members_share_leave_and_resume(broker: SocketAddr) -> anyhow::Result<()> {
    let mut client = Client::connect(broker)?;
    ensure!(client.create_topic(TOPIC, PARTITIONS, &[])? == 0, "no topic");
    produce(&mut client, "one")?;
    let fast = ["-G", "g", "-X", "heartbeat.interval.ms=100"];
    let first = Reader::start(broker, &fast)?;
    ensure!(first.part_of(3)?.len() == 3);
    ensure!(in_order(first.read(3)?) == records("one"), "the first reads all");

    let second = Reader::start(broker, &fast)?;
    let parts = [first.part()?, second.part()?].concat();
    ensure!(in_order(parts.clone()) == ["shared [0]", "shared [1]", "shared [2]"], "{parts:?}");
    produce(&mut client, "two")?;
    let seconds_share = if parts.first().is_some_and(|one| one == "shared [0]") { 1 } else { 2 };
    let read = [second.read(seconds_share)?, first.read(3 - seconds_share)?].concat();
    ensure!(in_order(read.clone()) == records("two"), "{read:?}");

    ensure!(first.end(Signal::INT)? == Some(130), "Ctrl-C ends it");
    ensure!(second.part_of(3)?.len() == 3);
    produce(&mut client, "three")?;
    ensure!(in_order(second.read(3)?) == records("three"), "the other takes over, and nothing comes again");
    ensure!(second.end(Signal::TERM)? == Some(143), "SIGTERM ends it");

    produce(&mut client, "four")?;
    let address = broker.to_string();
    let next = Ran::of(&["consume", TOPIC, "-b", &address, "-f", "%p %s\\n", "-G", "g", "-c", "2"])?.printed()?;
    let last = Ran::of(&["consume", TOPIC, "-b", &address, "-f", "%p %s\\n", "-G", "g", "-e", "-q"])?.printed()?;
    let read = next.lines().chain(last.lines()).map(str::to_owned).collect();
    ensure!(in_order(read) == records("four"), "{next}{last}");
    let lag = Ran::of(&["groups", "-b", &address, "describe", "g"])?.printed()?;
    ensure!(lag.contains("Empty, 0 members") && lag.contains("lag          0 records"), "{lag}");
    Ok(())
}

/// Where nothing is committed `-o` says where to begin; and there it stays, though nothing came.
fn a_new_group_begins_where_it_is_told(broker: SocketAddr) -> anyhow::Result<()> {
    let address = broker.to_string();
    let consume = |arguments: &[&str]| {
        Ran::of(&[&["consume", TOPIC, "-b", &address, "-f", "%p %s\\n", "-G", "late", "-e", "-q"], arguments].concat())
    };
    ensure!(consume(&["-o", "end"])?.printed()?.is_empty(), "there is nothing behind the end");
    produce(&mut Client::connect(broker)?, "five")?;
    let read = consume(&["-o", "beginning"])?.printed()?;
    ensure!(in_order(read.lines().map(str::to_owned).collect()) == records("five"), "{read}");
    Ok(())
}

/// A consumer that stands still is taken for lost; when it goes on it says so, and joins again.
fn a_stopped_member_comes_back(broker: SocketAddr) -> anyhow::Result<()> {
    let fast = ["-G", "frozen", "-o", "end", "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=100"];
    let first = Reader::start(broker, &fast)?;
    first.part_of(3)?;
    kill_process(Pid::from_child(&first.child), Signal::STOP)?;
    let second = Reader::start(broker, &fast)?;
    second.part_of(3)?;
    kill_process(Pid::from_child(&first.child), Signal::CONT)?;
    let part = first.part()?;
    ensure!(part.len() < 3, "it gets its share again: {part:?}");
    Ok(())
}

fn all(broker: SocketAddr) -> anyhow::Result<()> {
    members_share_leave_and_resume(broker)?;
    a_new_group_begins_where_it_is_told(broker)?;
    a_stopped_member_comes_back(broker)
}

#[test]
fn records_are_shared_in_a_group() -> anyhow::Result<()> {
    all(Broker::start(&["--quiet"])?.bootstrap())
}

#[test]
fn records_are_shared_in_a_group_of_a_real_kafka() -> anyhow::Result<()> {
    let Some(kafka) = RealKafka::start(&[])? else { return Ok(()) };
    all(kafka.bootstrap())
}

/// The next topic of a name is another one. Whoever reads on at the old offset misses its first records.
#[test]
fn a_topic_that_is_made_anew_at_once_is_read_from_its_beginning() -> anyhow::Result<()> {
    for group in [&[][..], &["-G", "g"]] {
        let broker = Broker::start(&["--quiet"])?;
        let mut client = Client::connect(broker.bootstrap())?;
        ensure!(client.create_topic(TOPIC, PARTITIONS, &[])? == 0, "no topic");
        produce(&mut client, "old")?;
        let reader = Reader::start(broker.bootstrap(), group)?;
        ensure!(in_order(reader.read(3)?) == records("old"));
        ensure!(client.delete_topic(TOPIC)? == 0 && client.create_topic(TOPIC, PARTITIONS, &[])? == 0, "made anew");
        // More than there were.
        for _ in 0..3 {
            produce(&mut client, "new")?;
        }
        let read = in_order(reader.read(9)?);
        let wanted = in_order([records("new"), records("new"), records("new")].concat());
        ensure!(read == wanted, "{group:?}: {read:?}");
    }
    Ok(())
}

/// What cannot be is said in a sentence that helps.
#[test]
fn a_group_that_cannot_be_joined_says_why() -> anyhow::Result<()> {
    let broker = Broker::start(&["--quiet"])?;
    let address = broker.bootstrap().to_string();
    let mut client = Client::connect(broker.bootstrap())?;
    ensure!(client.create_topic(TOPIC, 1, &[])? == 0, "no topic");
    let consume = |arguments: &[&str]| Ran::of(&[&["consume", TOPIC, "-b", &address, "-e"], arguments].concat());
    for (arguments, sentence) in [
        (&["-G", ""][..], "INVALID_GROUP_ID"),
        (&["-G", "g", "-X", "session.timeout.ms=10"], "group.min.session.timeout.ms"),
    ] {
        let said = consume(arguments)?.failed(1)?;
        ensure!(said.contains(sentence), "{arguments:?}: {said}");
    }
    let said = consume(&["-G", &"g".repeat(32_768)])?.failed(2)?;
    ensure!(said.contains("no request can hold"), "{said}");
    let said = consume(&["-G", "g", "-p", "0"])?.failed(2)?;
    ensure!(said.contains("cannot be used with"), "{said}");
    Ok(())
}
