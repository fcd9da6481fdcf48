//! OffsetForLeaderEpoch: where a leader epoch ends, by which a consumer finds out whether the log was cut under it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use super::Core;
use super::epochs::check_leader_epoch;
use crate::storage::log::EpochEnd;
use crate::topics::Topic;

/// An epoch that nothing is known of, which is not an error.
const NOTHING: EpochEnd = EpochEnd { epoch: -1, end_offset: -1 };

/// Looks up every partition; one that fails fails alone. Followers and consumers get the same answer.
pub(super) fn handle(core: &Core, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|OffsetForLeaderTopic { topic, partitions, .. }| {
        let found = core.topics.get(&topic);
        let partitions = partitions.iter().map(|wanted| respond(wanted, look_up(found.as_deref(), wanted)));
        OffsetForLeaderTopicResult::default().with_partitions(partitions.collect()).with_topic(topic)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn look_up(topic: Option<&Topic>, wanted: &OffsetForLeaderPartition) -> Result<EpochEnd, ResponseError> {
    let partition = topic.and_then(|topic| topic.partition(wanted.partition));
    let partition = partition.ok_or(ResponseError::UnknownTopicOrPartition)?;
    check_leader_epoch(partition, wanted.current_leader_epoch)?;
    // No epoch at all is what followers of old message formats asked for.
    let known = (wanted.leader_epoch != NOTHING.epoch).then(|| partition.end_of_epoch(wanted.leader_epoch)).flatten();
    Ok(known.unwrap_or(NOTHING))
}

fn respond(wanted: &OffsetForLeaderPartition, outcome: Result<EpochEnd, ResponseError>) -> EpochEndOffset {
    let (end, code) = match outcome {
        Ok(end) => (end, 0),
        Err(code) => (NOTHING, code.code()),
    };
    EpochEndOffset::default()
        .with_error_code(code)
        .with_partition(wanted.partition)
        .with_leader_epoch(end.epoch)
        .with_end_offset(end.end_offset)
}
