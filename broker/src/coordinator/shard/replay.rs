//! What records do to a shard: the one way in which offsets change, live and at a start.

use super::{Outcome, Shard};
use crate::clock::TimestampMs;
use crate::coordinator::group::Group;
use crate::coordinator::record::Record;

impl Shard {
    /// Takes in one record of the log.
    pub fn replay(&mut self, record: Record, now_ms: TimestampMs) {
        drop(self.put(record, now_ms));
    }

    /// Ends a replay: members of groups have a whole session from now on.
    pub fn begin(&mut self, now_ms: TimestampMs) {
        let ids: Vec<_> = self.groups.keys().cloned().collect();
        ids.iter().for_each(|id| self.plan(id));
        self.plan_expiry(now_ms);
    }

    /// Puts a record in force that is to be appended.
    pub(super) fn record(&mut self, record: Record, now_ms: TimestampMs, outcome: &mut Outcome) {
        outcome.records.push(record.clone());
        outcome.undo.extend(self.put(record, now_ms));
    }

    /// Puts a record in force; gives the one that undoes it.
    pub(super) fn put(&mut self, record: Record, now_ms: TimestampMs) -> Option<Record> {
        match record {
            Record::Offset { group: id, topic, partition, committed } => {
                if committed.is_none() && !self.groups.contains_key(&id) {
                    return None;
                }
                let group = self.groups.entry(id.clone()).or_insert_with(|| Group::new(id.clone(), now_ms));
                let former = group.offsets.put(&topic, partition, committed);
                self.plan_expiry(now_ms);
                Some(Record::Offset { group: id, topic, partition, committed: former })
            }
            Record::Group { group: id, metadata: Some(metadata) } => {
                let group = self.groups.entry(id.clone()).or_insert_with(|| Group::new(id.clone(), now_ms));
                group.load(metadata, now_ms);
                self.plan(&id);
                self.plan_expiry(now_ms);
                Some(Record::Group { group: id, metadata: None })
            }
            Record::Group { group: id, metadata: None } => {
                let former = self.groups.remove(&id)?;
                self.planned.remove(&id);
                former.written()
            }
        }
    }
}
