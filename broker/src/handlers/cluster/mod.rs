//! The APIs about the cluster and its brokers, their quorum, their folders and who leads what.

mod describe_cluster;

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
    match key {
        ApiKey::DescribeCluster => head.encode(&describe_cluster::handle(core, context, &head.decode(body)?)),
        _ => Err(head.has_no_handler()),
    }
}
