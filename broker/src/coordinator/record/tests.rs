//! Records byte by byte, as Kafka writes and once wrote them.

use uuid::Uuid;

use super::*;
use crate::names::TopicId;

fn group() -> GroupId {
    GroupId::new("txgroup")
}

fn decoded(record: &Record) -> Record {
    let (key, value) = record.encode();
    Record::decode(key.into(), value.map(Bytes::from)).expect("our own record")
}

/// What a Kafka 4.3 wrote for a group that had just been made, and for a commit in its name.
#[test]
fn records_are_those_of_kafka() {
    let empty = GroupRecord {
        protocol_type: String::new(),
        generation: 0,
        protocol: None,
        leader: None,
        state_since_ms: 0x0000_01a2_08bc_15d1,
        members: Vec::new(),
    };
    let record = Record::Group { group: group(), metadata: Some(empty) };
    let key = b"\x00\x02\x00\x07txgroup".to_vec();
    let value =
        b"\x00\x03\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x01\xa2\x08\xbc\x15\xd1\x00\x00\x00\x00".to_vec();
    assert_eq!(record.encode(), (key, Some(value)));
    assert_eq!(decoded(&record), record);

    let committed = CommittedOffset {
        offset: 3,
        leader_epoch: -1,
        metadata: String::new(),
        committed_at_ms: 0x0000_01a2_08bc_1681,
        expires_at_ms: None,
        topic_id: None,
    };
    let topic = TopicName::parse("c-none").expect("a name");
    let record = Record::Offset { group: group(), topic, partition: 0, committed: Some(committed) };
    let key = b"\x00\x01\x00\x07txgroup\x00\x06c-none\x00\x00\x00\x00".to_vec();
    let value =
        b"\x00\x04\x00\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff\x01\x00\x00\x01\xa2\x08\xbc\x16\x81\x00".to_vec();
    assert_eq!(record.encode(), (key, Some(value)));
    assert_eq!(decoded(&record), record);
}

#[test]
fn a_member_is_written_with_all_that_it_said() {
    let member = MemberRecord {
        id: "c-1".into(),
        instance: Some("i".into()),
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 300_000,
        session_timeout_ms: 45_000,
        subscription: Bytes::from_static(b"\x00\x03sub"),
        assignment: Bytes::from_static(b"ass"),
    };
    let metadata = GroupRecord {
        protocol_type: "consumer".into(),
        generation: 1,
        protocol: Some("range".into()),
        leader: Some("c-1".into()),
        state_since_ms: -1,
        members: vec![member],
    };
    let record = Record::Group { group: group(), metadata: Some(metadata) };
    assert_eq!(decoded(&record), record);
    let (_, value) = record.encode();
    let written = b"\0\x03c-1\0\x01i\0\x01c\0\x0a/127.0.0.1\0\x04\x93\xe0\0\0\xaf\xc8\0\0\0\x05\0\x03sub\0\0\0\x03ass";
    assert!(value.expect("a value").ends_with(written));
}

#[test]
fn an_expiry_takes_version_1_and_a_topic_id_a_tag() {
    let topic_id = TopicId::from_uuid(Uuid::from_u128(5)).expect("an id");
    let mut committed = CommittedOffset {
        offset: 1,
        leader_epoch: 2,
        metadata: "m".into(),
        committed_at_ms: 3,
        expires_at_ms: None,
        topic_id: Some(topic_id),
    };
    let value = committed.encode();
    assert!(value.ends_with(b"\x01\x00\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05"), "{value:?}");
    assert_eq!(CommittedOffset::decode(value.into()), Ok(committed.clone()));
    committed.expires_at_ms = Some(9);
    let value = committed.encode();
    assert_eq!(value, b"\0\x01\0\0\0\0\0\0\0\x01\0\x01m\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x09");
    let read = CommittedOffset::decode(value.into()).expect("our own");
    assert_eq!((read.leader_epoch, read.expires_at_ms, read.topic_id), (-1, Some(9), None));
}

#[test]
fn older_versions_are_read() {
    let read = CommittedOffset::decode(Bytes::from_static(b"\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\x03"));
    assert_eq!(read.map(|read| (read.offset, read.committed_at_ms)), Ok((1, 3)));
    let read = CommittedOffset::decode(Bytes::from_static(b"\0\x03\0\0\0\0\0\0\0\x01\0\0\0\x07\0\0\0\0\0\0\0\0\0\x03"));
    assert_eq!(read.map(|read| (read.leader_epoch, read.committed_at_ms)), Ok((7, 3)));
    let oldest = b"\0\0\0\x01k\0\0\0\x01\0\x01r\0\x01a\0\0\0\x01\0\x01a\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\0";
    let read = GroupRecord::decode(Bytes::from_static(oldest)).expect("version 0");
    assert_eq!((read.members[0].rebalance_timeout_ms, read.state_since_ms), (9, -1));
    let flexible =
        b"\0\x04\x02k\0\0\0\x01\x02r\x02a\0\0\0\0\0\0\0\x05\x02\x02a\0\x01\x01\0\0\0\x08\0\0\0\x09\x01\x02x\0\0";
    let read = GroupRecord::decode(Bytes::from_static(flexible)).expect("version 4");
    assert_eq!((read.members[0].session_timeout_ms, read.members[0].assignment.as_ref()), (9, &b"x"[..]));
}

#[test]
fn what_is_damaged_or_from_the_future_is_refused() {
    let key = |bytes: &'static [u8]| Record::decode(Bytes::from_static(bytes), None);
    assert_eq!(key(b""), Err(Unreadable::EndsEarly));
    assert_eq!(key(b"\0\x02\0\x05ab"), Err(Unreadable::EndsEarly));
    assert_eq!(key(b"\0\x02\xff\xff"), Err(Unreadable::Null));
    assert_eq!(key(b"\0\x02\0\x01\xff"), Err(Unreadable::NotText));
    assert_eq!(key(b"\0\x03\0\x01g"), Err(Unreadable::Unknown { what: "the kind of record", number: 3 }));
    assert!(matches!(key(b"\0\x01\0\x01g\0\x01/\0\0\0\0"), Err(Unreadable::Topic(_))));
    let group = |bytes: &'static [u8]| GroupRecord::decode(Bytes::from_static(bytes));
    assert!(group(b"\0\x09").is_err());
    // A count that no bytes stand behind reserves nothing.
    assert_eq!(group(b"\0\0\0\0\0\0\0\0\xff\xff\xff\xff\x7f\xff\xff\xff"), Err(Unreadable::EndsEarly));
}
