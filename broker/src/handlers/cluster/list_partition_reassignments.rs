//! ListPartitionReassignments: which replicas are on their way to other nodes. On one node that is none.

use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use kafka_protocol::messages::list_partition_reassignments_response::ListPartitionReassignmentsResponse;

/// Whatever is asked for, and whether it exists or not: nothing is on its way.
pub(super) fn handle(_request: &ListPartitionReassignmentsRequest) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default().with_error_message(None)
}
