//! Many clients at once, each of which does nearly nothing.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::Launch;
use cutaway_tests::patience;
use cutaway_tests::raw_client::{RawClient, Reply, frame};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{FetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{SLACK_KIB, Siege, TOPIC};

const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

#[test]
fn a_thousand_idle_connections_cost_little_and_keep_nobody_out() -> anyhow::Result<()> {
    const CONNECTIONS: usize = 1000;
    const EACH_KIB: u64 = 16;
    raise_the_limit_of_open_files()?;
    let mut siege = Siege::begin()?;
    let mut crowd = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut idle = siege.attacker()?;
        // One request each, so that all of it is there: buffers, contexts, names.
        ensure!(matches!(idle.ask(API_VERSIONS, 0, &[])?, Reply::Body(_)), "an idle client got no answer");
        crowd.push(idle);
    }
    siege.endures(SLACK_KIB + CONNECTIONS as u64 * EACH_KIB)
}

#[test]
fn two_hundred_clients_that_dribble_byte_by_byte_are_served_and_so_are_the_others() -> anyhow::Result<()> {
    raise_the_limit_of_open_files()?;
    let mut siege = Siege::begin()?;
    let request = frame(API_VERSIONS, 0, 1, &[]);
    let whole = [&i32::try_from(request.len())?.to_be_bytes()[..], &request].concat();
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(siege.attacker()?);
    }
    for byte in &whole {
        for dribbling in &mut crowd {
            ensure!(dribbling.send_bytes(&[*byte]), "a client that is only slow was thrown out");
        }
        siege.serve_once()?;
    }
    for dribbling in &mut crowd {
        let reply = dribbling.receive_answer_to(1, API_VERSIONS, 0)?;
        ensure!(matches!(reply, Reply::Body(_)), "a client that dribbled got {reply:?}");
    }
    siege.endures(SLACK_KIB)
}

#[test]
fn a_client_that_asks_and_never_reads_is_made_to_wait() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    for topic in 0..20 {
        siege.good.create_topic(&format!("to-be-listed-{topic}"), 10, &[])?;
    }
    // All topics: some kilobytes for every ten bytes that ask.
    let request = frame(METADATA, 1, 1, &(-1_i32).to_be_bytes());
    let whole = [&i32::try_from(request.len())?.to_be_bytes()[..], &request].concat();
    let mut crowd = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(siege.broker.bootstrap())?;
        // Once both sides' buffers are full, nothing more is taken.
        stream.set_write_timeout(Some(Duration::from_millis(500)))?;
        let _ = stream.write_all(&whole.repeat(10_000));
        crowd.push(stream);
    }
    siege.endures(SLACK_KIB)
}

/// They held what they had announced, so that everybody else's large requests waited until they were thrown out.
#[test]
fn clients_that_announce_100_mb_and_fall_silent_hold_up_nobody() -> anyhow::Result<()> {
    const ANNOUNCED: i32 = 100 << 20;
    const MEGABYTE: usize = 1_000_000;
    let mut siege = Siege::begin()?;
    let mut crowd = Vec::new();
    for sent in [10, (64 << 10) + 1, MEGABYTE] {
        let mut liar = RawClient::connect_with_patience(siege.broker.bootstrap(), Duration::from_millis(1))?;
        // A Produce, which has the key 0, and nothing of which is looked at before it is whole.
        ensure!(liar.send_bytes(&[&ANNOUNCED.to_be_bytes()[..], &vec![0; sent]].concat()), "a liar was thrown out");
        crowd.push(liar);
    }
    let batch = Batch { records: vec![(None, Some(vec![7; MEGABYTE]))], ..Batch::default() }.bytes();
    let produced = siege.good.produce(TOPIC, 0, batch)?;
    ensure!(produced.error_code == 0, "the good client's megabyte was refused: {produced:?}");
    for liar in &mut crowd {
        let reply = liar.receive(METADATA, 1)?;
        ensure!(reply == Reply::Silent, "the good client was served after a liar was thrown out ({reply:?})");
    }
    siege.endures(SLACK_KIB)
}

#[test]
fn without_a_free_descriptor_the_broker_rests_and_accepts_again_once_there_is_one() -> anyhow::Result<()> {
    const CONNECTIONS: usize = 100;
    let limits = vec!["-n 64".to_owned()];
    let mut siege = Siege::begin_with(Launch { limits, ..Launch::default() })?;
    let mut crowd = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = siege.attacker()?;
        client.send(API_VERSIONS, 0, &[])?;
        crowd.push(client);
    }
    patience::until("a line that names the limit", || Ok(siege.broker.log().contains("raise `ulimit -n`")))?;
    let (begun, used_before) = (Instant::now(), siege.broker.processor_time()?);
    wait_for_nothing(&mut siege, 500)?;
    let (used, passed) = (siege.broker.processor_time()? - used_before, begun.elapsed());
    ensure!(used < passed / 2, "it spent {used:?} of {passed:?} on accepting nothing");
    // Each leaves when it has its answer, and makes room for one who waits.
    for mut client in crowd {
        let reply = client.receive(API_VERSIONS, 0)?;
        ensure!(matches!(reply, Reply::Body(_)), "one who waited got {reply:?}");
    }
    siege.endures(SLACK_KIB)
}

#[test]
fn clients_that_come_and_go_leave_nothing_behind() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    for round in 0..2000 {
        let mut passing = siege.attacker()?;
        if round % 2 == 0 {
            passing.send_bytes(&[0, 0, 0, 99, 0]);
        }
    }
    siege.endures(SLACK_KIB)
}

/// Fetches what is not there: the broker answers when this time has passed.
fn wait_for_nothing(siege: &mut Siege, wait_ms: i32) -> anyhow::Result<()> {
    let end = siege.good.end_offset(TOPIC, 0)?.map_err(|code| anyhow::anyhow!("no end offset: error {code}"))?;
    let partition = FetchPartition::default().with_fetch_offset(end).with_partition_max_bytes(1);
    let name = TopicName(StrBytes::from_static_str(TOPIC));
    let topic = FetchTopic::default().with_topic(name).with_partitions(vec![partition]);
    let request = FetchRequest::default().with_max_wait_ms(wait_ms).with_min_bytes(1).with_topics(vec![topic]);
    siege.good.ask(12, &request).map(drop)
}

/// The broker inherits the limit.
fn raise_the_limit_of_open_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("the limit of open files cannot be raised")
}
