//! OffsetForLeaderEpoch: where a leader epoch ends, by which a consumer finds out whether the log was cut under it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use super::epochs::check_node_and_epoch;
use super::{Core, RequestContext};
use crate::storage::log::EpochEnd;
use crate::topics::Topic;

/// An epoch that nothing is known of, which is not an error.
const NOTHING: EpochEnd = EpochEnd { epoch: -1, end_offset: -1 };

/// Looks up every partition; one that fails fails alone. Followers and consumers get the same answer.
pub(super) fn handle(
    core: &Core,
    context: &RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|OffsetForLeaderTopic { topic, partitions, .. }| {
        let found = core.topics.get(&topic);
        let look_up = |wanted| look_up(found.as_deref(), wanted, context.node);
        let partitions = partitions.iter().map(|wanted| respond(wanted, look_up(wanted)));
        OffsetForLeaderTopicResult::default().with_partitions(partitions.collect()).with_topic(topic)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn look_up(topic: Option<&Topic>, wanted: &OffsetForLeaderPartition, node: i32) -> Result<EpochEnd, ResponseError> {
    let topic = topic.ok_or(ResponseError::UnknownTopicOrPartition)?;
    let partition = topic.partition(wanted.partition).ok_or(ResponseError::UnknownTopicOrPartition)?;
    check_node_and_epoch(topic, partition, (node, true), wanted.current_leader_epoch)?;
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

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::OffsetForLeaderEpochRequest;
    use uuid::Uuid;

    use super::*;
    use crate::handlers::tests::{ask, core_at, create, produce, records, wire};

    #[tokio::test]
    async fn every_start_ends_the_epoch_before() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for start in 0..3 {
            let core = core_at(folder.path(), |_| {});
            if start == 0 {
                create(&core, "t").await;
            }
            // The second start writes nothing.
            for _ in (0..2).filter(|_| start != 1) {
                let answer = ask(&core, &produce("t", Uuid::nil(), 9, Some(records(&[b"value"]))), 9).await;
                assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
            }
        }
        let core = core_at(folder.path(), |_| {});
        let asked = [(-1, 0), (-1, 1), (-1, 2), (-1, 3), (-1, 4), (-1, -1), (3, 0), (2, 0), (4, 0)];
        let partitions = asked.map(|(current, epoch)| {
            OffsetForLeaderPartition::default().with_current_leader_epoch(current).with_leader_epoch(epoch)
        });
        let topic = OffsetForLeaderTopic::default().with_topic(wire("t")).with_partitions(partitions.to_vec());
        let answer = ask(&core, &OffsetForLeaderEpochRequest::default().with_topics(vec![topic]), 4).await;
        let ends = answer.topics[0].partitions.iter().map(|end| (end.error_code, end.leader_epoch, end.end_offset));
        let (fenced, unknown) = ((74, -1, -1), (75, -1, -1));
        assert_eq!(
            ends.collect::<Vec<_>>(),
            [(0, 0, 2), (0, 0, 2), (0, 2, 4), (0, 3, 4), (0, -1, -1), (0, -1, -1), (0, 0, 2), fenced, unknown]
        );
    }
}
