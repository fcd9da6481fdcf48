//! The table is whole: every version that it advertises is decoded, handled and encoded.
//!
//! What a broker needs in other rooms' tests of handlers stands here as well.

use std::path::Path;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{TopicName as WireName, *};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};
use tempfile::TempDir;
use uuid::Uuid;

use super::apis::APIS;
use super::*;
use crate::storage::batch::{BatchBuilder, Compression};

/// A core in a folder of its own, which is removed with it.
pub(crate) fn core_in_folder(change: impl FnOnce(&mut BrokerConfig)) -> (Arc<Core>, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    (core_at(folder.path(), change), folder)
}

/// A core in a folder that may have been another's before.
pub(crate) fn core_at(folder: &Path, change: impl FnOnce(&mut BrokerConfig)) -> Arc<Core> {
    let mut config = BrokerConfig { log_dir: folder.to_owned(), ..BrokerConfig::default() };
    change(&mut config);
    let (config, clock, journal) = (Arc::new(config), Clock::system(), Journal::default());
    let disk = crate::storage::disk::Disk::default();
    let topics = Topics::open(disk, clock.clone(), config, journal.clone()).expect("the folder opens");
    Arc::new(Core::new(topics, clock, journal))
}

/// A client on the loopback.
pub(crate) fn context() -> RequestContext {
    context_of_node(1, 1)
}

/// A client of one of so many nodes.
pub(crate) fn context_of_node(node: i32, count: i32) -> RequestContext {
    let endpoint = |node: i32| {
        Arc::new(Endpoint { node, listener: "PLAINTEXT".into(), host: "broker.test".into(), port: 9091 + node as u16 })
    };
    let cluster = (1..=count).map(endpoint).collect();
    RequestContext::new(endpoint(node), cluster, ([127, 0, 0, 1], 40000).into(), 1)
}

/// The name of a client whose requests meet a bug: no request is known that does.
pub(crate) const MEETS_A_BUG: &str = "meets-a-bug";

/// The bug.
pub(super) fn panic_if_asked(context: &RequestContext) {
    assert_ne!(*context.client_id, *MEETS_A_BUG, "a bug");
}

/// A topic's name on the wire.
pub(crate) fn wire(name: &str) -> WireName {
    WireName(StrBytes::from_string(name.to_owned()))
}

/// A batch of these values, as a producer sends it.
pub(crate) fn records(values: &[&[u8]]) -> Bytes {
    let mut batch = BatchBuilder::new(Compression::None);
    for value in values {
        batch.push(Clock::system().now_ms(), Some(b"key"), Some(value), &[]);
    }
    batch.build().bytes().clone()
}

/// A request with its header, without its length.
pub(crate) fn request_bytes<R: Request>(request: &R, version: i16, correlation_id: i32) -> Bytes {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("test")));
    let mut bytes = BytesMut::new();
    let layout = version.min(<R as Message>::VERSIONS.max);
    header.encode(&mut bytes, R::header_version(layout)).expect("a header");
    request.encode(&mut bytes, layout).expect("a request");
    bytes.freeze()
}

/// Decodes an answer without its length; nothing may be left over.
pub(crate) fn decode_answer<R: Request>(mut bytes: Bytes, version: i16) -> (i32, R::Response) {
    let layout = version.min(<R::Response as Message>::VERSIONS.max);
    let header = ResponseHeader::decode(&mut bytes, R::Response::header_version(layout)).expect("a header");
    let response = R::Response::decode(&mut bytes, layout).expect("a response");
    assert!(bytes.is_empty(), "{} bytes are left over in version {version}", bytes.len());
    (header.correlation_id, response)
}

/// The bytes of an answer, files read, without the length, which is checked.
pub(crate) fn answer_bytes(answer: Answer) -> Bytes {
    let mut bytes = BytesMut::new();
    for part in answer.parts {
        match part {
            Part::Bytes(part) => bytes.extend_from_slice(&part),
            Part::File(range) => {
                let start = bytes.len();
                bytes.resize(start + range.length as usize, 0);
                let count = range.file.read_at(range.position, &mut bytes[start..]).expect("a segment");
                assert_eq!(count, range.length as usize);
            }
        }
    }
    assert_eq!(bytes.get_u32() as usize, bytes.len(), "the length is that of what follows");
    bytes.freeze()
}

/// Asks the handlers, as the connection does.
pub(crate) async fn ask<R: Request>(core: &Core, request: &R, version: i16) -> R::Response {
    let call = Call::read(request_bytes(request, version, 77)).expect("a header");
    let answer = answer(core, &context(), call).await.unwrap_or_else(|hangup| panic!("version {version}: {hangup}"));
    let (correlation_id, response) = decode_answer::<R>(answer_bytes(answer), version);
    assert_eq!(correlation_id, 77);
    response
}

/// Creates a topic with one partition and gives its id.
pub(crate) async fn create(core: &Core, name: &str) -> Uuid {
    let topic = CreatableTopic::default().with_name(wire(name)).with_num_partitions(1).with_replication_factor(1);
    let response = ask(core, &CreateTopicsRequest::default().with_topics(vec![topic]), 7).await;
    assert_eq!(response.topics[0].error_code, 0, "{response:?}");
    response.topics[0].topic_id
}

