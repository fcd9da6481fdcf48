//! Which offset belongs to which time, and to the names that Kafka has for special ones.

use bytes::BytesMut;
use cutaway_tests::batches::Batch;
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::ListOffsetsRequest;
use kafka_protocol::protocol::Encodable;

use super::produce::Target;
use super::{list_offsets, make_topic};

const LIST_OFFSETS: i16 = 2;

/// The versions that the crate does not know yet, but whose bytes are those of the version before.
const NEWEST: i16 = 11;

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    let id = make_topic(talk, "offsets", 2)?;
    let target = Target { version: 9, name: "offsets", id };
    // The newest record is not the last one.
    for timestamp in [1000, 3000, 5000, 4000, 2000] {
        let records = vec![(None, Some(b"v".to_vec())); 2];
        talk.learn(9, &target.request(0, Some(Batch { timestamp, records, ..Batch::default() }.bytes()))?)?;
    }
    for version in 1..=NEWEST {
        for timestamp in
            [-1, -2, -3, -4, -5, -6, -7, -100, i64::MIN, 0, 999, 1000, 1001, 3500, 4000, 5000, 5001, i64::MAX]
        {
            ask(
                talk,
                &format!("timestamp {timestamp}"),
                version,
                &list_offsets(version, "offsets", &[(0, -1, timestamp)]),
            )?;
        }
        for timestamp in [-1, -2, -3, 0] {
            let empty = list_offsets(version, "offsets", &[(1, -1, timestamp)]);
            ask(talk, &format!("timestamp {timestamp} of an empty partition"), version, &empty)?;
        }
        ask(talk, "a topic that is not there", version, &list_offsets(version, "nowhere", &[(0, -1, -1)]))?;
        ask(talk, "a name that is not allowed", version, &list_offsets(version, "bad/name", &[(0, -1, -1)]))?;
        ask(talk, "a partition that is not there", version, &list_offsets(version, "offsets", &[(5, -1, -1)]))?;
        ask(
            talk,
            "a partition twice",
            version,
            &list_offsets(version, "offsets", &[(0, -1, -1), (0, -1, -2), (1, -1, -1)]),
        )?;
        let mut twice = list_offsets(version, "offsets", &[(0, -1, -1)]);
        twice.topics.push(list_offsets(version, "offsets", &[(1, -1, -1)]).topics[0].clone());
        ask(talk, "a topic twice", version, &twice)?;
        ask(talk, "no partitions", version, &list_offsets(version, "offsets", &[]))?;
        if version >= 2 {
            let committed = list_offsets(version, "offsets", &[(0, -1, -1)]).with_isolation_level(1);
            ask(talk, "the end of what is committed", version, &committed)?;
        }
        if version >= 4 {
            for epoch in [0, 5, -2] {
                let fenced = list_offsets(version, "offsets", &[(0, epoch, -1)]);
                ask(talk, &format!("leader epoch {epoch}"), version, &fenced)?;
            }
        }
        for replica in [-2, 1, 7] {
            let from = list_offsets(version, "offsets", &[(0, -1, -1)]).with_replica_id(replica.into());
            ask(talk, &format!("replica {replica}"), version, &from)?;
        }
    }
    Ok(())
}

fn ask(talk: &mut Talk, name: &str, version: i16, request: &ListOffsetsRequest) -> anyhow::Result<()> {
    let mut body = BytesMut::new();
    request.encode(&mut body, version.min(NEWEST - 1))?;
    talk.ask_bytes(name, LIST_OFFSETS, version, &body)?;
    Ok(())
}
