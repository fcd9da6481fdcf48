//! DeleteAcls: takes rules away on who may do what. There are none.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest};
use kafka_protocol::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{NO_AUTHORIZER, UNKNOWN_KIND};

/// Refuses each filter, as a Kafka without an authorizer does; `None` when one makes no sense.
pub(super) fn handle(request: &DeleteAclsRequest) -> Option<DeleteAclsResponse> {
    let refused = DeleteAclsFilterResult::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(StrBytes::from_static_str(NO_AUTHORIZER)));
    let makes_sense = |filter: &DeleteAclsFilter| {
        let kinds = [filter.resource_type_filter, filter.pattern_type_filter, filter.operation, filter.permission_type];
        !kinds.contains(&UNKNOWN_KIND)
    };
    let results = vec![refused; request.filters.len()];
    request.filters.iter().all(makes_sense).then(|| DeleteAclsResponse::default().with_filter_results(results))
}
