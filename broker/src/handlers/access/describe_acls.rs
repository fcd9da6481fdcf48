//! DescribeAcls: the rules on who may do what. There are none, because nobody looks at them.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_acls_request::DescribeAclsRequest;
use kafka_protocol::messages::describe_acls_response::DescribeAclsResponse;
use kafka_protocol::protocol::StrBytes;

use super::UNKNOWN_KIND;

/// Refuses, as a Kafka without an authorizer does; `None` for a filter that makes no sense.
pub(super) fn handle(request: &DescribeAclsRequest) -> Option<DescribeAclsResponse> {
    let kinds = [request.resource_type_filter, request.pattern_type_filter, request.operation, request.permission_type];
    let response = DescribeAclsResponse::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(StrBytes::from_static_str("No Authorizer is configured on the broker")));
    (!kinds.contains(&UNKNOWN_KIND)).then_some(response)
}
