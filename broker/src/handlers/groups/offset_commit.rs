//! OffsetCommit: writes down how far a group has come. Each partition succeeds or fails alone.

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use super::merged::{Asked, Told, by_name, sort};
use super::{ask, group_id, identity, topic_ids};
use crate::coordinator::conversation::{Commit, NewOffset, Outcomes, Reply, Request};
use crate::handlers::{Core, RequestContext};
use crate::topics::Topic;

/// Clients of this version know GROUP_ID_NOT_FOUND.
const KNOWS_MISSING_GROUPS_FROM: i16 = 9;
/// Up to this version clients say how long an offset is to be kept.
const RETENTION_UNTIL: i16 = 4;

pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: OffsetCommitRequest,
    version: i16,
) -> OffsetCommitResponse {
    let retention_ms = request.retention_time_ms;
    let mut commit = Commit {
        group: group_id(&request.group_id),
        who: identity(&request.member_id, request.group_instance_id.as_ref()),
        generation: request.generation_id_or_member_epoch,
        retention_ms: (version <= RETENTION_UNTIL && retention_ms >= 0).then_some(retention_ms),
        knows_missing_groups: version >= KNOWS_MISSING_GROUPS_FROM,
        offsets: Vec::new(),
    };
    let asked = request.topics.into_iter().map(asked).collect();
    let by_id = version >= topic_ids::BY_ID_FROM;
    let sorted = if by_id { sort(asked, topic_ids::find(core)) } else { sort(asked, by_name(core)) };
    let existing = sorted.existing.iter();
    commit.offsets = existing.flat_map(|(topic, (_, all))| all.iter().map(|(_, one)| offset(topic, one))).collect();
    let outcomes = committed(core, context, commit).await;
    let told = sorted.merge(outcomes).into_iter().map(|told| tell(told, by_id));
    OffsetCommitResponse::default().with_topics(told.collect())
}

fn asked(topic: OffsetCommitRequestTopic) -> Asked<OffsetCommitRequestPartition> {
    (topic.name, topic.partitions.into_iter().map(|one| (one.partition_index, one)).collect())
}

fn tell((name, codes): Told, by_id: bool) -> OffsetCommitResponseTopic {
    let partitions = codes.into_iter().map(|(index, code)| {
        OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code)
    });
    let topic = OffsetCommitResponseTopic::default().with_partitions(partitions.collect());
    if by_id { topic.with_topic_id(topic_ids::id_of(&name)) } else { topic.with_name(name) }
}

/// Where nothing is left to commit nobody is asked.
async fn committed(core: &Core, context: &RequestContext, commit: Commit) -> Outcomes {
    if commit.offsets.is_empty() {
        return Ok(Vec::new());
    }
    let group = commit.group.clone();
    match ask(core, context, &group, Request::Commit(commit)).await? {
        Reply::Committed(outcomes) => outcomes,
        _ => unreachable!("an OffsetCommit is answered as one"),
    }
}

fn offset(topic: &Topic, partition: &OffsetCommitRequestPartition) -> NewOffset {
    let metadata = partition.committed_metadata.as_ref();
    NewOffset {
        topic: topic.name.clone(),
        topic_id: Some(topic.id),
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: metadata.map(|text| text.to_string()).unwrap_or_default(),
    }
}
