//! Which topics there are: maps behind one lock that is held for a moment only, never while the disk works.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Topic;
use crate::names::{TopicId, TopicName};

/// Every topic that is served.
#[derive(Debug, Default)]
pub(super) struct Registry {
    maps: RwLock<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    by_name: HashMap<String, Arc<Topic>>,
    by_id: HashMap<TopicId, Arc<Topic>>,
    /// By the name as metrics know it, where `.` and `_` are the same: no two topics may share one.
    by_metric_name: HashMap<String, TopicName>,
    partition_count: usize,
}

impl Registry {
    pub(super) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.read().by_name.get(name).cloned()
    }

    pub(super) fn get_by_id(&self, id: TopicId) -> Option<Arc<Topic>> {
        self.read().by_id.get(&id).cloned()
    }

    /// All topics by name.
    pub(super) fn list(&self) -> Vec<Arc<Topic>> {
        let mut topics: Vec<_> = self.read().by_name.values().cloned().collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        topics
    }

    /// The topic whose name would be the same in metrics.
    pub(super) fn colliding(&self, name: &TopicName) -> Option<TopicName> {
        self.read().by_metric_name.get(&metric_name(name)).cloned()
    }

    /// Partitions of all topics.
    pub(super) fn partition_count(&self) -> usize {
        self.read().partition_count
    }

    pub(super) fn insert(&self, topic: &Arc<Topic>) {
        let mut maps = self.write();
        maps.partition_count += topic.partitions.len();
        maps.by_metric_name.insert(metric_name(&topic.name), topic.name.clone());
        maps.by_id.insert(topic.id, Arc::clone(topic));
        maps.by_name.insert(topic.name.to_string(), Arc::clone(topic));
    }

    /// Puts a newer snapshot of a topic in the place of the one with its id, unless that is gone.
    pub(super) fn replace(&self, topic: &Arc<Topic>) {
        let mut maps = self.write();
        let Some(before) = maps.by_id.get_mut(&topic.id) else { return };
        let before = std::mem::replace(before, Arc::clone(topic));
        maps.partition_count = maps.partition_count - before.partitions.len() + topic.partitions.len();
        maps.by_name.insert(topic.name.to_string(), Arc::clone(topic));
    }

    pub(super) fn remove(&self, topic: &Topic) {
        let mut maps = self.write();
        if maps.by_id.remove(&topic.id).is_some() {
            maps.partition_count -= topic.partitions.len();
            maps.by_name.remove(topic.name.as_str());
            maps.by_metric_name.remove(&metric_name(&topic.name));
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn metric_name(name: &TopicName) -> String {
    name.as_str().replace('.', "_")
}
