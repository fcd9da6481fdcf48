//! Groups over the wire: every version, those who wait when the broker stops, and what a start finds again.

use std::sync::Arc;

use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{GroupId as WireGroup, *};
use uuid::Uuid;

use super::*;
use crate::config::BrokerConfig;
use crate::handlers::Call;
use crate::handlers::tests::{
    answer_bytes, ask, context, core_at, core_in_folder, create, decode_answer, request_bytes, wire,
};
use crate::journal::{Event, News};

fn group(name: &str) -> WireGroup {
    WireGroup(wire(name).0)
}

fn join(name: &str, member: &str) -> JoinGroupRequest {
    let protocol =
        JoinGroupRequestProtocol::default().with_name(wire("range").0).with_metadata(Bytes::from_static(b"\0"));
    JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_member_id(wire(member).0)
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_protocol_type(wire("consumer").0)
        .with_protocols(vec![protocol])
}

fn sync(name: &str, member: &str, generation: i32, assignment: &Bytes) -> SyncGroupRequest {
    let assignment =
        SyncGroupRequestAssignment::default().with_member_id(wire(member).0).with_assignment(assignment.clone());
    SyncGroupRequest::default()
        .with_group_id(group(name))
        .with_member_id(wire(member).0)
        .with_generation_id(generation)
        .with_assignments(vec![assignment])
}

fn commit(name: &str, topic: &str, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default().with_name(wire(topic)).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group(name))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

async fn committed(core: &Core, name: &str, topic: &str) -> i64 {
    let topic = OffsetFetchRequestTopic::default().with_name(wire(topic)).with_partition_indexes(vec![0]);
    let request = OffsetFetchRequest::default().with_group_id(group(name)).with_topics(Some(vec![topic]));
    ask(core, &request, 5).await.topics[0].partitions[0].committed_offset
}

/// Asks about a group and a topic of this name; false for another API.
pub(in crate::handlers) async fn converse(core: &Core, key: ApiKey, version: i16, name: &str) -> bool {
    let member = wire("somebody").0;
    match key {
        ApiKey::JoinGroup => {
            ask(core, &join(name, "somebody"), version).await;
            ask(core, &join(&format!("{name}-{version}"), ""), version).await;
        }
        ApiKey::SyncGroup => {
            let request = sync(name, "somebody", 1, &Bytes::new());
            ask(core, &request, version).await;
        }
        ApiKey::Heartbeat => {
            ask(core, &HeartbeatRequest::default().with_group_id(group(name)).with_member_id(member), version).await;
        }
        ApiKey::LeaveGroup => {
            let request = LeaveGroupRequest::default().with_group_id(group(name));
            let leaving = MemberIdentity::default().with_member_id(member.clone());
            let one = if version < 3 { request.with_member_id(member) } else { request.with_members(vec![leaving]) };
            ask(core, &one, version).await;
        }
        ApiKey::OffsetCommit if version >= topic_ids::BY_ID_FROM => {
            let id = core.topics.get(name).map_or(Uuid::from_u128(9), |topic| topic.id.uuid());
            let told = ask_by_id(core, &commit(name, &id.simple().to_string(), 5), id).await;
            assert_eq!(told.topics[0].topic_id, id);
        }
        ApiKey::OffsetCommit => drop(ask(core, &commit(name, name, 5), version).await),
        ApiKey::OffsetFetch => fetch(core, version, name).await,
        ApiKey::OffsetDelete => {
            let partition = OffsetDeleteRequestPartition::default();
            let topic = OffsetDeleteRequestTopic::default().with_name(wire(name)).with_partitions(vec![partition]);
            ask(core, &OffsetDeleteRequest::default().with_group_id(group(name)).with_topics(vec![topic]), version)
                .await;
        }
        ApiKey::DescribeGroups => {
            let request = DescribeGroupsRequest::default().with_groups(vec![group(name), group("no-such")]);
            ask(core, &request.with_include_authorized_operations(version >= 3), version).await;
        }
        ApiKey::ListGroups => drop(ask(core, &ListGroupsRequest::default(), version).await),
        ApiKey::DeleteGroups => {
            ask(core, &DeleteGroupsRequest::default().with_groups_names(vec![group("no-such")]), version).await;
        }
        _ => return false,
    }
    true
}