/// A Produce request of one batch to partition 0.
pub(crate) fn produce(topic: &str, id: Uuid, version: i16, records: Option<Bytes>) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_index(0).with_records(records);
    let topic = TopicProduceData::default()
        .with_name(if version < 13 { wire(topic) } else { WireName::default() })
        .with_topic_id(if version < 13 { Uuid::nil() } else { id })
        .with_partition_data(vec![partition]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

/// A Fetch request for partition 0 from an offset on, which waits for one byte.
pub(crate) fn fetch(topic: &str, id: Uuid, version: i16, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition =
        FetchPartition::default().with_partition(0).with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(if version < 13 { wire(topic) } else { WireName::default() })
        .with_topic_id(if version < 13 { Uuid::nil() } else { id })
        .with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 25)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// A DeleteTopics request for a name, and for an id where the version has them.
fn delete_what_is_not_there(version: i16) -> DeleteTopicsRequest {
    if version < 6 {
        return DeleteTopicsRequest::default().with_topic_names(vec![wire("nowhere")]);
    }
    let by_id = DeleteTopicState::default().with_topic_id(Uuid::from_u128(9));
    let by_name = DeleteTopicState::default().with_name(Some(wire("nowhere")));
    DeleteTopicsRequest::default().with_topics(vec![by_id, by_name])
}

/// Asks who coordinates a group.
fn find_coordinator(name: &str, version: i16) -> FindCoordinatorRequest {
    let key = wire(name).0;
    let request = FindCoordinatorRequest::default();
    if version < 4 { request.with_key(key) } else { request.with_coordinator_keys(vec![key]) }
}

/// Two conversations in every version: about a topic that exists, and about one that does not.
async fn converse(core: &Core, api: &Api, version: i16, id: Uuid) {
    for (name, id) in [("there", id), ("nowhere", Uuid::from_u128(7))] {
        match api.key {
            ApiKey::Produce => {
                for bytes in [Some(records(&[b"value"])), Some(Bytes::from_static(b"no batch")), None] {
                    if bytes.is_some() || version < 9 {
                        ask(core, &produce(name, id, version, bytes), version).await;
                    }
                }
            }
            ApiKey::Fetch => {
                ask(core, &fetch(name, id, version, 0, 0), version).await;
                ask(core, &fetch(name, id, version, 1_000_000, 0), version).await;
            }
            ApiKey::ListOffsets => {
                for partition in (-7..2).map(|time| ListOffsetsPartition::default().with_timestamp(time)) {
                    let topic = ListOffsetsTopic::default().with_name(wire(name)).with_partitions(vec![partition]);
                    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
                    ask(core, &request, version).await;
                }
            }
            ApiKey::Metadata => {
                let topic = MetadataRequestTopic::default().with_name(Some(wire(name)));
                let request = MetadataRequest::default()
                    .with_allow_auto_topic_creation(version < 4)
                    .with_include_topic_authorized_operations(version >= 8)
                    .with_include_cluster_authorized_operations((8..=10).contains(&version));
                ask(core, &request.clone().with_topics(Some(vec![topic])), version).await;
                ask(core, &request.with_topics((version > 0).then(Vec::new)), version.max(1)).await;
            }
            ApiKey::FindCoordinator => {
                ask(core, &find_coordinator(name, version), version).await;
                if version >= 1 {
                    ask(core, &find_coordinator(name, version).with_key_type(9), version).await;
                }
            }
            ApiKey::ApiVersions => {
                ask(core, &ApiVersionsRequest::default(), version).await;
                let request = ApiVersionsRequest::default().with_client_software_name(StrBytes::from_static_str("t"));
                ask(core, &request.with_client_software_version(StrBytes::from_static_str("1")), version).await;
            }
            ApiKey::CreateTopics => {
                for name in [name, "also/bad", "new"] {
                    let topic = CreatableTopic::default().with_name(wire(name));
                    let topic = topic.with_num_partitions(1).with_replication_factor(1);
                    let request = CreateTopicsRequest::default().with_validate_only(true).with_topics(vec![topic]);
                    ask(core, &request, version).await;
                }
            }
            ApiKey::DeleteTopics => drop(ask(core, &delete_what_is_not_there(version), version).await),
            ApiKey::InitProducerId => {
                let request = InitProducerIdRequest::default().with_transaction_timeout_ms(1000);
                ask(core, &request, version).await;
                ask(core, &request.with_transactional_id(Some(wire("some").0.into())), version).await;
            }
            other => converse_by_theme(core, other, version, name).await,
        }
    }
}

async fn converse_by_theme(core: &Core, key: ApiKey, version: i16, name: &str) {
    let is_held = configs::tests::converse(core, key, version, name).await
        || groups::tests::converse(core, key, version, name).await;
    if !is_held {
        administration_tests::converse(core, key, version, name).await;
    }
}

#[tokio::test]
async fn every_advertised_version_is_answered_in_that_version() {
    let (core, _folder) = core_in_folder(|config| config.auto_create_topics_enable = false);
    let id = create(&core, "there").await;
    for api in &APIS {
        for version in api.oldest..=api.newest {
            converse(&core, api, version, id).await;
        }
    }
}

#[test]
fn only_two_apis_are_newer_than_the_message_crate() {
    for api in &APIS {
        let ahead = api.newest - api.key.valid_versions().max;
        let expected = i16::from(matches!(api.key, ApiKey::ListOffsets | ApiKey::DescribeLogDirs));
        assert_eq!(ahead.max(0), expected, "{:?}", api.key);
    }
}

#[test]
fn keys_ascend_and_ranges_are_ranges() {
    assert!(APIS.is_sorted_by_key(|api| api.key as i16));
    assert!(APIS.iter().all(|api| api.advertised_from <= api.oldest && api.oldest <= api.newest));
}
