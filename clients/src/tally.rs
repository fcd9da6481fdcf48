//! Counts by name, for the few names that there are: types of edits, operations on posts.

use serde::{Serialize, Serializer};

/// How many names are told apart; the names come from outside, and a source that makes them up must not fill the memory.
const MAX_NAMES: usize = 200;

/// Where the names beyond that are counted.
const REST: &str = "(others)";

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: Vec<(String, u64)>,
}

impl Tally {
    /// A number that stands for the name from now on.
    pub fn index(&mut self, name: &str) -> usize {
        // There are about four names: looking at each of them is faster than hashing.
        if let Some(index) = self.counts.iter().position(|(known, _)| known == name) {
            return index;
        }
        if self.counts.len() > MAX_NAMES {
            return MAX_NAMES;
        }
        let name = if self.counts.len() == MAX_NAMES { REST } else { name };
        self.counts.push((name.to_owned(), 0));
        self.counts.len() - 1
    }

    /// Adds to the name that the number stands for.
    pub fn add(&mut self, index: usize, count: u64) {
        self.counts[index].1 += count;
    }

    /// Adds one to a name.
    pub fn add_one(&mut self, name: &str) {
        let index = self.index(name);
        self.add(index, 1);
    }

    /// The names and their counts, largest first; names without a count are left out.
    pub fn sorted(&self) -> Vec<(&str, u64)> {
        let counts = self.counts.iter().filter(|(_, count)| *count > 0);
        let mut sorted: Vec<_> = counts.map(|(name, count)| (name.as_str(), *count)).collect();
        sorted.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
        sorted
    }

    /// Takes all counts out; the names keep their numbers.
    pub fn take(&mut self) -> Tally {
        let taken = self.clone();
        self.counts.iter_mut().for_each(|(_, count)| *count = 0);
        taken
    }

    /// Adds another tally's counts.
    pub fn add_all(&mut self, other: &Tally) {
        for (name, count) in other.sorted() {
            let index = self.index(name);
            self.add(index, count);
        }
    }

    /// All counts together.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.sorted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_largest_first() {
        let mut tally = Tally::default();
        ["new", "edit", "edit", "log"].into_iter().for_each(|name| tally.add_one(name));
        assert_eq!(serde_json::to_string(&tally).unwrap(), r#"{"edit":2,"log":1,"new":1}"#);
        assert_eq!((tally.take().total(), tally.total()), (4, 0));
    }

    #[test]
    fn names_without_end_are_counted_together() {
        let mut tally = Tally::default();
        (0..10_000).for_each(|number| tally.add_one(&format!("type-{number}")));
        assert_eq!(tally.total(), 10_000);
        assert_eq!(tally.sorted()[0], (REST, 10_000 - MAX_NAMES as u64));
        assert_eq!(tally.sorted().len(), MAX_NAMES + 1);
    }
}
