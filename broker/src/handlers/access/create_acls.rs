//! CreateAcls: new rules on who may do what, at which nobody would look.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_acls_request::{AclCreation, CreateAclsRequest};
use kafka_protocol::messages::create_acls_response::{AclCreationResult, CreateAclsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{NO_AUTHORIZER, UNKNOWN_KIND};

/// Refuses each rule, as a Kafka without an authorizer does; `None` when one makes no sense.
pub(super) fn handle(request: &CreateAclsRequest) -> Option<CreateAclsResponse> {
    let refused = AclCreationResult::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(StrBytes::from_static_str(NO_AUTHORIZER)));
    let makes_sense = |rule: &AclCreation| {
        let kinds = [rule.resource_type, rule.resource_pattern_type, rule.operation, rule.permission_type];
        !kinds.contains(&UNKNOWN_KIND)
    };
    let results = vec![refused; request.creations.len()];
    request.creations.iter().all(makes_sense).then(|| CreateAclsResponse::default().with_results(results))
}
