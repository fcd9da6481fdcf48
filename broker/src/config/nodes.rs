//! The nodes that one process shows itself as: brokers with ids and listeners of their own, over one copy of the data.

use std::ops::RangeInclusive;

/// The ids of the nodes; they follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nodes {
    first: i32,
    /// At least 1.
    count: i32,
}

impl Nodes {
    /// So many nodes, the first of which has this id.
    pub fn new(first: i32, count: i32) -> Nodes {
        Nodes { first, count: count.max(1) }
    }

    /// The id of the first.
    pub fn first(self) -> i32 {
        self.first
    }

    /// How many there are.
    pub fn count(self) -> i32 {
        self.count
    }

    /// Whether there is one, as in any broker that is not told otherwise.
    pub fn is_single(self) -> bool {
        self.count == 1
    }

    /// The ids, in ascending order.
    pub fn ids(self) -> RangeInclusive<i32> {
        self.first..=self.first.saturating_add(self.count - 1)
    }

    /// Whether one of them has this id.
    pub fn contains(self, id: i32) -> bool {
        self.ids().contains(&id)
    }

    /// The id that comes so many after the first; after the last the first comes again.
    pub fn nth(self, index: i32) -> i32 {
        self.first.saturating_add(index.rem_euclid(self.count))
    }

    /// The place of an id among them, from 0.
    pub fn index_of(self, id: i32) -> Option<usize> {
        self.ids().position(|own| own == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_one_another() {
        let nodes = Nodes::new(4, 3);
        assert_eq!(nodes.ids().collect::<Vec<_>>(), [4, 5, 6]);
        assert_eq!([0, 2, 3, 7].map(|index| nodes.nth(index)), [4, 6, 4, 5]);
        assert_eq!([3, 4, 6, 7].map(|id| nodes.index_of(id)), [None, Some(0), Some(2), None]);
        assert!(Nodes::new(7, 0).is_single() && Nodes::new(i32::MAX, 1).contains(i32::MAX));
    }
}
