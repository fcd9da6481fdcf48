//! Heartbeat: a member lives, and hears whether it has to join again.

use kafka_protocol::messages::heartbeat_request::HeartbeatRequest;
use kafka_protocol::messages::heartbeat_response::HeartbeatResponse;

use super::{ask, group_id, identity, outcome_code};
use crate::coordinator::conversation::{Heartbeat, Reply, Request};
use crate::handlers::{Core, RequestContext};

pub(super) async fn handle(core: &Core, context: &RequestContext, request: HeartbeatRequest) -> HeartbeatResponse {
    let group = group_id(&request.group_id);
    let who = identity(&request.member_id, request.group_instance_id.as_ref());
    let heartbeat = Heartbeat { group: group.clone(), who, generation: request.generation_id };
    let outcome = match ask(core, context, &group, Request::Heartbeat(heartbeat)).await {
        Ok(Reply::Alive(outcome)) => outcome,
        Ok(_) => unreachable!("a Heartbeat is answered as one"),
        Err(error) => Err(error),
    };
    HeartbeatResponse::default().with_error_code(outcome_code(outcome))
}
