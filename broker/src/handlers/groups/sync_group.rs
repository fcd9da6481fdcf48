//! SyncGroup: the leader brings who gets what, and everybody gets their part. The answer comes when the leader has.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::sync_group_request::SyncGroupRequest;
use kafka_protocol::messages::sync_group_response::SyncGroupResponse;

use super::{ask, code, group_id, identity, text};
use crate::coordinator::conversation::{Reply, Request, Sync, Synced};
use crate::handlers::{Core, RequestContext};

/// From this version on members say what they take the group for.
const TELLS_PROTOCOL_FROM: i16 = 5;

pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: SyncGroupRequest,
    version: i16,
) -> SyncGroupResponse {
    if version >= TELLS_PROTOCOL_FROM && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return tell(Synced::refused(ResponseError::InconsistentGroupProtocol));
    }
    let group = group_id(&request.group_id);
    let assignments = request.assignments.into_iter().map(|one| (one.member_id.to_string(), one.assignment));
    let sync = Sync {
        group: group.clone(),
        who: identity(&request.member_id, request.group_instance_id.as_ref()),
        generation: request.generation_id,
        protocol_type: request.protocol_type.map(|kind| kind.to_string()),
        protocol: request.protocol_name.map(|name| name.to_string()),
        assignments: assignments.collect(),
    };
    match ask(core, context, &group, Request::Sync(sync)).await {
        Ok(Reply::Synced(synced)) => tell(synced),
        Ok(_) => unreachable!("a SyncGroup is answered as one"),
        Err(error) => tell(Synced::refused(error)),
    }
}

fn tell(synced: Synced) -> SyncGroupResponse {
    SyncGroupResponse::default()
        .with_error_code(code(synced.error))
        .with_protocol_type(synced.protocol_type.map(text))
        .with_protocol_name(synced.protocol.map(text))
        .with_assignment(synced.assignment)
}
