//! What is committed, told and deleted.

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    DeleteTopicsRequest, GroupId, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
};

use super::super::{make_topic, text, topic_name};
use super::{heartbeat, join, leave, member_id, sync};

const TOPIC: &str = "groups-topic";

pub(super) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    make_topic(talk, TOPIC, 2)?;
    for version in 2..=9 {
        by_nobody(talk, version)?;
    }
    by_members(talk)?;
    deleted(talk)
}

/// Commits without membership.
fn by_nobody(talk: &mut Talk, version: i16) -> anyhow::Result<()> {
    let group = format!("nobody-{version}");
    let group = group.as_str();
    let mut ask = |name: &str, request: OffsetCommitRequest| talk.ask(name, version, &request).map(drop);
    ask("a commit", commit(group, &[(TOPIC, 0, 5), (TOPIC, 1, 0)]))?;
    ask("a commit of many kinds", commit(group, &[(TOPIC, 0, -5), (TOPIC, 7, 1), ("no-such", 0, 1), (TOPIC, -1, 1)]))?;
    ask("the same partition twice", commit(group, &[(TOPIC, 0, 7), (TOPIC, 0, 8)]))?;
    ask("a commit of nothing", commit(group, &[]))?;
    ask("a commit without a group", commit("", &[(TOPIC, 0, 3)]))?;
    let long = |length: usize| {
        let mut request = commit(group, &[(TOPIC, 1, 9)]);
        request.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(length)));
        request
    };
    ask("as much metadata as may be", long(4096))?;
    ask("more metadata than may be", long(4097))?;
    let mut null = commit(group, &[(TOPIC, 1, 10)]);
    null.topics[0].partitions[0].committed_metadata = None;
    ask("no metadata", null)?;
    ask(
        "a commit of a generation that is none",
        commit(group, &[(TOPIC, 0, 1)]).with_generation_id_or_member_epoch(3),
    )?;
    let stranger = commit("not-there", &[(TOPIC, 0, 1)]).with_generation_id_or_member_epoch(3);
    ask("a commit for a group that is not there", stranger.with_member_id(text("m")))?;
    for version in 1..=9 {
        talk.ask(
            &format!("what {group} has"),
            version,
            &fetch(version, group, Some(&[(TOPIC, &[0, 1, 2]), ("no-such", &[0])])),
        )?;
        talk.ask(&format!("nothing of {group}"), version, &fetch(version, group, Some(&[])))?;
        if version >= 2 {
            talk.ask(&format!("all that {group} has"), version, &fetch(version, group, None))?;
        }
    }
    Ok(())
}

/// Commits of members and of those who are none.
fn by_members(talk: &mut Talk) -> anyhow::Result<()> {
    let group = "committing";
    let member = member_id(&talk.learn(3, &join(group, "", &["range"]))?)?;
    let of = |generation: i32, member: &str, offset: i64| {
        commit(group, &[(TOPIC, 0, offset)]).with_member_id(text(member)).with_generation_id_or_member_epoch(generation)
    };
    for version in [2, 7, 9] {
        talk.ask("a commit before the sync", version, &of(1, &member, 1))?;
    }
    talk.learn(3, &sync(group, &member, 1, &[(&member, b"")]))?;
    for version in [2, 7, 9] {
        talk.ask("a commit of a member", version, &of(1, &member, 2))?;
        talk.ask("a commit of an older generation", version, &of(0, &member, 3))?;
        talk.ask("a commit of a generation to come", version, &of(2, &member, 3))?;
        talk.ask("a commit of a stranger", version, &of(1, "stranger", 3))?;
        talk.ask("a commit of nobody in a group that has members", version, &of(-1, "", 3))?;
        talk.ask("a commit of a member without a generation", version, &of(-1, &member, 3))?;
    }
    talk.ask("a commit under a name", 7, &of(1, &member, 3).with_group_instance_id(Some(text("i"))))?;
    talk.ask("what is committed", 5, &fetch(5, group, Some(&[(TOPIC, &[0])])))?;
    talk.ask("its topic is in use", 0, &delete_offsets(group, &[(TOPIC, &[0, 1, 7]), ("no-such", &[0])]))?;
    talk.ask("still alive", 3, &heartbeat(group, &member, 1))?;
    talk.learn(3, &leave(group, &[(&member, None)]))?;
    talk.ask("a commit of one that left", 7, &of(1, &member, 4))?;
    talk.ask("a commit of nobody in an empty group", 7, &of(-1, "", 5))?;
    talk.ask("its topic is not in use", 0, &delete_offsets(group, &[(TOPIC, &[0, 1])]))?;
    talk.ask("what is left", 5, &fetch(5, group, None))?;
    let workers = join("workers", "", &["sessioned"]).with_protocol_type(text("connect"));
    talk.learn(3, &workers)?;
    talk.ask("offsets of others than consumers", 0, &delete_offsets("workers", &[(TOPIC, &[0])]))?;
    talk.ask("offsets of a group that is not there", 0, &delete_offsets("not-there", &[(TOPIC, &[0])]))?;
    talk.ask("offsets of no group", 0, &delete_offsets("", &[(TOPIC, &[0])]))?;
    talk.ask("no offsets", 0, &delete_offsets(group, &[]))?;
    Ok(())
}

