//! The APIs that describe transactions. There are none yet.

mod describe_transactions;
mod list_transactions;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;

use super::call::{Answer, Hangup, Head};

/// Answers one request of these APIs.
pub(super) fn answer(key: ApiKey, head: Head, body: Bytes) -> Result<Answer, Hangup> {
    match key {
        ApiKey::DescribeTransactions => head.encode(&describe_transactions::handle(head.decode(body)?)),
        ApiKey::ListTransactions => head.encode(&list_transactions::handle(head.decode(body)?)),
        _ => Err(head.has_no_handler()),
    }
}
