//! The ledger: how many events were sent, acknowledged, stored, read and counted, and whether that balances.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a producer says of itself, in a line of JSON.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ProducerSays {
    pub(super) kind: String,
    pub(super) duplicates: u64,
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    pub(super) in_flight: u64,
    pub(super) connections: u64,
    pub(super) rate: f64,
}

/// What a consumer says of itself, in a line of JSON.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ConsumerSays {
    pub(super) kind: String,
    pub(super) read: u64,
    pub(super) again: u64,
    pub(super) counted: u64,
    pub(super) uncounted: u64,
    pub(super) types: BTreeMap<String, u64>,
    pub(super) rate: f64,
    pub(super) store: String,
}

/// All figures of one moment. They come from four programs, so while events are on their way they are not of the same
/// moment quite.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Ledger {
    /// Distinct events that the service sent and that are to become records.
    pub(super) sent: u64,
    /// Events that it sent besides and that become no records: canaries; of Bluesky's, what is told of accounts.
    pub(super) besides: u64,
    /// Events that the service sent once more after a cut; the producer drops them.
    pub(super) sent_again: u64,
    /// Records that the broker acknowledged to the producer.
    pub(super) acknowledged: u64,
    /// Records that the broker refused, so that the producer could not but drop them.
    pub(super) refused: u64,
    /// Records in the log, those left out that were there before the demo.
    pub(super) stored: u64,
    /// Records that were there before and that the group had not read.
    pub(super) left_over: u64,
    /// Records that the consumer read, those left out that it read once more.
    pub(super) read: u64,
    /// Records that it read once more: after a kill it goes on where it last committed.
    pub(super) read_again: u64,
    /// Records that were counted; the consumer knows those that it reads once more, and does not count them again.
    pub(super) counted: u64,
    /// Records without anything to count.
    pub(super) uncounted: u64,
    /// How many records of each sort were counted.
    pub(super) types: BTreeMap<String, u64>,
    /// How often the broker was killed.
    pub(super) kills: u64,
}

impl Ledger {
    /// Takes over what the producer says.
    pub(super) fn hear_producer(&mut self, says: &ProducerSays) {
        (self.acknowledged, self.refused) = (says.acknowledged, says.refused);
    }

    /// Takes over what the consumer says.
    pub(super) fn hear_consumer(&mut self, says: &ConsumerSays) {
        self.read = says.read.saturating_sub(says.again);
        (self.read_again, self.counted, self.uncounted) = (says.again, says.counted, says.uncounted);
        self.types.clone_from(&says.types);
    }

    /// Whether everything that was sent is in the log.
    pub(super) fn is_stored(&self) -> bool {
        self.acknowledged + self.refused == self.sent && self.stored == self.acknowledged
    }

    /// Whether everything that is in the log is read and counted.
    pub(super) fn is_read(&self) -> bool {
        self.read == self.stored + self.left_over && self.counted + self.uncounted == self.read
    }

    /// What does not balance, in sentences; none when all does.
    pub(super) fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        let mut compare = |what: &str, is: u64, should: u64| match is.cmp(&should) {
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Less => gaps.push(format!("{} too few are {what}", should - is)),
            std::cmp::Ordering::Greater => gaps.push(format!("{} too many are {what}", is - should)),
        };
        compare("acknowledged", self.acknowledged + self.refused, self.sent);
        compare("stored", self.stored, self.acknowledged);
        compare("read", self.read, self.stored + self.left_over);
        compare("counted", self.counted + self.uncounted, self.read);
        gaps
    }

    /// What there is to say of it at the end.
    pub(super) fn verdict(&self) -> String {
        let gaps = self.gaps();
        if !gaps.is_empty() {
            return format!("The ledger does not balance: {}.", gaps.join("; "));
        }
        let mut verdict = format!("The ledger balances: {} sent, and each is stored once and read.", self.sent);
        if self.refused > 0 {
            verdict = format!(
                "The ledger balances: {} sent, {} of them refused by the broker, and each other one is stored once and read.",
                self.sent, self.refused
            );
        }
        if self.read_again > 0 {
            verdict.push_str(&format!(
                " {} were read twice, because a consumer goes on where it last committed (at-least-once); this one knew them, \
                 and counted them once.",
                self.read_again
            ));
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced() -> Ledger {
        Ledger {
            sent: 10,
            acknowledged: 10,
            stored: 10,
            left_over: 3,
            read: 13,
            counted: 12,
            uncounted: 1,
            ..Ledger::default()
        }
    }

    #[test]
    fn it_balances_to_the_record() {
        assert!(balanced().is_stored() && balanced().is_read() && balanced().gaps().is_empty());
        assert!(balanced().verdict().starts_with("The ledger balances: 10 sent"));
        for (ledger, gap) in [
            (Ledger { acknowledged: 9, ..balanced() }, "1 too few are acknowledged"),
            (Ledger { stored: 11, ..balanced() }, "1 too many are stored"),
            (Ledger { read: 12, ..balanced() }, "1 too few are read"),
            (Ledger { counted: 13, ..balanced() }, "1 too many are counted"),
        ] {
            assert!(ledger.verdict().contains(gap), "{}", ledger.verdict());
            assert!(!ledger.is_stored() || !ledger.is_read());
        }
    }

    #[test]
    fn what_is_read_twice_is_said_and_balances() {
        let ledger = Ledger { read_again: 4, ..balanced() };
        assert!(ledger.gaps().is_empty() && ledger.verdict().contains("4 were read twice"));
        let refused = Ledger { sent: 12, refused: 2, ..balanced() };
        assert!(refused.gaps().is_empty() && refused.verdict().contains("2 of them refused"));
    }
}
