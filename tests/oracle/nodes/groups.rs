//! Requests about groups, each at every node: one of them coordinates it.

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, FindCoordinatorRequest, GroupId, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest,
};
use serde_json::Value;

use super::super::groups::{heartbeat, join, leave, sync};
use super::super::{create, text, topic_name};
use super::{Cluster, EVERYWHERE, assigned, in_order};

/// The topic of groups.
const OFFSETS: &str = "__consumer_offsets";

/// Groups that are spread over the three partitions: Java's hashes of `a`, `b`, `c` follow one another.
const GROUPS: [&str; 4] = ["a", "b", "c", "d"];

pub(super) fn hold(cluster: &mut Cluster) -> anyhow::Result<()> {
    cluster.node(1).learn(7, &create(vec![assigned(OFFSETS, EVERYWHERE, &[("cleanup.policy", "compact")])]))?;
    cluster.settle(OFFSETS, EVERYWHERE)?;
    coordinators(cluster)?;
    for node in 1..=3 {
        // A coordinator reads its partition before it answers.
        for group in GROUPS {
            let is_read = |answer: &Value| answer["errorCode"] != 14 && answer["errorCode"] != 15;
            cluster.node(node).learn_until(3, &heartbeat(group, "nobody", 1), is_read)?;
        }
        for group in ["a", "b", "c", ""] {
            members(cluster.node(node), node, group)?;
            offsets(cluster.node(node), node, group)?;
        }
    }
    together(cluster)
}

fn coordinators(cluster: &mut Cluster) -> anyhow::Result<()> {
    for node in 1..=3 {
        let talk = cluster.node(node);
        for version in [0, 2, 4, 6] {
            for group in ["a", "b", "c", "some group", ""] {
                let request = FindCoordinatorRequest::default();
                let request = match version {
                    4.. => request.with_coordinator_keys(vec![text(group)]),
                    _ => request.with_key(text(group)),
                };
                talk.ask(&format!("who coordinates {group:?}, at node {node}"), version, &request)?;
            }
        }
        let keys = GROUPS.map(text).into();
        let request = FindCoordinatorRequest::default().with_coordinator_keys(keys);
        talk.ask(&format!("who coordinates all, at node {node}"), 6, &request)?;
    }
    Ok(())
}

/// What only members ask. Whom the right coordinator lets in gets an id that it makes up, so that nobody is let in.
fn members(talk: &mut Talk, node: usize, group: &str) -> anyhow::Result<()> {
    for version in [0, 2, 5, 9] {
        let name = format!("a stranger joins {group:?} at node {node}");
        talk.ask(&name, version, &join(group, "stranger", &["range"]))?;
        let short = join(group, "stranger", &["range"]).with_session_timeout_ms(1);
        talk.ask(&format!("{name}, for a moment"), version, &short)?;
    }
    for version in [0, 3] {
        talk.ask(
            &format!("a stranger syncs with {group:?} at node {node}"),
            version,
            &sync(group, "stranger", 1, &[]),
        )?;
        talk.ask(&format!("a stranger lives in {group:?} at node {node}"), version, &heartbeat(group, "stranger", 1))?;
    }
    for version in [1, 4] {
        let request = leave(group, if version < 3 { &[] } else { &[("stranger", None), ("other", None)] });
        let request = if version < 3 { request.with_member_id(text("stranger")) } else { request };
        talk.ask(&format!("a stranger leaves {group:?} at node {node}"), version, &request)?;
    }
    Ok(())
}

fn offsets(talk: &mut Talk, node: usize, group: &str) -> anyhow::Result<()> {
    let id = || GroupId(text(group));
    for version in [2, 8, 9] {
        let partitions = [0, 2, 9].map(|index| {
            OffsetCommitRequestPartition::default().with_partition_index(index).with_committed_offset(index.into())
        });
        let topic = OffsetCommitRequestTopic::default().with_name(topic_name("pairs"));
        let topic = topic.with_partitions(partitions.into());
        let request = OffsetCommitRequest::default().with_group_id(id()).with_topics(vec![topic]);
        talk.ask_and_tidy(&format!("a commit for {group:?} at node {node}"), version, &request, in_order)?;
        let nothing = OffsetCommitRequest::default().with_group_id(id());
        talk.ask(&format!("a commit of nothing for {group:?} at node {node}"), version, &nothing)?;
    }
    for version in [1, 2, 5, 7] {
        let topic = OffsetFetchRequestTopic::default().with_name(topic_name("pairs"));
        let topic = topic.with_partition_indexes(vec![0, 1]);
        let request = OffsetFetchRequest::default().with_group_id(id()).with_topics(Some(vec![topic]));
        talk.ask(&format!("offsets of {group:?} at node {node}"), version, &request)?;
    }
    for version in [8, 9] {
        let topic = OffsetFetchRequestTopics::default().with_name(topic_name("pairs"));
        let topic = topic.with_partition_indexes(vec![0, 1]);
        let some = OffsetFetchRequestGroup::default().with_group_id(id()).with_topics(Some(vec![topic]));
        let all = OffsetFetchRequestGroup::default().with_group_id(id()).with_topics(None);
        for (name, asked) in [("offsets", some), ("all offsets", all)] {
            let request = OffsetFetchRequest::default().with_groups(vec![asked]);
            talk.ask_and_tidy(&format!("{name} of {group:?} at node {node}"), version, &request, in_order)?;
        }
    }
    let partitions = vec![OffsetDeleteRequestPartition::default().with_partition_index(2)];
    let topic = OffsetDeleteRequestTopic::default().with_name(topic_name("pairs")).with_partitions(partitions);
    let request = OffsetDeleteRequest::default().with_group_id(id()).with_topics(vec![topic]);
    talk.ask(&format!("an offset of {group:?} deleted at node {node}"), 0, &request)?;
    Ok(())
}

/// What is asked of several groups at once.
fn together(cluster: &mut Cluster) -> anyhow::Result<()> {
    let groups = || GROUPS.map(|group| GroupId(text(group))).into();
    for node in 1..=3 {
        let talk = cluster.node(node);
        for version in [0, 4, 5] {
            let request = ListGroupsRequest::default();
            talk.ask_and_tidy(&format!("groups of node {node}"), version, &request, in_order)?;
        }
        for version in [0, 5, 6] {
            let request = DescribeGroupsRequest::default().with_groups(groups());
            talk.ask_and_tidy(&format!("all groups described by node {node}"), version, &request, in_order)?;
        }
        let all = GROUPS
            .map(|group| OffsetFetchRequestGroup::default().with_group_id(GroupId(text(group))).with_topics(None));
        let request = OffsetFetchRequest::default().with_groups(all.into());
        talk.ask_and_tidy(&format!("offsets of all groups at node {node}"), 8, &request, in_order)?;
    }
    for node in 1..=3 {
        let request = DeleteGroupsRequest::default().with_groups_names(groups());
        cluster.node(node).ask_and_tidy(&format!("all groups deleted by node {node}"), 2, &request, in_order)?;
        let left = ListGroupsRequest::default();
        cluster.node(node).ask_and_tidy(&format!("groups that are left at node {node}"), 5, &left, in_order)?;
    }
    Ok(())
}
