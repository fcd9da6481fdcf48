//! Consumer groups: members, generations, commits, and what is told of them.

mod by_id;
mod members;
mod offsets;

use std::collections::BTreeMap;

use anyhow::Context;
use bytes::Bytes;
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};
use serde_json::Value;

use super::text;

/// Versions that differ in what they say: the oldest, the first with member ids of their own, the newest.
const JOIN_VERSIONS: [i16; 6] = [0, 1, 3, 5, 7, 9];

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    // Kafka makes its topic of groups when somebody first looks for a coordinator, and has to read it then.
    let question = FindCoordinatorRequest::default().with_key(text("g"));
    talk.learn_until(1, &question, |answer| answer["errorCode"] == 0)?;
    talk.learn_until(3, &heartbeat("g", "nobody", 1), |answer| answer["errorCode"] != 14 && answer["errorCode"] != 16)?;
    members::hold(talk)?;
    offsets::hold(talk)?;
    by_id::hold(talk)
}

/// A member id that the broker made up, without what it made up.
fn member_id(answer: &Value) -> anyhow::Result<String> {
    answer["memberId"].as_str().map(str::to_owned).context("the answer has no member id")
}

/// Puts names in the place of member ids, which every broker makes up for itself, and members in an order.
fn rename(answer: &mut Value, names: &BTreeMap<String, &str>) {
    match answer {
        Value::String(text) => {
            if let Some(name) = names.get(text.as_str()) {
                *text = (*name).to_owned();
            }
        }
        Value::Array(elements) => {
            elements.iter_mut().for_each(|element| rename(element, names));
            if elements.iter().all(|element| element.get("memberId").is_some()) {
                elements.sort_by_key(ToString::to_string);
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, names)),
        _ => {}
    }
}

pub(crate) fn join(group: &str, member: &str, protocols: &[&str]) -> JoinGroupRequest {
    let protocol = |name: &&str| {
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(subscription(&["groups-topic"]))
    };
    JoinGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(text(member))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(protocols.iter().map(protocol).collect())
}

pub(crate) fn sync(
    group: &str,
    member: &str,
    generation: i32,
    assignments: &[(&str, &'static [u8])],
) -> SyncGroupRequest {
    let assignment = |(member, assignment): &(&str, &'static [u8])| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from_static(assignment))
    };
    SyncGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(text(member))
        .with_generation_id(generation)
        .with_assignments(assignments.iter().map(assignment).collect())
}

pub(crate) fn heartbeat(group: &str, member: &str, generation: i32) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(text(member))
        .with_generation_id(generation)
}

pub(crate) fn leave(group: &str, members: &[(&str, Option<&str>)]) -> LeaveGroupRequest {
    let member = |(id, instance): &(&str, Option<&str>)| {
        MemberIdentity::default().with_member_id(text(id)).with_group_instance_id(instance.map(text))
    };
    LeaveGroupRequest::default().with_group_id(GroupId(text(group))).with_members(members.iter().map(member).collect())
}

/// What Java's consumer says of its wishes, in its oldest form.
fn subscription(topics: &[&str]) -> Bytes {
    let mut metadata = vec![0, 0];
    metadata.extend(i32::try_from(topics.len()).expect("a few").to_be_bytes());
    for topic in topics {
        metadata.extend(i16::try_from(topic.len()).expect("short").to_be_bytes());
        metadata.extend(topic.as_bytes());
    }
    metadata.extend((-1i32).to_be_bytes());
    metadata.into()
}
