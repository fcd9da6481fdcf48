//! The APIs about the cluster and its brokers: their quorum, their folders, and which replica is where.

mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod describe_cluster;
mod describe_log_dirs;
mod describe_quorum;
mod elect_leaders;
mod list_partition_reassignments;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;

use super::call::{Answer, Hangup, Head};
use super::{Core, RequestContext};

/// Answers one request of these APIs.
pub(super) async fn answer(
    core: &Core,
    context: &RequestContext,
    key: ApiKey,
    head: Head,
    body: Bytes,
) -> Result<Answer, Hangup> {
    let version = head.version;
    match key {
        ApiKey::AlterReplicaLogDirs => head.encode(&alter_replica_log_dirs::handle(core, context, &head.decode(body)?)),
        ApiKey::DescribeLogDirs => describe_log_dirs::handle(core, context, head, body),
        ApiKey::ElectLeaders => head.encode(&elect_leaders::handle(core, context, &head.decode(body)?)),
        ApiKey::AlterPartitionReassignments => {
            head.encode(&alter_partition_reassignments::handle(core, context, head.decode(body)?).await)
        }
        ApiKey::ListPartitionReassignments => head.encode(&list_partition_reassignments::handle(&head.decode(body)?)),
        ApiKey::DescribeQuorum => head.encode(&describe_quorum::handle(core, context, head.decode(body)?, version)),
        ApiKey::DescribeCluster => head.encode(&describe_cluster::handle(core, context, &head.decode(body)?)),
        _ => Err(head.has_no_handler()),
    }
}
