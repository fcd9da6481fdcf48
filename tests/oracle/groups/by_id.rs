//! Commits that name topics by their ids alone (KIP-848): what is told of ids that nobody has, and of topics that are gone.

use bytes::{BufMut, BytesMut};
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::{DeleteTopicsRequest, OffsetFetchRequest};
use uuid::Uuid;

use super::super::{make_topic, topic_name};
use super::offsets::of_group;

const OFFSET_COMMIT: i16 = 8;
const OFFSET_FETCH: i16 = 9;
/// The first version with ids; the message crate cannot write it.
const VERSION: i16 = 10;

pub(super) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    let known = Uuid::try_parse(&make_topic(talk, "groups-by-id", 2)?)?;
    let other = Uuid::try_parse(&make_topic(talk, "groups-by-id-too", 1)?)?;
    let unknown = Uuid::from_u128(7);
    let mut commit = |name: &str, offsets: &[(Uuid, i32, i64)]| {
        talk.ask_bytes(name, OFFSET_COMMIT, VERSION, &commit_request("by-id", offsets)).map(drop)
    };
    commit("a commit by id", &[(known, 0, 5), (other, 0, 6)])?;
    commit("a commit for an id that nobody has", &[(unknown, 0, 1)])?;
    commit("one for the id that stands for none", &[(Uuid::nil(), 0, 1)])?;
    commit("commits for all of these", &[(unknown, 3, 1), (known, 1, 8), (Uuid::nil(), 0, 1), (known, 7, 1)])?;
    commit("a commit of nothing by id", &[])?;
    let mut fetch = |name: &str, topics: Option<&[(Uuid, &[i32])]>| {
        talk.ask_bytes(name, OFFSET_FETCH, VERSION, &fetch_request("by-id", topics)).map(drop)
    };
    fetch("offsets by id", Some(&[(known, &[0, 1, 7]), (other, &[0])]))?;
    fetch("offsets of an id that nobody has", Some(&[(unknown, &[0, 1])]))?;
    fetch("offsets of the id that stands for none", Some(&[(Uuid::nil(), &[0])]))?;
    fetch(
        "offsets of known and unknown ids",
        Some(&[(unknown, &[2]), (known, &[1]), (Uuid::nil(), &[0]), (other, &[0])]),
    )?;
    fetch("offsets of no ids", Some(&[]))?;
    let everything = fetch_request("by-id", None);
    talk.ask_bytes_in_any_order("all offsets by id", OFFSET_FETCH, VERSION, &everything)?;
    talk.learn(
        3,
        &DeleteTopicsRequest::default().with_topic_names(vec![topic_name("groups-by-id-too")]).with_timeout_ms(10_000),
    )?;
    let by_name = OffsetFetchRequest::default().with_groups(vec![of_group("by-id", None)]);
    talk.learn_until(8, &by_name, |answer| {
        answer["groups"][0]["topics"].as_array().is_some_and(|topics| topics.len() == 1)
    })?;
    talk.ask_bytes("all offsets once a topic is gone", OFFSET_FETCH, VERSION, &everything)?;
    Ok(())
}

fn commit_request(group: &str, offsets: &[(Uuid, i32, i64)]) -> BytesMut {
    let mut body = BytesMut::new();
    put_text(&mut body, group);
    body.put_i32(-1);
    put_text(&mut body, "");
    body.put_u8(0);
    put_count(&mut body, offsets.len());
    for (topic, partition, offset) in offsets {
        body.put_slice(topic.as_bytes());
        put_count(&mut body, 1);
        body.put_i32(*partition);
        body.put_i64(*offset);
        body.put_i32(-1);
        put_text(&mut body, "by id");
        // No tags of the partition, of the topic.
        body.put_slice(&[0, 0]);
    }
    body.put_u8(0);
    body
}

fn fetch_request(group: &str, topics: Option<&[(Uuid, &[i32])]>) -> BytesMut {
    let mut body = BytesMut::new();
    put_count(&mut body, 1);
    put_text(&mut body, group);
    // No member: a null id, no epoch.
    body.put_u8(0);
    body.put_i32(-1);
    match topics {
        None => body.put_u8(0),
        Some(topics) => {
            put_count(&mut body, topics.len());
            for (topic, partitions) in topics {
                body.put_slice(topic.as_bytes());
                put_count(&mut body, partitions.len());
                partitions.iter().for_each(|partition| body.put_i32(*partition));
                body.put_u8(0);
            }
        }
    }
    // No tags of the group; not only stable offsets; no tags.
    body.put_slice(&[0, 0, 0]);
    body
}

/// A compact string.
fn put_text(body: &mut BytesMut, text: &str) {
    put_count(body, text.len());
    body.put_slice(text.as_bytes());
}

/// The count of a compact array or string, which is small.
fn put_count(body: &mut BytesMut, count: usize) {
    body.put_u8(u8::try_from(count + 1).expect("a small number"));
}
