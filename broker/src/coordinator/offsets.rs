//! What was committed in the name of one group.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::record::CommittedOffset;
use crate::names::TopicName;

/// Committed offsets, by topic and partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offsets {
    by_topic: BTreeMap<TopicName, BTreeMap<i32, CommittedOffset>>,
}

impl Offsets {
    /// Puts a commit in the place of the one before, or takes it away; gives the one before.
    pub(super) fn put(
        &mut self,
        topic: &TopicName,
        partition: i32,
        committed: Option<CommittedOffset>,
    ) -> Option<CommittedOffset> {
        if let Some(committed) = committed {
            return self.by_topic.entry(topic.clone()).or_default().insert(partition, committed);
        }
        let partitions = self.by_topic.get_mut(topic)?;
        let former = partitions.remove(&partition);
        if partitions.is_empty() {
            self.by_topic.remove(topic);
        }
        former
    }

    /// The commit of a partition.
    pub(super) fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        let topic = TopicName::parse(topic).ok()?;
        self.by_topic.get(&topic)?.get(&partition)
    }

    /// All commits.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&TopicName, i32, &CommittedOffset)> {
        self.iter_from(None)
    }

    /// The commits from that of a partition on, in the order of topics and partitions.
    pub(super) fn iter_from<'a>(
        &'a self,
        first: Option<&'a (TopicName, i32)>,
    ) -> impl Iterator<Item = (&'a TopicName, i32, &'a CommittedOffset)> {
        let topics = first.map_or(Bound::Unbounded, |(topic, _)| Bound::Included(topic));
        self.by_topic.range::<TopicName, _>((topics, Bound::Unbounded)).flat_map(move |(topic, partitions)| {
            let first = first.filter(|(of, _)| of == topic).map_or(i32::MIN, |(_, partition)| *partition);
            partitions.range(first..).map(move |(partition, committed)| (topic, *partition, committed))
        })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_topic.is_empty()
    }
}
