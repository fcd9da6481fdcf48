//! DescribeTransactions: how far the transactions of transactional ids have come. Nobody has one here.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TransactionalId;
use kafka_protocol::messages::describe_transactions_request::DescribeTransactionsRequest;
use kafka_protocol::messages::describe_transactions_response::{DescribeTransactionsResponse, TransactionState};

/// Tells of each id that it is not known.
pub(super) fn handle(request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let describe = |id: TransactionalId| {
        let code = if id.is_empty() { ResponseError::InvalidRequest } else { ResponseError::TransactionalIdNotFound };
        TransactionState::default().with_error_code(code.code()).with_transactional_id(id)
    };
    let states = request.transactional_ids.into_iter().map(describe);
    DescribeTransactionsResponse::default().with_transaction_states(states.collect())
}