/// Asks in a version that names topics by their ids, which the message crate cannot write: the id stands in the request as
/// a name, in hexadecimal digits, and is put in its place.
async fn ask_by_id<R: kafka_protocol::protocol::Request>(core: &Core, request: &R, id: Uuid) -> R::Response {
    let mut bytes = request_bytes(request, topic_ids::BY_ID_FROM - 1, 77).to_vec();
    bytes[2..4].copy_from_slice(&topic_ids::BY_ID_FROM.to_be_bytes());
    let text = [&[33], id.simple().to_string().as_bytes()].concat();
    while let Some(at) = bytes.windows(text.len()).position(|window| window == text) {
        bytes.splice(at..at + text.len(), *id.as_bytes());
    }
    let call = Call::read(bytes.into()).expect("a header");
    let answer = crate::handlers::answer(core, &context(), call).await.expect("an answer");
    decode_answer::<R>(answer_bytes(answer), topic_ids::BY_ID_FROM).1
}

async fn fetch(core: &Core, version: i16, name: &str) {
    if version < 8 {
        let topic = OffsetFetchRequestTopic::default().with_name(wire(name)).with_partition_indexes(vec![0, 9]);
        let request = OffsetFetchRequest::default().with_group_id(group(name));
        ask(core, &request.clone().with_topics(Some(vec![topic])), version).await;
        ask(core, &request.with_topics((version < 2).then(Vec::new)), version).await;
        return;
    }
    let id = core.topics.get(name).map_or(Uuid::from_u128(9), |topic| topic.id.uuid());
    let by_id = version >= topic_ids::BY_ID_FROM;
    let name_or_id = if by_id { id.simple().to_string() } else { name.to_owned() };
    let topic = OffsetFetchRequestTopics::default().with_name(wire(&name_or_id)).with_partition_indexes(vec![0, 9]);
    let some = OffsetFetchRequestGroup::default().with_group_id(group(name)).with_topics(Some(vec![topic]));
    let all = OffsetFetchRequestGroup::default().with_group_id(group(name)).with_topics(None);
    let both = OffsetFetchRequest::default().with_groups(vec![some, all]);
    if by_id { drop(ask_by_id(core, &both, id).await) } else { drop(ask(core, &both, version).await) }
}

#[tokio::test]
async fn a_join_that_waits_is_answered_when_the_broker_stops() {
    let (core, _folder) = core_in_folder(|_| {});
    let first = ask(&core, &join("g", ""), 3).await;
    assert_eq!((first.error_code, first.generation_id), (0, 1));
    let waiting = Arc::new(context());
    let parked = {
        let (core, waiting) = (Arc::clone(&core), Arc::clone(&waiting));
        tokio::spawn(async move {
            let call = Call::read(request_bytes(&join("g", ""), 3, 7)).expect("a header");
            crate::handlers::answer(&core, &waiting, call).await.expect("an answer")
        })
    };
    while ask(
        &core,
        &HeartbeatRequest::default()
            .with_group_id(group("g"))
            .with_member_id(first.member_id.clone())
            .with_generation_id(1),
        3,
    )
    .await
    .error_code
        == 0
    {
        tokio::task::yield_now().await;
    }
    assert!(!parked.is_finished(), "the first member has not joined again");
    waiting.hurry.ask();
    let (_, answer) = decode_answer::<JoinGroupRequest>(answer_bytes(parked.await.expect("no bug")), 3);
    assert_eq!(answer.error_code, ResponseError::NotCoordinator.code());
}

#[tokio::test]
async fn the_life_of_a_group_is_in_the_journal() {
    let (core, _folder) = core_in_folder(|_| {});
    let (_, mut news) = core.journal().subscribe();
    let joined = ask(&core, &join("g", ""), 3).await;
    ask(&core, &sync("g", &joined.member_id, 1, &Bytes::from_static(b"part")), 3).await;
    ask(&core, &LeaveGroupRequest::default().with_group_id(group("g")).with_member_id(joined.member_id), 2).await;
    ask(&core, &DeleteGroupsRequest::default().with_groups_names(vec![group("g")]), 1).await;
    let mut told = Vec::new();
    while !matches!(told.last(), Some(Event::GroupDeleted { .. })) {
        let News::Happened(entry) = news.next().await else { panic!("nothing comes too fast") };
        told.extend(Some(entry.event.clone()).filter(|event| !matches!(event, Event::TopicCreated { .. })));
    }
    let (group, protocol) = ("g".to_owned(), "range".to_owned());
    let settled = Event::GroupSettled { group: group.clone(), generation: 1, members: 1, protocol };
    let emptied = Event::GroupEmptied { group: group.clone(), generation: 2 };
    assert_eq!(told, [settled, emptied, Event::GroupDeleted { group }]);
}

