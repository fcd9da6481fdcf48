//! DescribeGroups: where groups stand, and who is in them.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::GroupId as WireGroup;
use kafka_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use kafka_protocol::protocol::StrBytes;

use super::{ask, group_id, text};
use crate::config::limits::MAX_REPEATED_BYTES;
use crate::coordinator::conversation::{Reply, Request};
use crate::coordinator::group::{GroupView, MemberView};
use crate::handlers::operations::GROUP_OPERATIONS;
use crate::handlers::{Core, RequestContext};
use crate::names::brief;

/// From this version on a group that is not there is an error.
const MISSING_IS_ERROR_FROM: i16 = 6;
/// The first version that tells what may be done.
const OPERATIONS_FROM: i16 = 3;

pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: DescribeGroupsRequest,
    version: i16,
) -> DescribeGroupsResponse {
    let mut groups = Vec::with_capacity(request.groups.len());
    for wire in request.groups {
        let mut described = describe(core, context, wire, version).await;
        if described.error_code == 0 && request.include_authorized_operations && version >= OPERATIONS_FROM {
            described.authorized_operations = GROUP_OPERATIONS;
        }
        groups.push(described);
    }
    DescribeGroupsResponse::default().with_groups(groups)
}

async fn describe(core: &Core, context: &RequestContext, wire: WireGroup, version: i16) -> DescribedGroup {
    let group = group_id(&wire);
    let described = DescribedGroup::default().with_group_id(wire);
    match ask(core, context, &group, Request::Describe(group.clone())).await {
        Ok(Reply::Described(Some(view))) => tell(described, view),
        Ok(Reply::Described(None)) if version >= MISSING_IS_ERROR_FROM => {
            let sentence = format!("Group {} not found.", brief(group.as_str(), MAX_REPEATED_BYTES));
            described
                .with_group_state(StrBytes::from_static_str("Dead"))
                .with_error_code(ResponseError::GroupIdNotFound.code())
                .with_error_message(Some(text(sentence)))
        }
        Ok(Reply::Described(None)) => described.with_group_state(StrBytes::from_static_str("Dead")),
        Ok(_) => unreachable!("a DescribeGroups is answered as one"),
        Err(error) => described.with_error_code(error.code()),
    }
}

fn tell(described: DescribedGroup, view: GroupView) -> DescribedGroup {
    let member = |member: MemberView| {
        DescribedGroupMember::default()
            .with_member_id(text(member.id))
            .with_group_instance_id(member.instance.map(text))
            .with_client_id(text(member.client_id))
            .with_client_host(text(member.client_host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    };
    described
        .with_group_state(StrBytes::from_static_str(view.state.name()))
        .with_protocol_type(text(view.protocol_type))
        .with_protocol_data(text(view.protocol))
        .with_members(view.members.into_iter().map(member).collect())
}