/// A topic goes, and what was committed for it.
fn deleted(talk: &mut Talk) -> anyhow::Result<()> {
    make_topic(talk, "groups-gone", 1)?;
    talk.learn(7, &commit("bereft", &[("groups-gone", 0, 1), (TOPIC, 0, 2)]))?;
    talk.ask_in_any_order("before the topic is deleted", 5, &fetch(5, "bereft", None))?;
    talk.learn(
        3,
        &DeleteTopicsRequest::default().with_topic_names(vec![topic_name("groups-gone")]).with_timeout_ms(10_000),
    )?;
    let all = fetch(5, "bereft", None);
    talk.learn_until(5, &all, |answer| answer["topics"].as_array().is_some_and(|topics| topics.len() == 1))?;
    talk.ask("after the topic is deleted", 5, &all)?;
    let several = OffsetFetchRequest::default().with_groups(vec![
        of_group("bereft", None),
        of_group("not-there", None),
        of_group("", Some(&[(TOPIC, &[0])])),
        of_group("bereft", Some(&[(TOPIC, &[1, 0])])),
    ]);
    for version in 8..=9 {
        talk.ask("several groups", version, &several)?;
        talk.ask("no groups", version, &OffsetFetchRequest::default())?;
        talk.ask("stable ones", version, &several.clone().with_require_stable(true))?;
    }
    Ok(())
}

fn commit(group: &str, offsets: &[(&str, i32, i64)]) -> OffsetCommitRequest {
    let topic = |(topic, partition, offset): &(&str, i32, i64)| {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_metadata(Some(text("")));
        OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition])
    };
    OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(offsets.iter().map(topic).collect())
}

fn fetch(version: i16, group: &str, topics: Option<&[(&str, &[i32])]>) -> OffsetFetchRequest {
    if version >= 8 {
        return OffsetFetchRequest::default().with_groups(vec![of_group(group, topics)]);
    }
    let topic = |(name, partitions): &(&str, &[i32])| {
        OffsetFetchRequestTopic::default().with_name(topic_name(name)).with_partition_indexes(partitions.to_vec())
    };
    OffsetFetchRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(topics.map(|topics| topics.iter().map(topic).collect()))
}

pub(super) fn of_group(group: &str, topics: Option<&[(&str, &[i32])]>) -> OffsetFetchRequestGroup {
    let topic = |(name, partitions): &(&str, &[i32])| {
        OffsetFetchRequestTopics::default().with_name(topic_name(name)).with_partition_indexes(partitions.to_vec())
    };
    OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(topics.map(|topics| topics.iter().map(topic).collect()))
}

fn delete_offsets(group: &str, topics: &[(&str, &[i32])]) -> OffsetDeleteRequest {
    let topic = |(name, partitions): &(&str, &[i32])| {
        let partition = |index: &i32| OffsetDeleteRequestPartition::default().with_partition_index(*index);
        OffsetDeleteRequestTopic::default()
            .with_name(topic_name(name))
            .with_partitions(partitions.iter().map(partition).collect())
    };
    OffsetDeleteRequest::default().with_group_id(GroupId(text(group))).with_topics(topics.iter().map(topic).collect())
}
