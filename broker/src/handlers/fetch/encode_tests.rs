//! What is written by hand is what the message crate reads.

use kafka_protocol::messages::ProducerId;
use kafka_protocol::messages::fetch_response::{AbortedTransaction as Aborted, FetchableTopicResponse};
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use uuid::Uuid;

use super::*;
use crate::handlers::tests::{answer_bytes, decode_answer};
use crate::storage::disk::Disk;

const NOT_LEADER: ResponseError = ResponseError::NotLeaderOrFollower;

/// What the segment file of these tests holds.
const CONTENT: &[u8] = b"0123456789";

fn key(version: i16, topic: u128, index: i32) -> PartitionKey {
    let topic = match version {
        TOPIC_IDS_FROM.. => TopicKey::Id(Uuid::from_u128(topic)),
        _ => TopicKey::Name(format!("topic-{topic}").into()),
    };
    PartitionKey { topic, index }
}

fn with_records(index: i32, range: FileRange) -> PartitionAnswer {
    PartitionAnswer {
        aborted: Some(vec![AbortedTransaction { producer_id: 5, first_offset: 6 }]),
        range: Some(range),
        ..PartitionAnswer::told(index, 11, 10, 2)
    }
}

fn check_topic(topic: &FetchableTopicResponse, version: i16, number: u128) {
    match key(version, number, 0).topic {
        TopicKey::Id(id) => assert_eq!(topic.topic_id, id),
        TopicKey::Name(name) => assert_eq!(topic.topic.as_str(), &*name),
    }
}

#[test]
fn the_message_crate_reads_what_is_written_in_every_version() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = Disk::default().open(&folder.path().join("0.log"), true).expect("a file");
    file.write_at(0, &[CONTENT]).expect("written");
    let cluster = [1, 2, 3].map(endpoint);
    for version in 4..=18 {
        let range = |position, length| FileRange { file: file.clone(), position, length };
        let diverging = Some(EpochEnd { epoch: 4, end_offset: 1 << 40 });
        let answers = [
            (key(version, 1, 0), with_records(0, range(2, 3))),
            (key(version, 1, 7), PartitionAnswer::failed(7, ResponseError::OffsetOutOfRange)),
            (key(version, 2, 1), PartitionAnswer::unknown(1, ResponseError::UnknownTopicOrPartition)),
            (key(version, 1, 3), PartitionAnswer { diverging, ..with_records(3, range(0, 10)) }),
            (
                key(version, 3, 0),
                PartitionAnswer { diverging, leader: Some((3, 8)), ..PartitionAnswer::failed(0, NOT_LEADER) },
            ),
            (key(version, 3, 1), PartitionAnswer { leader: Some((1, 9)), ..PartitionAnswer::failed(1, NOT_LEADER) }),
        ];
        let head = Head { api_key: 1, version, correlation_id: 9 };
        let encoded = encode(head, 0, 42, &answers, &cluster).expect("it encodes");
        let (id, response) = decode_answer::<FetchRequest>(answer_bytes(encoded), version);
        assert_eq!((id, response.error_code), (9, 0));
        assert_eq!(response.session_id, if version >= SESSION_FROM { 42 } else { 0 });
        // Neighbours share a topic's entry, others get one of their own.
        let shape: Vec<_> = response.responses.iter().map(|topic| topic.partitions.len()).collect();
        assert_eq!(shape, [2, 1, 1, 2]);
        check_topic(&response.responses[0], version, 1);
        check_topic(&response.responses[1], version, 2);
        let first = &response.responses[0].partitions[0];
        assert_eq!(first.records.as_deref(), Some(&CONTENT[2..5]));
        assert_eq!((first.high_watermark, first.last_stable_offset), (11, 10));
        assert_eq!(first.log_start_offset, if version >= LOG_START_FROM { 2 } else { -1 });
        let aborted = Aborted::default().with_producer_id(ProducerId(5)).with_first_offset(6);
        assert_eq!(first.aborted_transactions, Some(vec![aborted]));
        let failed = &response.responses[0].partitions[1];
        assert_eq!((failed.partition_index, failed.error_code, failed.high_watermark), (7, 1, -1));
        assert_eq!((failed.aborted_transactions.as_ref(), failed.records.as_deref()), (None, Some(&b""[..])));
        let unknown = &response.responses[1].partitions[0];
        assert_eq!((unknown.error_code, unknown.aborted_transactions.as_deref()), (3, Some(&[][..])));
        let diverged = &response.responses[2].partitions[0];
        assert_eq!(diverged.records.as_deref(), Some(CONTENT));
        let (epoch, end_offset) = if version >= FLEXIBLE_FROM { (4, 1 << 40) } else { (-1, -1) };
        assert_eq!((diverged.diverging_epoch.epoch, diverged.diverging_epoch.end_offset), (epoch, end_offset));
        check_leaders(&response, version);
    }
}

/// Who leads the partitions of the last topic, and where those two of the three nodes are.
fn check_leaders(response: &FetchResponse, version: i16) {
    let leaders = response.responses[3].partitions.iter().map(|partition| &partition.current_leader);
    let leaders: Vec<_> = leaders.map(|leader| (leader.leader_id.0, leader.leader_epoch)).collect();
    let endpoints = response.node_endpoints.iter();
    let endpoints: Vec<_> = endpoints.map(|node| (node.node_id.0, node.host.as_str(), node.port, &node.rack)).collect();
    if version < 16 {
        assert_eq!((leaders, endpoints), (vec![(-1, -1), (-1, -1)], vec![]));
    } else {
        assert_eq!(leaders, [(3, 8), (1, 9)]);
        assert_eq!(endpoints, [(1, "node-1", 9001, &None), (3, "node-3", 9003, &None)]);
    }
}

fn endpoint(node: i32) -> Arc<Endpoint> {
    let port = 9000 + u16::try_from(node).expect("a small number");
    Arc::new(Endpoint { node, listener: "PLAINTEXT".into(), host: format!("node-{node}"), port })
}

#[test]
fn an_answer_without_partitions_is_as_short_as_kafkas() {
    let head = Head { api_key: 1, version: 12, correlation_id: 5 };
    let bytes = answer_bytes(encode(head, 71, 0, &[], &[]).expect("it encodes"));
    assert_eq!(&bytes[..], [0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 71, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn old_clients_are_not_told_of_storage_errors() {
    let mut answer = PartitionAnswer::failed(0, ResponseError::KafkaStorageError);
    answer.hide_storage_error();
    assert_eq!(answer.code, 6);
    let mut other = PartitionAnswer::failed(0, ResponseError::OffsetOutOfRange);
    other.hide_storage_error();
    assert_eq!(other.code, 1);
}
