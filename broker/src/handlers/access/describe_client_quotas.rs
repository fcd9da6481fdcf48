//! DescribeClientQuotas: how much clients may use of the broker. Nobody is limited; but a filter that makes no sense is
//! refused by the rules of Kafka's `ClientQuotasImage.describe`, and in its words.

use std::collections::HashSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_client_quotas_request::{ComponentData, DescribeClientQuotasRequest};
use kafka_protocol::messages::describe_client_quotas_response::DescribeClientQuotasResponse;
use kafka_protocol::protocol::StrBytes;

/// Kinds of entities that may have quotas.
const USER: &str = "user";
const CLIENT_ID: &str = "client-id";
const IP: &str = "ip";

/// How a filter may match an entity: by its name, the default, any that has quotas.
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

/// Tells that nobody has quotas, to those who ask sensibly.
pub(super) fn handle(request: &DescribeClientQuotasRequest) -> DescribeClientQuotasResponse {
    match check(&request.components) {
        Ok(()) => {
            let nothing_wrong = Some(StrBytes::default());
            DescribeClientQuotasResponse::default().with_error_message(nothing_wrong).with_entries(Some(Vec::new()))
        }
        Err((code, sentence)) => DescribeClientQuotasResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(sentence)))
            .with_entries(None),
    }
}

fn check(components: &[ComponentData]) -> Result<(), (ResponseError, String)> {
    let invalid = |sentence: String| Err((ResponseError::InvalidRequest, sentence));
    let mut kinds = HashSet::new();
    for component in components {
        let kind = component.entity_type.as_str();
        if kind.is_empty() {
            return invalid("Invalid empty entity type.".into());
        }
        if kinds.contains(kind) {
            return invalid(format!("Entity type {kind} cannot appear more than once in the filter."));
        }
        if !matches!(kind, USER | CLIENT_ID | IP) {
            return Err((ResponseError::UnsupportedVersion, format!("Unsupported entity type {kind}")));
        }
        match (component.match_type, &component._match) {
            (EXACT, None) => {
                return invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.".into());
            }
            (DEFAULT, Some(_)) => {
                return invalid("Request specified MATCH_TYPE_DEFAULT, but also specified a match string.".into());
            }
            (SPECIFIED, Some(_)) => {
                return invalid("Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.".into());
            }
            (EXACT | DEFAULT | SPECIFIED, _) => {}
            (other, _) => return invalid(format!("Unknown match type {other}")),
        }
        kinds.insert(kind);
    }
    if kinds.contains(IP) && kinds.len() > 1 {
        return invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId \
             filter component."
                .into(),
        );
    }
    Ok(())
}
