//! What was sent: which events, each counted once, and how many of each sort.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The events that were sent to anybody, by their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// Beginning → end of each stretch of numbers; stretches do not touch.
    sent: BTreeMap<u64, u64>,
    /// How many distinct events of each sort were sent.
    sorts: BTreeMap<&'static str, u64>,
    /// How often an event was sent that had been sent before.
    again: u64,
    /// Before which events something was sent that is none.
    malformed: BTreeSet<u64>,
    /// Of the events before this number, what was wanted has been sent.
    reached: u64,
}

impl Ledger {
    /// Writes down that an event of this sort was sent.
    pub(crate) fn enter(&mut self, number: u64, sort: &'static str) {
        let is_new = self.insert(number);
        match is_new {
            true => *self.sorts.entry(sort).or_default() += 1,
            false => self.again += 1,
        }
    }

    /// Writes down that something is sent before an event that is none; false if it was before. So it comes once: a client
    /// whose connection ends with it gets over it.
    pub(crate) fn enter_malformed(&mut self, number: u64) -> bool {
        self.malformed.insert(number)
    }

    /// Writes down how far somebody has come.
    pub(crate) fn reach(&mut self, number: u64) {
        self.reached = self.reached.max(number);
    }

    /// How far somebody has come.
    pub(crate) fn reached(&self) -> u64 {
        self.reached
    }

    /// How many distinct events of each sort were sent.
    pub(crate) fn sorts(&self) -> &BTreeMap<&'static str, u64> {
        &self.sorts
    }

    /// How often an event was sent that had been sent before.
    pub(crate) fn again(&self) -> u64 {
        self.again
    }

    /// How much was sent that is no event.
    pub(crate) fn malformed(&self) -> u64 {
        self.malformed.len() as u64
    }

    /// The stretches of numbers in which events were sent.
    pub(crate) fn stretches(&self) -> Vec<Range<u64>> {
        self.sent.iter().map(|(begin, end)| *begin..*end).collect()
    }

    fn insert(&mut self, number: u64) -> bool {
        let before = self.sent.range(..=number).next_back().map(|(begin, end)| (*begin, *end));
        if before.is_some_and(|(_, end)| number < end) {
            return false;
        }
        let begin = before.filter(|(_, end)| *end == number).map_or(number, |(begin, _)| begin);
        let end = self.sent.remove(&(number + 1)).unwrap_or(number + 1);
        self.sent.insert(begin, end);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::chance::{Chance, Purpose};

    #[test]
    fn each_event_counts_once() {
        let mut ledger = Ledger::default();
        [5, 6, 8, 7, 6, 2, 5].into_iter().for_each(|number| ledger.enter(number, "edit"));
        assert_eq!(ledger.stretches(), [2..3, 5..9]);
        assert_eq!((ledger.sorts()["edit"], ledger.again()), (5, 2));
    }

    #[test]
    fn stretches_hold_what_a_set_holds() {
        let mut chance = Chance::of(1, Purpose::Content, 0);
        let (mut ledger, mut set) = (Ledger::default(), HashSet::new());
        for _ in 0..3000 {
            let number = chance.below(1500);
            assert_eq!(ledger.insert(number), set.insert(number), "{number}");
        }
        assert_eq!(ledger.stretches().into_iter().flatten().collect::<HashSet<u64>>(), set);
        assert!(ledger.stretches().windows(2).all(|pair| pair[0].end < pair[1].start));
    }
}
