//! ListOffsets: the offset that a time, or a word for a time, stands for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};

use super::epochs::check_node_and_epoch;
use super::errors::storage_code;
use super::{Core, RequestContext};
use crate::storage::log::TimestampOffset;
use crate::topics::{Isolation, Partition, Topic};

/// The timestamps that are no times, and the first version that knows each.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LARGEST_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// The first version with a leader epoch in the answer.
const LEADER_EPOCH_FROM: i16 = 4;

/// A client that is no replica, and one that looks into any replica's log.
const CONSUMER: i32 = -1;
const DEBUGGER: i32 = -2;

/// "No such offset", which is not an error.
const NOTHING: TimestampOffset = TimestampOffset { timestamp: -1, offset: -1, leader_epoch: -1 };

/// Looks up every partition; one that fails fails alone.
pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: ListOffsetsRequest,
    version: i16,
) -> ListOffsetsResponse {
    // Only for consumers does the answer end where they may read; tools that pose as a replica see the whole log.
    let isolation = match (request.replica_id.0, request.isolation_level) {
        (CONSUMER, 1) => Some(Isolation::ReadCommitted),
        (CONSUMER, _) => Some(Isolation::ReadUncommitted),
        _ => None,
    };
    let reader = Reader { node: context.node, must_lead: request.replica_id.0 != DEBUGGER, isolation };
    let mut responses = Vec::new();
    for (name, rows) in rows(&request) {
        let found = core.topics.get(name);
        let mut partitions = Vec::with_capacity(rows.len());
        for Row { wanted, asked_twice } in rows {
            let partition = found.as_ref().and_then(|found| Some((found, found.partition(wanted.partition_index)?)));
            let outcome = match partition {
                _ if asked_twice => Err(ResponseError::InvalidRequest),
                _ if !knows(wanted.timestamp, version) => Err(ResponseError::UnsupportedVersion),
                Some((topic, partition)) => look_up(topic, partition, wanted, reader).await,
                None => Err(ResponseError::UnknownTopicOrPartition),
            };
            partitions.push(respond(wanted, outcome, version));
        }
        responses.push(ListOffsetsTopicResponse::default().with_name(name.clone()).with_partitions(partitions));
    }
    ListOffsetsResponse::default().with_topics(responses)
}

/// Who asks, and which node.
#[derive(Clone, Copy, Debug)]
struct Reader {
    node: i32,
    /// Only the leader may answer.
    must_lead: bool,
    isolation: Option<Isolation>,
}

/// One partition of the answer.
#[derive(Debug, PartialEq)]
struct Row<'a> {
    wanted: &'a ListOffsetsPartition,
    asked_twice: bool,
}

/// The rows of the answer by topic, in the order of the request. As in Kafka a partition has one row however often it
/// is asked for, and a topic without partitions is not in the answer.
fn rows(request: &ListOffsetsRequest) -> Vec<(&TopicName, Vec<Row<'_>>)> {
    let mut topics: Vec<(&TopicName, Vec<Row<'_>>)> = Vec::with_capacity(request.topics.len());
    let mut topic_places: HashMap<&str, usize> = HashMap::new();
    let mut row_places: HashMap<(usize, i32), usize> = HashMap::new();
    for topic in request.topics.iter().filter(|topic| !topic.partitions.is_empty()) {
        let place = *topic_places.entry(topic.name.as_str()).or_insert(topics.len());
        if place == topics.len() {
            topics.push((&topic.name, Vec::with_capacity(topic.partitions.len())));
        }
        let rows = &mut topics[place].1;
        for wanted in &topic.partitions {
            match row_places.entry((place, wanted.partition_index)) {
                Entry::Occupied(row) => rows[*row.get()].asked_twice = true,
                Entry::Vacant(free) => {
                    free.insert(rows.len());
                    rows.push(Row { wanted, asked_twice: false });
                }
            }
        }
    }
    topics
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
    topic: &Topic,
    partition: &Arc<Partition>,
    wanted: &ListOffsetsPartition,
    Reader { node, must_lead, isolation }: Reader,
) -> Result<TimestampOffset, ResponseError> {
    check_node_and_epoch(topic, partition, (node, must_lead), wanted.current_leader_epoch)?;
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
    fn a_partition_has_one_row_and_a_topic_without_any_none() {
        let topic = |name: &'static str, partitions: &[i32]| {
            let ask = |index: &i32| ListOffsetsPartition::default().with_partition_index(*index);
            ListOffsetsTopic::default()
                .with_name(TopicName(StrBytes::from_static_str(name)))
                .with_partitions(partitions.iter().map(ask).collect())
        };
        let topics = vec![topic("a", &[0, 1]), topic("b", &[0]), topic("none", &[]), topic("a", &[1, 1, 2])];
        let request = ListOffsetsRequest::default().with_topics(topics);
        let plain = |row: &Row<'_>| (row.wanted.partition_index, row.asked_twice);
        let rows: Vec<(&str, Vec<_>)> =
            rows(&request).iter().map(|(name, rows)| (name.as_str(), rows.iter().map(plain).collect())).collect();
        assert_eq!(rows, [("a", vec![(0, false), (1, true), (2, false)]), ("b", vec![(0, false)])]);
    }
}
