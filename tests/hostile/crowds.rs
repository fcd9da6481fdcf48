//! Many clients at once, each of which does nearly nothing.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};
use cutaway_tests::batches::Batch;
use cutaway_tests::raw_client::{RawClient, Reply, frame};
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

/// The broker inherits the limit.
fn raise_the_limit_of_open_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("the limit of open files cannot be raised")
}
