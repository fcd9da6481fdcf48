//! Which events are on their way to the broker, and up to where all of them have arrived.
//!
//! ```text
//!   acknowledged    on their way
//!   ───────────┬──────────────────────
//!    a  b  c   │  d   e✓   f   g✓       the token of c is safe to keep: everything up to c is in the log;
//!              │                        that of e is not, before d has arrived
//! ```

use std::collections::VecDeque;

use crate::tally::Tally;

/// How many identities of acknowledged events are kept for the next run. Where two seconds hold more events, a resume brings
/// some again that are not known any more: at more than ten thousand a second.
const MAX_RECENT: usize = 20_000;

/// An event on its way.
#[derive(Debug)]
struct Pending {
    token: Option<Box<str>>,
    identity: u64,
    kind: usize,
    is_settled: bool,
}

/// What became of the events that were sent.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The number of the first event in `pending`.
    first: usize,
    pending: VecDeque<Pending>,
    /// How many of `pending` are still on their way.
    in_flight: u64,
    acknowledged: Tally,
    refused: u64,
    token: Option<Box<str>>,
    recent: VecDeque<u64>,
    failure: Option<String>,
}

impl Ledger {
    /// Notes an event before it is sent; the number is its name from now on.
    pub fn begin(&mut self, token: Option<Box<str>>, identity: u64, kind: &str) -> usize {
        let kind = self.acknowledged.index(kind);
        self.pending.push_back(Pending { token, identity, kind, is_settled: false });
        self.in_flight += 1;
        self.first + self.pending.len() - 1
    }

    /// Takes back the newest event, which could not be sent yet.
    pub fn take_back(&mut self) -> Option<Box<str>> {
        self.in_flight -= 1;
        self.pending.pop_back().and_then(|event| event.token)
    }

    /// The broker has it.
    pub fn acknowledge(&mut self, number: usize) {
        let kind = self.pending[number - self.first].kind;
        self.acknowledged.add(kind, 1);
        self.settle(number);
    }

    /// The broker will never have it, and trying again is of no use.
    pub fn refuse(&mut self, number: usize) {
        self.refused += 1;
        self.settle(number);
    }

    /// Nothing can be sent any more, and why.
    pub fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    fn settle(&mut self, number: usize) {
        self.pending[number - self.first].is_settled = true;
        self.in_flight -= 1;
        while self.pending.front().is_some_and(|event| event.is_settled) {
            let Some(event) = self.pending.pop_front() else { break };
            self.first += 1;
            if event.token.is_some() {
                self.token = event.token;
            }
            if self.recent.len() == MAX_RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(event.identity);
        }
    }

    /// How many are on their way.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// How many the broker has, by type.
    pub fn acknowledged(&self) -> &Tally {
        &self.acknowledged
    }

    /// How many were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Why nothing can be sent any more.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The newest token that is safe to keep, once, with the identities of the events just before.
    pub fn take_position(&mut self) -> Option<(Box<str>, Vec<u64>)> {
        let token = self.token.take()?;
        Some((token, self.recent.iter().copied().collect()))
    }

    /// Takes over what an earlier run kept.
    pub fn remember(&mut self, recent: &[u64]) {
        self.recent.extend(recent.iter().rev().take(MAX_RECENT).rev());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(ledger: &mut Ledger, token: &str) -> usize {
        ledger.begin(Some(token.into()), token.len() as u64, "edit")
    }

    fn token(ledger: &mut Ledger) -> Option<String> {
        ledger.take_position().map(|(token, _)| token.to_string())
    }

    #[test]
    fn a_token_is_safe_when_everything_before_has_arrived() {
        let mut ledger = Ledger::default();
        let numbers = ["a", "b", "c"].map(|token| begin(&mut ledger, token));
        ledger.acknowledge(numbers[1]);
        assert_eq!(token(&mut ledger), None);
        ledger.acknowledge(numbers[0]);
        assert_eq!(token(&mut ledger).as_deref(), Some("b"));
        assert_eq!(token(&mut ledger), None, "once");
        assert_eq!((ledger.in_flight(), ledger.acknowledged().total()), (1, 2));
    }

    #[test]
    fn what_is_refused_is_not_in_the_way() {
        let mut ledger = Ledger::default();
        let numbers = ["a", "b"].map(|token| begin(&mut ledger, token));
        ledger.refuse(numbers[0]);
        ledger.acknowledge(numbers[1]);
        assert_eq!(token(&mut ledger).as_deref(), Some("b"));
        assert_eq!((ledger.refused(), ledger.acknowledged().total(), ledger.in_flight()), (1, 1, 0));
    }

    #[test]
    fn what_could_not_be_sent_is_taken_back() {
        let mut ledger = Ledger::default();
        begin(&mut ledger, "a");
        assert_eq!(ledger.take_back().as_deref(), Some("a"));
        let again = begin(&mut ledger, "a");
        ledger.acknowledge(again);
        assert_eq!((token(&mut ledger).as_deref(), ledger.in_flight()), (Some("a"), 0));
    }

    #[test]
    fn so_many_identities_are_kept_and_no_more() {
        let mut ledger = Ledger::default();
        ledger.remember(&(0..24_000).collect::<Vec<_>>());
        let number = ledger.begin(Some("t".into()), 24_000, "edit");
        ledger.acknowledge(number);
        let (_, recent) = ledger.take_position().unwrap();
        assert_eq!((recent.len(), recent[0], recent[MAX_RECENT - 1]), (MAX_RECENT, 4001, 24_000));
    }
}
