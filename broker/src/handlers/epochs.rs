//! Fencing: what a client believes about a partition's leader epoch, checked before it gets to see the log.

use std::cmp::Ordering;

use kafka_protocol::ResponseError;

use crate::topics::Partition;

/// The client does not say which epoch it knows.
const UNKNOWN: i32 = -1;

/// Refuses a client whose metadata is older, or newer, than the partition.
pub(super) fn check_leader_epoch(partition: &Partition, current_leader_epoch: i32) -> Result<(), ResponseError> {
    match current_leader_epoch.cmp(&partition.leader_epoch()) {
        _ if current_leader_epoch == UNKNOWN => Ok(()),
        Ordering::Less => Err(ResponseError::FencedLeaderEpoch),
        Ordering::Greater => Err(ResponseError::UnknownLeaderEpoch),
        Ordering::Equal => Ok(()),
    }
}
