//! DeleteGroups: removes groups without members, with all that was committed in their names.

use std::collections::HashSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::GroupId as WireGroup;
use kafka_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use kafka_protocol::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};

use super::{ask, group_id, outcome_code};
use crate::coordinator::conversation::{Reply, Request};
use crate::handlers::{Core, RequestContext};

pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let mut seen = HashSet::new();
    let mut results = Vec::with_capacity(request.groups_names.len());
    for wire in request.groups_names.into_iter().filter(|wire| seen.insert(wire.to_string())) {
        let outcome = delete(core, context, &wire).await;
        results.push(DeletableGroupResult::default().with_group_id(wire).with_error_code(outcome_code(outcome)));
    }
    DeleteGroupsResponse::default().with_results(results)
}

async fn delete(core: &Core, context: &RequestContext, wire: &WireGroup) -> Result<(), ResponseError> {
    let group = group_id(wire);
    match ask(core, context, &group, Request::Delete(group.clone())).await? {
        Reply::Deleted(outcome) => outcome,
        _ => unreachable!("a DeleteGroups is answered as one"),
    }
}
