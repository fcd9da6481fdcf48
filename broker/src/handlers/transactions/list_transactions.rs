//! ListTransactions: the transactions that there are. There are none.

use std::collections::BTreeSet;

use kafka_protocol::messages::list_transactions_request::ListTransactionsRequest;
use kafka_protocol::messages::list_transactions_response::ListTransactionsResponse;

/// The states that a transaction can have (Kafka's `TransactionState`).
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

/// Lists nothing, and names the states that are none. No pattern is looked at, because no id could match it.
pub(super) fn handle(request: ListTransactionsRequest) -> ListTransactionsResponse {
    let unknown = request.state_filters.into_iter().filter(|state| !STATES.contains(&state.as_str()));
    let unknown: BTreeSet<_> = unknown.collect();
    ListTransactionsResponse::default().with_unknown_state_filters(unknown.into_iter().collect())
}
