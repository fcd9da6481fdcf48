//! The APIs of consumer groups. They translate: what a group does is decided in [`crate::coordinator`].

mod delete_groups;
mod describe_groups;
mod heartbeat;
mod join_group;
mod leave_group;
mod list_groups;
mod merged;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod sync_group;
#[cfg(test)]
pub(super) mod tests;
mod topic_ids;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, GroupId as WireGroup};
use kafka_protocol::protocol::StrBytes;

use super::call::{Answer, Hangup, Head};
use super::{Core, RequestContext};
use crate::coordinator::conversation::{Identity, Reply, Request};
use crate::names::GroupId;

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
        ApiKey::JoinGroup => head.encode(&join_group::handle(core, context, head.decode(body)?, version).await),
        ApiKey::SyncGroup => head.encode(&sync_group::handle(core, context, head.decode(body)?, version).await),
        ApiKey::Heartbeat => head.encode(&heartbeat::handle(core, context, head.decode(body)?).await),
        ApiKey::LeaveGroup => head.encode(&leave_group::handle(core, context, head.decode(body)?, version).await),
        ApiKey::OffsetCommit => {
            head.encode(&offset_commit::handle(core, context, topic_ids::decode(head, body)?, version).await)
        }
        ApiKey::OffsetFetch => {
            head.encode(&offset_fetch::handle(core, context, topic_ids::decode(head, body)?, version).await)
        }
        ApiKey::OffsetDelete => head.encode(&offset_delete::handle(core, context, head.decode(body)?).await),
        ApiKey::DescribeGroups => {
            head.encode(&describe_groups::handle(core, context, head.decode(body)?, version).await)
        }
        ApiKey::ListGroups => head.encode(&list_groups::handle(core, context, head.decode(body)?, version).await),
        ApiKey::DeleteGroups => head.encode(&delete_groups::handle(core, context, head.decode(body)?).await),
        _ => Err(head.has_no_handler()),
    }
}

/// Asks the coordinator of a group. Who waits for others is told to look for it again when the broker stops.
async fn ask(core: &Core, context: &RequestContext, group: &GroupId, request: Request) -> Result<Reply, ResponseError> {
    tokio::select! {
        biased;
        reply = core.coordinator.ask(&context.principal, context.node, group, request) => reply,
        () = context.hurry.asked() => Err(ResponseError::NotCoordinator),
    }
}

/// The group of a request, in bytes of its own.
fn group_id(wire: &WireGroup) -> GroupId {
    GroupId::new(wire)
}

/// Who speaks.
fn identity(member_id: &StrBytes, instance: Option<&StrBytes>) -> Identity {
    Identity { member_id: member_id.to_string(), instance: instance.map(|name| name.to_string()) }
}

fn text(owned: String) -> StrBytes {
    StrBytes::from_string(owned)
}

/// The number of an error, 0 for none.
fn code(error: Option<ResponseError>) -> i16 {
    error.map_or(0, |error| error.code())
}

/// The same for an outcome.
fn outcome_code(outcome: Result<(), ResponseError>) -> i16 {
    code(outcome.err())
}
