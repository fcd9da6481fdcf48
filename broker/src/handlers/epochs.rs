//! Fencing: what a client believes about who leads a partition, and since when, checked before it gets to see the log.

use std::cmp::Ordering;

use kafka_protocol::ResponseError;

use crate::storage::log::EpochEnd;
use crate::topics::{Partition, Topic};

/// The client does not say which epoch it knows.
const UNKNOWN: i32 = -1;

/// Refuses a client that asks the wrong node, or whose metadata is of another time than the partition. Some requests are
/// answered by the leader alone; a node without a replica cannot tell an epoch.
pub(super) fn check_node_and_epoch(
    topic: &Topic,
    partition: &Partition,
    (node, must_lead): (i32, bool),
    current_leader_epoch: i32,
) -> Result<(), ResponseError> {
    let index = partition.id().partition;
    if topic.leader_of(index) == node {
        return check_leader_epoch(partition, current_leader_epoch);
    }
    if !topic.is_on(index, node) {
        return Err(ResponseError::NotLeaderOrFollower);
    }
    check_leader_epoch(partition, current_leader_epoch)?;
    if must_lead { Err(ResponseError::NotLeaderOrFollower) } else { Ok(()) }
}

/// Refuses a client whose metadata is older, or newer, than the partition.
fn check_leader_epoch(partition: &Partition, current_leader_epoch: i32) -> Result<(), ResponseError> {
    match current_leader_epoch.cmp(&partition.leader_epoch()) {
        _ if current_leader_epoch == UNKNOWN => Ok(()),
        Ordering::Less => Err(ResponseError::FencedLeaderEpoch),
        Ordering::Greater => Err(ResponseError::UnknownLeaderEpoch),
        Ordering::Equal => Ok(()),
    }
}

/// Where the log of a client that fetched `offset` last under `last_fetched_epoch` parts from ours (KIP-595), if it does.
///
/// # Errors
/// OFFSET_OUT_OF_RANGE, when that cannot be told.
pub(super) fn find_divergence(
    partition: &Partition,
    last_fetched_epoch: i32,
    offset: i64,
) -> Result<Option<EpochEnd>, ResponseError> {
    if last_fetched_epoch == UNKNOWN {
        return Ok(None);
    }
    let end = partition.end_of_epoch(last_fetched_epoch).ok_or(ResponseError::OffsetOutOfRange)?;
    if offset < partition.log_start_offset() {
        return Err(ResponseError::OffsetOutOfRange);
    }
    Ok((end.epoch < last_fetched_epoch || end.end_offset < offset).then_some(end))
}
