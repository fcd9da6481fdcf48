//! ListGroups: which groups the node coordinates, by state and type if that is asked for.

use kafka_protocol::messages::GroupId as WireGroup;
use kafka_protocol::messages::list_groups_request::ListGroupsRequest;
use kafka_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use kafka_protocol::protocol::StrBytes;

use super::text;
use crate::coordinator::conversation::{Reply, Request};
use crate::coordinator::group::GroupView;
use crate::handlers::{Core, RequestContext};

/// All groups here speak the protocol that Kafka calls so.
const TYPE: &str = "classic";
/// The first versions that tell state and type.
const STATE_FROM: i16 = 4;
const TYPE_FROM: i16 = 5;

pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: ListGroupsRequest,
    version: i16,
) -> ListGroupsResponse {
    let replies = match core.coordinator.ask_all(&context.principal, context.node, Request::List).await {
        Ok(replies) => replies,
        Err(error) => return ListGroupsResponse::default().with_error_code(error.code()),
    };
    let is_wanted = |wanted: &[StrBytes], own: &str| {
        wanted.is_empty() || wanted.iter().any(|one| one.trim().eq_ignore_ascii_case(own))
    };
    let listed = replies.into_iter().flat_map(|reply| match reply {
        Reply::Listed(groups) => groups,
        _ => unreachable!("a ListGroups is answered as one"),
    });
    let listed = listed.filter(|group| {
        is_wanted(&request.states_filter, group.state.name()) && is_wanted(&request.types_filter, TYPE)
    });
    ListGroupsResponse::default().with_groups(listed.map(|group| tell(group, version)).collect())
}

fn tell(group: GroupView, version: i16) -> ListedGroup {
    let listed = ListedGroup::default()
        .with_group_id(WireGroup(text(group.id.to_string())))
        .with_protocol_type(text(group.protocol_type));
    let listed = if version >= STATE_FROM {
        listed.with_group_state(StrBytes::from_static_str(group.state.name()))
    } else {
        listed
    };
    if version >= TYPE_FROM { listed.with_group_type(StrBytes::from_static_str(TYPE)) } else { listed }
}
