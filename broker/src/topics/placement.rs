//! On which nodes a topic's replicas are, as far as they are anywhere: there is one copy of each partition, and this says
//! which of the simulated nodes show it. What was asked for is kept; what comes of it depends on the nodes that there are,
//! and is worked out each time it is asked for.

use std::iter::once;

use crate::config::Nodes;
use crate::names::{TopicId, TopicName};
use crate::storage::metadata::Replication;

/// Where the partitions of one topic are.
#[derive(Clone, Debug)]
pub(super) struct Placement {
    nodes: Nodes,
    /// Which node leads the first partition, and how far the others' replicas are apart.
    seed: u128,
    pub(super) replication: Replication,
}

impl Placement {
    /// The same at every start with as many nodes. Topics begin at different nodes, as their ids are random; the brokers' own
    /// topics at the first, so that it is known where they will be before they are made.
    pub(super) fn new(nodes: Nodes, name: &TopicName, id: TopicId, replication: Replication) -> Placement {
        let seed = if name.is_internal() { 0 } else { id.uuid().as_u128() };
        Placement { nodes, seed, replication }
    }

    /// The same with other wishes.
    pub(super) fn with(&self, replication: Replication) -> Placement {
        Placement { replication, ..*self }
    }

    /// The node that leads a partition.
    pub(super) fn leader(&self, partition: i32) -> i32 {
        let assigned = self.assigned(partition).and_then(|replicas| self.existing(replicas).next());
        assigned.unwrap_or_else(|| self.nodes.nth(self.start(partition)))
    }

    /// The nodes that have a partition, its leader first: as many as were asked for, as far as there are nodes.
    pub(super) fn replicas(&self, partition: i32) -> Vec<i32> {
        let assigned = self.assigned(partition).map(|replicas| self.existing(replicas).collect::<Vec<_>>());
        match assigned {
            Some(replicas) if !replicas.is_empty() => replicas,
            _ => self.spread(partition, self.replication.factor),
        }
    }

    /// How many replicas somebody wanted of a partition, whether there are as many nodes or not.
    pub(super) fn wanted(&self, partition: i32) -> i16 {
        let assigned = self.assigned(partition).and_then(|replicas| i16::try_from(replicas.len()).ok());
        assigned.unwrap_or(self.replication.factor)
    }

    /// Where a partition is that nobody assigned, by Kafka's rule: leaders go round the nodes, and so do the other replicas,
    /// with one step more between them after each round.
    pub(super) fn spread(&self, partition: i32, factor: i16) -> Vec<i32> {
        let (count, first) = (self.nodes.count(), self.start(partition));
        let others = (count - 1).max(1);
        let step = (modulo(self.seed / u128::from(count.unsigned_abs()), others) + partition / count) % others;
        let follower = |number: i32| self.nodes.nth(first + 1 + (step + number) % others);
        once(self.nodes.nth(first)).chain((0..i32::from(factor).min(count) - 1).map(follower)).collect()
    }

    fn start(&self, partition: i32) -> i32 {
        (modulo(self.seed, self.nodes.count()) + partition % self.nodes.count()) % self.nodes.count()
    }

    fn assigned(&self, partition: i32) -> Option<&Vec<i32>> {
        // Most topics are assigned by nobody.
        self.replication.assigned.get(&partition)
    }

    fn existing(&self, replicas: &[i32]) -> impl Iterator<Item = i32> {
        replicas.iter().copied().filter(|node| self.nodes.contains(*node))
    }
}

fn modulo(number: u128, count: i32) -> i32 {
    i32::try_from(number % u128::from(count.unsigned_abs().max(1))).expect("it is less than the count")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn placement(count: i32, seed: u128, replication: Replication) -> Placement {
        Placement { nodes: Nodes::new(1, count), seed, replication }
    }

    #[test]
    fn leaders_and_replicas_go_round_the_nodes() {
        let three = placement(3, 0, Replication::of(3));
        let replicas = |placement: &Placement| (0..6).map(|number| placement.replicas(number)).collect::<Vec<_>>();
        assert_eq!(replicas(&three), [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 3, 2], [2, 1, 3], [3, 2, 1]].map(Vec::from));
        assert_eq!(three.replication.factor, three.wanted(5));
        let two = placement(3, 4, Replication::of(2));
        assert_eq!(replicas(&two), [[2, 1], [3, 2], [1, 3], [2, 3], [3, 1], [1, 2]].map(Vec::from));
    }

    #[test]
    fn whatever_the_numbers_each_replica_is_on_a_node_of_its_own() {
        for (count, seed, factor) in (1..=5).flat_map(|count| (0..30).map(move |seed| (count, seed, (seed % 7) as i16)))
        {
            let placement = placement(count, seed * 0x1234_5678_9abc_def1, Replication::of(factor));
            for partition in 0..20 {
                let replicas = placement.replicas(partition);
                assert_eq!(replicas.len(), usize::try_from(i32::from(factor).clamp(1, count)).expect("positive"));
                assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), replicas.len(), "{replicas:?}");
                assert!(replicas.iter().all(|node| placement.nodes.contains(*node)), "{replicas:?}");
                assert_eq!(placement.leader(partition), replicas[0]);
            }
        }
    }

    #[test]
    fn what_was_assigned_counts_as_far_as_there_are_nodes() {
        let assigned = BTreeMap::from([(0, vec![3, 1]), (1, vec![3, 2])]);
        let wish = |count| placement(count, 0, Replication { factor: 2, assigned: assigned.clone() });
        let of = |count| [0, 1, 2].map(|partition| wish(count).replicas(partition));
        assert_eq!(of(3), [vec![3, 1], vec![3, 2], vec![3, 1]]);
        assert_eq!(of(2), [vec![1], vec![2], vec![1, 2]]);
        assert_eq!(of(1), [vec![1], vec![1], vec![1]]);
        assert_eq!((wish(1).wanted(0), wish(1).leader(1)), (2, 1));
    }
}
