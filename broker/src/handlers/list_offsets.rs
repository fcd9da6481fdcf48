//! ListOffsets: the offset that a time, or a word for a time, stands for.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};

use super::Core;
use super::epochs::check_leader_epoch;
use super::errors::storage_code;
use crate::storage::log::TimestampOffset;
use crate::topics::{Isolation, Partition};

/// The timestamps that are no times, and the first version that knows each.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LARGEST_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// The first version with a leader epoch in the answer.
const LEADER_EPOCH_FROM: i16 = 4;

/// A client that is no replica.
const CONSUMER: i32 = -1;

/// "No such offset", which is not an error.
const NOTHING: TimestampOffset = TimestampOffset { timestamp: -1, offset: -1, leader_epoch: -1 };

/// Looks up every partition; one that fails fails alone.
pub(super) async fn handle(core: &Core, request: ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    // Only for consumers does the answer end where they may read; tools that pose as a replica see the whole log.
    let isolation = match (request.replica_id.0, request.isolation_level) {
        (CONSUMER, 1) => Some(Isolation::ReadCommitted),
        (CONSUMER, _) => Some(Isolation::ReadUncommitted),
        _ => None,
    };
    let duplicates = duplicates(&request);
    let mut responses = Vec::with_capacity(request.topics.len());
    for (topic_index, topic) in request.topics.iter().enumerate() {
        let found = core.topics.get(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (partition_index, wanted) in topic.partitions.iter().enumerate() {
            let partition = found.as_ref().and_then(|found| {
                let index = usize::try_from(wanted.partition_index).ok()?;
                found.partitions.get(index)
            });
            let outcome = match partition {
                _ if duplicates.contains(&(topic_index, partition_index)) => Err(ResponseError::InvalidRequest),
                _ if !knows(wanted.timestamp, version) => Err(ResponseError::UnsupportedVersion),
                Some(partition) => look_up(partition, wanted, isolation).await,
                None => Err(ResponseError::UnknownTopicOrPartition),
            };
            partitions.push(respond(wanted, outcome, version));
        }
        responses.push(ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions));
    }
    ListOffsetsResponse::default().with_topics(responses)
}

/// Where a partition stands that is asked for more than once, by topic and partition in the request.
fn duplicates(request: &ListOffsetsRequest) -> HashSet<(usize, usize)> {
    let mut first_places = std::collections::HashMap::new();
    let mut duplicates = HashSet::new();
    for (topic_index, topic) in request.topics.iter().enumerate() {
        for (partition_index, partition) in topic.partitions.iter().enumerate() {
            let place = (topic_index, partition_index);
            let key = (topic.name.as_str(), partition.partition_index);
            if let Some(first) = first_places.insert(key, place) {
                duplicates.extend([first, place]);
            }
        }
    }
    duplicates
}

/// Whether a version knows what a timestamp means.
fn knows(timestamp: i64, version: i16) -> bool {
    match timestamp {
        0.. | LATEST | EARLIEST => true,
        LARGEST_TIMESTAMP => version >= 7,
        EARLIEST_LOCAL => version >= 8,
        LATEST_TIERED => version >= 9,
        EARLIEST_PENDING_UPLOAD => version >= 11,
        _ => false,
    }
}

async fn look_up(
    partition: &Arc<Partition>,
    wanted: &ListOffsetsPartition,
    isolation: Option<Isolation>,
) -> Result<TimestampOffset, ResponseError> {
    check_leader_epoch(partition, wanted.current_leader_epoch)?;
    let readable = isolation.unwrap_or(Isolation::ReadUncommitted);
    let found = match wanted.timestamp {
        LATEST => return Ok(latest(partition, isolation)),
        EARLIEST | EARLIEST_LOCAL => return Ok(earliest(partition)),
        // Nothing is tiered here, so nothing was and nothing will be uploaded.
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => return Ok(NOTHING),
        LARGEST_TIMESTAMP => partition.find_max_timestamp(readable).await,
        timestamp => partition.find_by_timestamp(timestamp, readable).await,
    };
    Ok(found.map_err(|failure| storage_code(&failure))?.unwrap_or(NOTHING))
}

fn latest(partition: &Partition, isolation: Option<Isolation>) -> TimestampOffset {
    let offset = match isolation {
        Some(Isolation::ReadCommitted) => partition.last_stable_offset(),
        Some(Isolation::ReadUncommitted) => partition.high_watermark(),
        None => partition.log_end_offset(),
    };
    TimestampOffset { timestamp: -1, offset, leader_epoch: partition.leader_epoch() }
}

fn earliest(partition: &Partition) -> TimestampOffset {
    let offset = partition.log_start_offset();
    let leader_epoch = partition.leader_epoch_of(offset).unwrap_or(-1);
    TimestampOffset { timestamp: -1, offset, leader_epoch }
}

fn respond(
    wanted: &ListOffsetsPartition,
    outcome: Result<TimestampOffset, ResponseError>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let (found, code) = match outcome {
        Ok(found) => (found, 0),
        Err(code) => (NOTHING, code.code()),
    };
    ListOffsetsPartitionResponse::default()
        .with_partition_index(wanted.partition_index)
        .with_error_code(code)
        .with_timestamp(found.timestamp)
        .with_offset(found.offset)
        .with_leader_epoch(if version >= LEADER_EPOCH_FROM { found.leader_epoch } else { -1 })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::messages::list_offsets_request::ListOffsetsTopic;
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    #[test]
    fn words_for_times_belong_to_versions() {
        assert!(knows(0, 1) && knows(LATEST, 1) && knows(EARLIEST, 1));
        for (timestamp, first) in [(-3, 7), (-4, 8), (-5, 9), (-6, 11)] {
            assert!(knows(timestamp, first) && !knows(timestamp, first - 1), "{timestamp}");
        }
        assert!(!knows(-7, 11));
    }

    #[test]
    fn a_partition_asked_for_twice_is_found_at_every_place() {
        let topic = |name: &'static str, partitions: &[i32]| {
            let ask = |index: &i32| ListOffsetsPartition::default().with_partition_index(*index);
            ListOffsetsTopic::default()
                .with_name(TopicName(StrBytes::from_static_str(name)))
                .with_partitions(partitions.iter().map(ask).collect())
        };
        let request =
            ListOffsetsRequest::default().with_topics(vec![topic("a", &[0, 1]), topic("b", &[0]), topic("a", &[1, 1])]);
        assert_eq!(duplicates(&request), HashSet::from([(0, 1), (2, 0), (2, 1)]));
    }
}
