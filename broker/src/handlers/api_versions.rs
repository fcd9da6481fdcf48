//! ApiVersions: what this broker speaks. The one API that answers whatever version it is asked in.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use kafka_protocol::protocol::StrBytes;

use super::apis::{APIS, Api};
use super::call::{Answer, Hangup, Head};
use super::{Core, RequestContext};
use crate::journal::Event;

/// The feature whose level tools read as the version of a cluster.
const METADATA_VERSION: StrBytes = StrBytes::from_static_str("metadata.version");

/// 3.3-IV3, the oldest level that Kafka 4.3 knows.
const OLDEST_METADATA_VERSION: i16 = 7;

/// 4.3-IV0, the level that a fresh Kafka 4.3 has.
const NEWEST_METADATA_VERSION: i16 = 30;

/// Clients heed finalized features only when their epoch is not negative. Kafka's begins above 0; ours never changes.
const FEATURES_EPOCH: i64 = 1;

/// The table, and the features: `metadata.version` alone. Kafka 4.3 finalizes `transaction.version` and
/// `group.version` as well, which makes Java clients switch to protocols that are not implemented here.
pub(super) fn handle(
    core: &Core,
    context: &RequestContext,
    request: &ApiVersionsRequest,
    version: i16,
) -> ApiVersionsResponse {
    let (name, software_version) = (&request.client_software_name, &request.client_software_version);
    if version >= 3 {
        if !is_software_name(name) || !is_software_name(software_version) {
            return ApiVersionsResponse::default().with_error_code(ResponseError::InvalidRequest.code());
        }
        core.journal.record(|| Event::ClientIdentified {
            connection: context.connection,
            client_id: context.client_id.to_string(),
            software_name: name.to_string(),
            software_version: software_version.to_string(),
        });
    }
    let response = ApiVersionsResponse::default().with_api_keys(APIS.iter().map(advertise).collect());
    if version < 3 { response } else { with_features(response) }
}

/// Error 35 with a body of version 0 and one element, ApiVersions itself, from which clients pick their next try
/// (KIP-511).
pub(super) fn unsupported_version(head: Head) -> Result<Answer, Hangup> {
    let own_range = APIS.iter().filter(|api| api.key as i16 == head.api_key).map(advertise).collect();
    let response = ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(own_range);
    Head { version: 0, ..head }.encode(&response)
}

fn advertise(api: &Api) -> ApiVersion {
    ApiVersion::default()
        .with_api_key(api.key as i16)
        .with_min_version(api.advertised_from)
        .with_max_version(api.newest)
}

fn with_features(response: ApiVersionsResponse) -> ApiVersionsResponse {
    let supported = SupportedFeatureKey::default()
        .with_name(METADATA_VERSION)
        .with_min_version(OLDEST_METADATA_VERSION)
        .with_max_version(NEWEST_METADATA_VERSION);
    let finalized = FinalizedFeatureKey::default()
        .with_name(METADATA_VERSION)
        .with_min_version_level(NEWEST_METADATA_VERSION)
        .with_max_version_level(NEWEST_METADATA_VERSION);
    response
        .with_supported_features(vec![supported])
        .with_finalized_features_epoch(FEATURES_EPOCH)
        .with_finalized_features(vec![finalized])
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`, as in Kafka's `ApiVersionsRequest`.
fn is_software_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_follow_kafkas_pattern() {
        for good in ["a", "apache-kafka-java", "4.3.1", "a--b"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a.", "a b", "ä"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
