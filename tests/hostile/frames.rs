//! Frames that are none: lengths, headers and counts that lie, other protocols, and silence.

use anyhow::ensure;
use cutaway_tests::broker::Launch;
use cutaway_tests::raw_client::{RawClient, Reply, frame};

use super::{SLACK_KIB, Siege};

/// `socket.request.max.bytes`.
const LARGEST_FRAME: i32 = 100 * 1024 * 1024;

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

#[test]
fn a_length_that_cannot_be_closes_the_connection() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    for length in [0, -1, i32::MIN, LARGEST_FRAME + 1, i32::MAX] {
        let mut attacker = siege.attacker()?;
        attacker.send_bytes(&length.to_be_bytes());
        siege.throws_out(&mut attacker, &format!("a length of {length}"))?;
    }
    siege.endures(SLACK_KIB)
}

#[test]
fn a_large_frame_of_anything_but_produce_closes_the_connection() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    let mut attacker = siege.attacker()?;
    attacker.send_bytes(&[&LARGEST_FRAME.to_be_bytes()[..], &METADATA.to_be_bytes()].concat());
    siege.throws_out(&mut attacker, "100 MiB of Metadata")?;
    siege.endures(SLACK_KIB)
}

#[test]
fn twenty_times_100_mib_announced_take_no_memory() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    let _crowd = announce_20_large_frames(&siege)?;
    siege.endures(SLACK_KIB)
}

fn announce_20_large_frames(siege: &Siege) -> anyhow::Result<Vec<RawClient>> {
    let mut crowd = Vec::new();
    for _ in 0..20 {
        let mut attacker = siege.attacker()?;
        attacker.send_bytes(&[&LARGEST_FRAME.to_be_bytes()[..], &PRODUCE.to_be_bytes()].concat());
        crowd.push(attacker);
    }
    Ok(crowd)
}

#[test]
fn other_protocols_are_told_from_kafkas_and_closed() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    let client_hello = [&[0x16, 3, 1, 0x02, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 500]].concat();
    let others: [(&str, &[u8]); 4] = [
        ("TLS", &client_hello),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost:9092\r\n\r\n"),
        ("HTTP", b"POST /topics HTTP/1.1\r\n\r\n{}"),
        ("a frame length", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ];
    for (name, bytes) in others {
        let mut attacker = siege.attacker()?;
        attacker.send_bytes(bytes);
        siege.throws_out(&mut attacker, name)?;
        let peer = format!("peer={}", attacker.address()?);
        let line = siege.broker.log().lines().find(|line| line.contains(&peer)).unwrap_or_default().to_owned();
        ensure!(line.contains(name), "the log does not call {name} by its name: {line}");
    }
    siege.endures(SLACK_KIB)
}

#[test]
fn unknown_apis_and_versions_close_the_connection() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    for key in [-1, i16::MIN, 4, 5, 6, 7, 24, 57, 999, i16::MAX] {
        let mut attacker = siege.attacker()?;
        attacker.send_frame(&frame(key, 0, 1, &[0; 20]))?;
        siege.throws_out(&mut attacker, &format!("API {key}"))?;
    }
    for (key, version) in [(0, 2), (0, 14), (1, 3), (1, 19), (2, 0), (3, 14), (19, 8), (20, -1), (22, i16::MAX)] {
        let mut attacker = siege.attacker()?;
        attacker.send_frame(&frame(key, version, 1, &[0; 20]))?;
        siege.throws_out(&mut attacker, &format!("API {key} version {version}"))?;
    }
    siege.endures(SLACK_KIB)
}

#[test]
fn half_a_frame_and_silence_keep_nobody_from_being_served() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    let request = frame(API_VERSIONS, 0, 1, &[]);
    let length = i32::try_from(request.len())?.to_be_bytes();
    let whole = [&length[..], &request].concat();
    let mut silent = Vec::new();
    for sent in 1..whole.len() {
        let mut attacker = siege.attacker()?;
        attacker.send_bytes(&whole[..sent]);
        silent.push(attacker);
    }
    siege.endures(SLACK_KIB)?;
    // They were only slow: whoever completes its request gets its answer.
    for (sent, attacker) in (1..).zip(&mut silent) {
        attacker.send_bytes(&whole[sent..]);
        let reply = attacker.receive_answer_to(1, API_VERSIONS, 0)?;
        ensure!(matches!(reply, Reply::Body(_)), "after {sent} bytes and the rest: {reply:?}");
    }
    Ok(())
}

#[test]
fn counts_that_lie_are_refused_before_memory_is_spent_on_them() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    lie_about_counts(&siege)?;
    siege.endures(SLACK_KIB)
}

/// A broker that reserved memory for what it is told would ask for it in vain here, and abort.
#[test]
fn under_an_address_space_limit_lies_about_sizes_still_cost_nothing() -> anyhow::Result<()> {
    let limits = vec!["-v 1000000".to_owned()];
    let mut siege = Siege::begin_with(Launch { limits, ..Launch::default() })?;
    lie_about_counts(&siege)?;
    let _crowd = announce_20_large_frames(&siege)?;
    siege.endures(SLACK_KIB)
}

/// The first two asked for 154 GB and 309 GB of memory, for arrays of 2^31-1 elements (kafka-protocol 0.18).
fn lie_about_counts(siege: &Siege) -> anyhow::Result<()> {
    let lies: [(i16, i16, &[u8]); 10] = [
        (METADATA, 0, &[0x7f, 0xff, 0xff, 0xff]),
        (METADATA, 9, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        (METADATA, 0, &[0x03, 0x39, 0x55, 0x80, 0, 0]),
        (METADATA, 9, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        (METADATA, 9, &[1, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        (METADATA, 0, &[0, 0, 0, 1, 0x7f, 0xff]),
        (PRODUCE, 3, &[0xff, 0xff, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff]),
        (1, 4, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]),
        (19, 5, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0]),
        (20, 4, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0]),
    ];
    for (key, version, body) in lies {
        let mut attacker = siege.attacker()?;
        attacker.send(key, version, body)?;
        siege.throws_out(&mut attacker, &format!("API {key} version {version} with {body:x?}"))?;
    }
    Ok(())
}
