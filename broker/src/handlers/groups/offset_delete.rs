//! OffsetDelete: forgets what was committed for partitions, unless members read them.

use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequest, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use super::merged::{Asked, Told, by_name, sort};
use super::{ask, group_id};
use crate::coordinator::conversation::{Outcomes, Reply, Request};
use crate::handlers::{Core, RequestContext};
use crate::names::{GroupId, TopicName};

pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let sorted = sort(request.topics.into_iter().map(asked).collect(), by_name(core));
    let existing = sorted.existing.iter();
    let partitions: Vec<(TopicName, i32)> =
        existing.flat_map(|(topic, (_, all))| all.iter().map(|(index, ())| (topic.name.clone(), *index))).collect();
    match deleted(core, context, group_id(&request.group_id), partitions).await {
        Ok(outcomes) => {
            let topics = sorted.merge(Ok(outcomes)).into_iter().map(tell);
            OffsetDeleteResponse::default().with_topics(topics.collect())
        }
        Err(error) => OffsetDeleteResponse::default().with_error_code(error.code()),
    }
}

fn asked(topic: OffsetDeleteRequestTopic) -> Asked<()> {
    (topic.name, topic.partitions.into_iter().map(|one| (one.partition_index, ())).collect())
}

fn tell((name, codes): Told) -> OffsetDeleteResponseTopic {
    let partitions = codes.into_iter().map(|(index, code)| {
        OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code)
    });
    OffsetDeleteResponseTopic::default().with_name(name).with_partitions(partitions.collect())
}

async fn deleted(core: &Core, context: &RequestContext, group: GroupId, partitions: Vec<(TopicName, i32)>) -> Outcomes {
    match ask(core, context, &group.clone(), Request::DeleteOffsets { group, partitions }).await? {
        Reply::OffsetsDeleted(outcomes) => outcomes,
        _ => unreachable!("an OffsetDelete is answered as one"),
    }
}
