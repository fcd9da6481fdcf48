//! The APIs about who clients are, what they may do and how much of it. There are no rules, users or quotas yet: anyone
//! who can connect may do everything.

mod create_acls;
mod delete_acls;
mod describe_acls;
mod describe_client_quotas;
mod describe_user_scram_credentials;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;

use super::call::{Answer, Hangup, Head};

/// What CreateAcls and DeleteAcls say where nobody looks at rules.
const NO_AUTHORIZER: &str = "No Authorizer is configured.";

/// The code of a kind that is none, in a rule or in a filter for rules.
const UNKNOWN_KIND: i8 = 0;

/// Why Kafka closes the connection on such a kind.
const UNKNOWN_KINDS: &str = "a rule with an unknown kind of resource, pattern, operation or permission";

/// Answers one request of these APIs.
pub(super) fn answer(key: ApiKey, head: Head, body: Bytes) -> Result<Answer, Hangup> {
    match key {
        ApiKey::DescribeAcls => {
            head.encode(&describe_acls::handle(&head.decode(body)?).ok_or_else(|| head.refuse(UNKNOWN_KINDS))?)
        }
        ApiKey::CreateAcls => {
            head.encode(&create_acls::handle(&head.decode(body)?).ok_or_else(|| head.refuse(UNKNOWN_KINDS))?)
        }
        ApiKey::DeleteAcls => {
            head.encode(&delete_acls::handle(&head.decode(body)?).ok_or_else(|| head.refuse(UNKNOWN_KINDS))?)
        }
        ApiKey::DescribeClientQuotas => head.encode(&describe_client_quotas::handle(&head.decode(body)?)),
        ApiKey::DescribeUserScramCredentials => {
            head.encode(&describe_user_scram_credentials::handle(head.decode(body)?))
        }
        _ => Err(head.has_no_handler()),
    }
}
