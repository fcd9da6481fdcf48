//! Which transactions there are: none, on either side.

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::{DescribeTransactionsRequest, ListTransactionsRequest, ProducerId};

use super::text;

/// TRANSACTIONAL_ID_NOT_FOUND.
const NOT_FOUND: i16 = 105;

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    let all = ListTransactionsRequest::default().with_duration_filter(-1).with_transactional_id_pattern(None);
    // A Kafka's coordinator knows what is not there only when it has loaded its log; before it begins to, it lists nothing.
    talk.learn_until(0, &describe(&["a"]), |answer| answer["transactionStates"][0]["errorCode"] == NOT_FOUND)?;
    for version in 0..=2 {
        let mut ask = |name: &str, request: &ListTransactionsRequest| talk.ask_in_any_order(name, version, request);
        ask("all transactions", &all)?;
        let states = ["Ongoing", "Empty", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead"];
        ask("those in any state", &all.clone().with_state_filters(states.map(text).to_vec()))?;
        let unknown = ["Ongoing", "ongoing", "", "Lost", "Lost", "PrepareEpochFence", "Unknown"];
        ask("those in states that are none", &all.clone().with_state_filters(unknown.map(text).to_vec()))?;
        ask("those of a producer", &all.clone().with_producer_id_filters(vec![ProducerId(3)]))?;
        if version >= 1 {
            ask("long ones", &all.clone().with_duration_filter(1000))?;
        }
        if version >= 2 {
            ask("those of some ids", &all.clone().with_transactional_id_pattern(Some(text("a.*"))))?;
            ask("those of a pattern that is none", &all.clone().with_transactional_id_pattern(Some(text("a[("))))?;
        }
    }
    for (name, ids) in [("an id", vec!["a"]), ("two ids and none", vec!["a", "b", ""]), ("no ids", vec![])] {
        talk.ask(name, 0, &describe(&ids))?;
    }
    Ok(())
}

fn describe(ids: &[&str]) -> DescribeTransactionsRequest {
    DescribeTransactionsRequest::default().with_transactional_ids(ids.iter().map(|id| text(id).into()).collect())
}