#[tokio::test]
async fn an_assignment_that_no_batch_can_hold_is_refused_and_hurts_nobody() {
    let (core, _folder) = core_in_folder(|_| {});
    create(&core, "t").await;
    let large = Bytes::from(vec![b'x'; 2 * 1024 * 1024]);
    let joined = ask(&core, &join("g", ""), 3).await;
    let refused = ask(&core, &sync("g", &joined.member_id, 1, &large), 3).await;
    assert_eq!(refused.error_code, ResponseError::UnknownServerError.code());
    let answer = ask(&core, &commit("other", "t", 5), 7).await;
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    let again = ask(&core, &join("g", &joined.member_id), 3).await;
    assert_eq!((again.error_code, again.generation_id), (0, 2));
    let small = Bytes::from_static(b"part");
    assert_eq!(ask(&core, &sync("g", &joined.member_id, 2, &small), 3).await.assignment, small);
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_start_but_for_topics_that_are_gone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    {
        let core = core_at(folder.path(), |_| {});
        for topic in ["kept", "gone", "replaced"] {
            create(&core, topic).await;
            ask(&core, &commit("g", topic, 7), 7).await;
        }
        let joined = ask(&core, &join("h", ""), 3).await;
        ask(&core, &sync("h", &joined.member_id, 1, &Bytes::from_static(b"part")), 3).await;
        for topic in ["gone", "replaced"] {
            let found = core.topics.get(topic).expect("there");
            // As if the broker had died before its coordinator heard of it.
            core.topics.delete(&context().principal, &found).await.expect("deleted");
        }
        create(&core, "replaced").await;
        assert_eq!(committed(&core, "g", "gone").await, 7);
        core.coordinator.close().await;
        core.topics.close().await.expect("closed");
    }
    let core = core_at(folder.path(), |_| {});
    assert_eq!(committed(&core, "g", "kept").await, 7);
    assert_eq!((committed(&core, "g", "gone").await, committed(&core, "g", "replaced").await), (-1, -1));
    let described = ask(&core, &DescribeGroupsRequest::default().with_groups(vec![group("h")]), 5).await;
    assert_eq!((&*described.groups[0].group_state, described.groups[0].members.len()), ("Stable", 1));
    assert_eq!(described.groups[0].members[0].member_assignment, Bytes::from_static(b"part"));
}

#[tokio::test]
async fn a_group_goes_on_in_a_new_topic_when_its_own_was_deleted() {
    let (core, _folder) = core_in_folder(|_| {});
    create(&core, "t").await;
    ask(&core, &commit("g", "t", 7), 7).await;
    let topic = core.topics.get("__consumer_offsets").expect("made by the commit");
    assert_eq!(topic.partitions.len(), 4);
    core.topics.delete(&context().principal, &topic).await.expect("deleted");
    assert_eq!(committed(&core, "g", "t").await, -1, "all is forgotten");
    let answer = ask(&core, &commit("g", "t", 8), 7).await;
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    assert_eq!(committed(&core, "g", "t").await, 8);
}

#[tokio::test]
async fn who_only_looks_makes_no_topic() {
    let (core, _folder) = core_in_folder(|_| {});
    assert_eq!(committed(&core, "g", "t").await, -1);
    assert!(ask(&core, &ListGroupsRequest::default(), 5).await.groups.is_empty());
    let described = ask(&core, &DescribeGroupsRequest::default().with_groups(vec![group("g")]), 5).await;
    assert_eq!(&*described.groups[0].group_state, "Dead");
    assert!(core.topics.get("__consumer_offsets").is_none());
}

#[tokio::test]
async fn what_is_damaged_in_the_topic_of_groups_costs_only_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("__consumer_offsets-0/00000000000000000000.log");
    let few = |config: &mut BrokerConfig| config.groups.offsets_topic_num_partitions = 1;
    {
        let core = core_at(folder.path(), few);
        create(&core, "t").await;
        for number in 0..30 {
            ask(&core, &commit(&format!("g{number}"), "t", number), 7).await;
        }
        core.coordinator.close().await;
        core.topics.close().await.expect("closed");
    }
    let mut bytes = std::fs::read(&path).expect("the log");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("damaged");

    let core = core_at(folder.path(), few);
    let mut known = Vec::new();
    for number in 0..30 {
        known.push(committed(&core, &format!("g{number}"), "t").await == number);
    }
    assert_eq!(known.iter().filter(|known| !**known).count(), 1, "{known:?}");
    assert_eq!(ask(&core, &commit("g7", "t", 70), 7).await.topics[0].partitions[0].error_code, 0);
    assert_eq!(committed(&core, "g7", "t").await, 70);
}

#[tokio::test]
async fn members_may_not_say_more_than_memory_can_hold() {
    let (core, _folder) = core_in_folder(|_| {});
    let large = Bytes::from(vec![b'x'; 9 * 1024 * 1024]);
    let mut first = join("g", "");
    first.protocols[0].metadata = large;
    assert_eq!(ask(&core, &first, 3).await.error_code, 0);
    assert_eq!(ask(&core, &first, 3).await.error_code, ResponseError::GroupMaxSizeReached.code());
}
