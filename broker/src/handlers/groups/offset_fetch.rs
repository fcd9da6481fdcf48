//! OffsetFetch: how far groups have come.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{GroupId as WireGroup, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;

use super::{ask, code, group_id, text, topic_ids};
use crate::coordinator::conversation::{Reply, Request};
use crate::coordinator::record::CommittedOffset;
use crate::handlers::call::wire_name;
use crate::handlers::{Core, RequestContext};

/// From this version on several groups may be asked for at once.
const MANY_FROM: i16 = 8;
/// From this version on an answer as a whole may have an error.
const ERROR_FROM: i16 = 2;

/// One topic and its partitions.
type Found = (WireName, Vec<(i32, Option<CommittedOffset>)>);

pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: OffsetFetchRequest,
    version: i16,
) -> OffsetFetchResponse {
    if version >= MANY_FROM {
        let mut groups = Vec::with_capacity(request.groups.len());
        for group in request.groups {
            let by_id = version >= topic_ids::BY_ID_FROM;
            groups.push(one_of_many(core, context, group, by_id).await);
        }
        return OffsetFetchResponse::default().with_groups(groups);
    }
    let wanted = request.topics.map(|topics| {
        let each = topics.into_iter().map(|topic| (topic.name, topic.partition_indexes));
        each.collect()
    });
    match fetch(core, context, &request.group_id, wanted.clone()).await {
        Ok(found) => {
            let tell = |(name, partitions): Found| {
                let partitions = partitions.into_iter().map(|(index, found)| partition(index, found, 0));
                OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
            };
            OffsetFetchResponse::default().with_topics(found.into_iter().map(tell).collect())
        }
        Err(error) => refused(error, wanted.unwrap_or_default(), version),
    }
}

async fn one_of_many(
    core: &Core,
    context: &RequestContext,
    group: OffsetFetchRequestGroup,
    by_id: bool,
) -> OffsetFetchResponseGroup {
    let response = OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
    let mut unknown = Vec::new();
    let wanted = group.topics.map(|topics| {
        let named = topics.into_iter().filter_map(|topic| {
            if !by_id {
                return Some((topic.name, topic.partition_indexes));
            }
            match topic_ids::find(core)(&topic.name) {
                Ok(known) => Some((wire_name(known.name.as_str()), topic.partition_indexes)),
                Err(error) => {
                    unknown.push(unknown_topic(&topic.name, topic.partition_indexes, error));
                    None
                }
            }
        });
        named.collect()
    });
    let found = match fetch(core, context, &group.group_id, wanted).await {
        Ok(found) => found,
        Err(error) => return response.with_error_code(error.code()),
    };
    let tell = |(name, partitions): Found| {
        let id = if by_id { core.topics.get(&name).map(|known| known.id) } else { None };
        // What was committed for an earlier topic of the name is not for this one.
        let is_for_it =
            |one: &CommittedOffset| id.is_none() || one.topic_id.is_none_or(|committed| Some(committed) == id);
        let partitions = partitions.into_iter().map(|(index, found)| one_of_several(index, found.filter(is_for_it), 0));
        let topic = OffsetFetchResponseTopics::default().with_partitions(partitions.collect());
        // What was committed for a topic that is gone has no id to be told by.
        if by_id { id.map(|id| topic.with_topic_id(id.uuid())) } else { Some(topic.with_name(name)) }
    };
    response.with_topics(found.into_iter().filter_map(tell).chain(unknown).collect())
}

fn unknown_topic(id: &WireName, indexes: Vec<i32>, error: ResponseError) -> OffsetFetchResponseTopics {
    let partitions = indexes.into_iter().map(|index| one_of_several(index, None, error.code()));
    OffsetFetchResponseTopics::default().with_topic_id(topic_ids::id_of(id)).with_partitions(partitions.collect())
}

fn one_of_several(index: i32, found: Option<CommittedOffset>, error_code: i16) -> OffsetFetchResponsePartitions {
    let (offset, leader_epoch, metadata) = parts(found);
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(leader_epoch)
        .with_metadata(Some(metadata))
        .with_error_code(error_code)
}

/// What is committed for partitions, in the order of the question; `None` asks for all that there is.
async fn fetch(
    core: &Core,
    context: &RequestContext,
    group: &WireGroup,
    wanted: Option<Vec<(WireName, Vec<i32>)>>,
) -> Result<Vec<Found>, ResponseError> {
    let id = group_id(group);
    let question = wanted.as_ref().map(|topics| {
        let each = topics.iter().flat_map(|(name, indexes)| indexes.iter().map(|index| (name.to_string(), *index)));
        each.collect()
    });
    let request = Request::Offsets { group: id.clone(), partitions: question };
    let Reply::Offsets(offsets) = ask(core, context, &id, request).await? else {
        unreachable!("an OffsetFetch is answered as one")
    };
    let mut offsets = offsets.into_iter();
    let Some(wanted) = wanted else {
        let mut topics: BTreeMap<String, Vec<_>> = BTreeMap::new();
        offsets.for_each(|(topic, index, found)| topics.entry(topic).or_default().push((index, found)));
        return Ok(topics.into_iter().map(|(topic, partitions)| (wire_name(&topic), partitions)).collect());
    };
    let gather = |(name, indexes): (WireName, Vec<i32>)| {
        let partitions = offsets.by_ref().take(indexes.len()).map(|(_, index, found)| (index, found));
        (name, partitions.collect())
    };
    Ok(wanted.into_iter().map(gather).collect())
}

/// Before there was an error for the whole answer it stood at each partition.
fn refused(error: ResponseError, wanted: Vec<(WireName, Vec<i32>)>, version: i16) -> OffsetFetchResponse {
    if version >= ERROR_FROM {
        return OffsetFetchResponse::default().with_error_code(error.code());
    }
    let tell = |(name, indexes): (WireName, Vec<i32>)| {
        let partitions = indexes.into_iter().map(|index| partition(index, None, code(Some(error))));
        OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
    };
    OffsetFetchResponse::default().with_topics(wanted.into_iter().map(tell).collect())
}

fn partition(index: i32, found: Option<CommittedOffset>, error_code: i16) -> OffsetFetchResponsePartition {
    let (offset, leader_epoch, metadata) = parts(found);
    OffsetFetchResponsePartition::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(leader_epoch)
        .with_metadata(Some(metadata))
        .with_error_code(error_code)
}

/// That nothing is committed is no error.
fn parts(found: Option<CommittedOffset>) -> (i64, i32, StrBytes) {
    match found {
        Some(found) => (found.offset, found.leader_epoch, text(found.metadata)),
        None => (-1, -1, StrBytes::default()),
    }
}
