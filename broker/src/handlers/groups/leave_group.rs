//! LeaveGroup: members leave, or an administrator takes them out.

use kafka_protocol::messages::leave_group_request::LeaveGroupRequest;
use kafka_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use kafka_protocol::protocol::StrBytes;

use super::{ask, group_id, identity, outcome_code};
use crate::coordinator::conversation::{Leave, Reply, Request};
use crate::handlers::{Core, RequestContext};

/// From this version on several may leave at once.
const MANY_FROM: i16 = 3;

pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: LeaveGroupRequest,
    version: i16,
) -> LeaveGroupResponse {
    let group = group_id(&request.group_id);
    let leaving: Vec<(StrBytes, Option<StrBytes>)> = if version < MANY_FROM {
        vec![(request.member_id, None)]
    } else {
        request.members.into_iter().map(|member| (member.member_id, member.group_instance_id)).collect()
    };
    let members = leaving.iter().map(|(id, instance)| identity(id, instance.as_ref())).collect();
    let leave = Leave { group: group.clone(), members };
    let outcomes = match ask(core, context, &group, Request::Leave(leave)).await {
        Ok(Reply::Left(outcomes)) => outcomes,
        Ok(_) => unreachable!("a LeaveGroup is answered as one"),
        Err(error) => Err(error),
    };
    match outcomes {
        Err(error) => LeaveGroupResponse::default().with_error_code(error.code()),
        Ok(outcomes) if version < MANY_FROM => {
            let own = outcomes.into_iter().next().unwrap_or(Ok(()));
            LeaveGroupResponse::default().with_error_code(outcome_code(own))
        }
        Ok(outcomes) => {
            let tell = |((id, instance), outcome): ((StrBytes, Option<StrBytes>), _)| {
                MemberResponse::default()
                    .with_member_id(id)
                    .with_group_instance_id(instance)
                    .with_error_code(outcome_code(outcome))
            };
            LeaveGroupResponse::default().with_members(leaving.into_iter().zip(outcomes).map(tell).collect())
        }
    }
}
