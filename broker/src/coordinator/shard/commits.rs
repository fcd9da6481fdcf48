//! Committed offsets: made, told, deleted, and forgotten in time.

use std::collections::HashMap;

use kafka_protocol::ResponseError;

use super::{Outcome, Shard};
use crate::clock::TimestampMs;
use crate::coordinator::conversation::{Commit, NewOffset, Outcomes};
use crate::coordinator::group::{Group, GroupState};
use crate::coordinator::record::{CommittedOffset, Record};
use crate::names::{GroupId, TopicId, TopicName};

/// What is forgotten at once, so that it fits into a batch: many groups may have committed for many partitions.
const MOST_AT_ONCE_BYTES: usize = 256 * 1024;

impl Shard {
    pub(super) fn commit(&mut self, commit: &Commit, now_ms: TimestampMs, outcome: &mut Outcome) -> Outcomes {
        match self.groups.get_mut(&commit.group) {
            Some(group) => group.check_commit(&commit.who, commit.generation, now_ms)?,
            // Whoever assigns partitions itself needs no group; its first commit makes one.
            None if commit.generation < 0 => {}
            None if commit.knows_missing_groups => return Err(ResponseError::GroupIdNotFound),
            None => return Err(ResponseError::IllegalGeneration),
        }
        if commit.group.as_str().len() > super::groups::LONGEST_TEXT {
            return Err(ResponseError::UnknownServerError);
        }
        let expires_at_ms = commit.retention_ms.map(|retention_ms| now_ms.saturating_add(retention_ms));
        let outcomes = commit.offsets.iter().map(|one| {
            if one.metadata.len() > self.rules.max_metadata_bytes {
                return Err(ResponseError::OffsetMetadataTooLarge);
            }
            let NewOffset { topic, topic_id, partition, offset, leader_epoch, metadata } = one.clone();
            let committed =
                CommittedOffset { offset, leader_epoch, metadata, committed_at_ms: now_ms, expires_at_ms, topic_id };
            let group = commit.group.clone();
            self.record(Record::Offset { group, topic, partition, committed: Some(committed) }, now_ms, outcome);
            Ok(())
        });
        Ok(outcomes.collect())
    }

    pub(super) fn offsets(
        &self,
        group: &GroupId,
        partitions: Option<&[(String, i32)]>,
    ) -> Vec<(String, i32, Option<CommittedOffset>)> {
        let group = self.groups.get(group);
        let Some(partitions) = partitions else {
            let all = group.into_iter().flat_map(|group| group.offsets.iter());
            return all.map(|(topic, partition, one)| (topic.to_string(), partition, Some(one.clone()))).collect();
        };
        let find = |(topic, partition): &(String, i32)| {
            let committed = group.and_then(|group| group.offsets.get(topic, *partition)).cloned();
            (topic.clone(), *partition, committed)
        };
        partitions.iter().map(find).collect()
    }

    pub(super) fn delete_offsets(
        &mut self,
        id: &GroupId,
        partitions: &[(TopicName, i32)],
        now_ms: TimestampMs,
        outcome: &mut Outcome,
    ) -> Outcomes {
        if id.as_str().is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let group = self.groups.get(id).ok_or(ResponseError::GroupIdNotFound)?;
        if group.state() != GroupState::Empty && !group.has_consumers() {
            return Err(ResponseError::NonEmptyGroup);
        }
        let mut outcomes = Vec::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            let Some(group) = self.groups.get(id) else { break };
            if group.is_subscribed_to(topic) {
                outcomes.push(Err(ResponseError::GroupSubscribedToTopic));
                continue;
            }
            if group.offsets.get(topic.as_str(), *partition).is_some() {
                self.record(gone(id, topic, *partition), now_ms, outcome);
            }
            outcomes.push(Ok(()));
        }
        Ok(outcomes)
    }

    /// What was committed for a topic that is gone means nothing for one of the same name. Forgets as much of it as fits into
    /// one batch; says whether that was all.
    pub(super) fn forget_topic(
        &mut self,
        topic: &TopicName,
        id: TopicId,
        now_ms: TimestampMs,
        outcome: &mut Outcome,
    ) -> bool {
        self.tombstones(now_ms, outcome, |_, name, committed| {
            name == topic && committed.topic_id.is_none_or(|committed_for| committed_for == id)
        })
    }

    /// Forgets what was committed for topics that are gone, or stand there again under another id: they were deleted while
    /// nobody could say so here.
    pub fn keep_topics(&mut self, topics: &HashMap<TopicName, TopicId>, now_ms: TimestampMs) -> Vec<Outcome> {
        let is_gone =
            |_: &Group, name: &TopicName, committed: &CommittedOffset| match (topics.get(name), committed.topic_id) {
                (Some(id), Some(committed_for)) => *id != committed_for,
                (Some(_), None) => false,
                (None, _) => true,
            };
        let (mut outcomes, mut outcome, mut size) = (Vec::new(), Outcome::default(), 0);
        for record in self.over(usize::MAX, is_gone) {
            if size >= MOST_AT_ONCE_BYTES {
                outcomes.push(std::mem::take(&mut outcome));
                size = 0;
            }
            size += record.size();
            self.record(record, now_ms, &mut outcome);
        }
        outcomes.push(outcome);
        outcomes
    }

    /// Forgets offsets that were kept long enough, and groups of which nothing is left.
    pub(super) fn expire_offsets(&mut self, now_ms: TimestampMs, outcome: &mut Outcome) {
        let retention_ms = self.rules.offsets_retention_ms;
        let is_all = self.tombstones(now_ms, outcome, |group, topic, committed| {
            let is_old = match (group.kept_since_ms(committed.committed_at_ms), committed.expires_at_ms) {
                (None, _) => false,
                (Some(_), Some(expires_at_ms)) => now_ms >= expires_at_ms,
                (Some(since_ms), None) => now_ms.saturating_sub(since_ms) >= retention_ms,
            };
            is_old && !group.is_subscribed_to(topic)
        });
        let is_left =
            |group: &&Group| group.state() == GroupState::Empty && group.offsets.is_empty() && !group.awaits_somebody();
        let left: Vec<GroupId> = self.groups.values().filter(is_left).map(|group| group.id().clone()).collect();
        let (mut left, mut size) = (left.into_iter(), outcome.size());
        for group in left.by_ref() {
            let record = Record::Group { group, metadata: None };
            size += record.size();
            self.record(record, now_ms, outcome);
            if size >= MOST_AT_ONCE_BYTES {
                break;
            }
        }
        self.next_expiry_ms = None;
        self.plan_expiry(now_ms);
        if !is_all || left.len() > 0 {
            // The rest comes in a batch of its own.
            self.next_expiry_ms = Some(now_ms.saturating_add(1));
        }
    }

    /// While there are groups, old offsets are looked for now and then.
    pub(super) fn plan_expiry(&mut self, now_ms: TimestampMs) {
        if self.next_expiry_ms.is_none() && !self.groups.is_empty() {
            self.next_expiry_ms = Some(now_ms.saturating_add(self.rules.expiry_interval_ms));
        }
    }

    /// Takes away commits, as many as fit into one batch; says whether those were all.
    fn tombstones(
        &mut self,
        now_ms: TimestampMs,
        outcome: &mut Outcome,
        is_over: impl Fn(&Group, &TopicName, &CommittedOffset) -> bool,
    ) -> bool {
        let room_bytes = MOST_AT_ONCE_BYTES.saturating_sub(outcome.size());
        let records = self.over(room_bytes, is_over);
        let size: usize = records.iter().map(Record::size).sum();
        records.into_iter().for_each(|record| self.record(record, now_ms, outcome));
        size < room_bytes
    }

    /// The records that take away commits, until they have so many bytes.
    fn over(&self, limit_bytes: usize, is_over: impl Fn(&Group, &TopicName, &CommittedOffset) -> bool) -> Vec<Record> {
        let (mut records, mut size) = (Vec::new(), 0);
        for group in self.groups.values() {
            for (topic, partition, committed) in group.offsets.iter() {
                if size >= limit_bytes {
                    return records;
                }
                if is_over(group, topic, committed) {
                    let record = gone(group.id(), topic, partition);
                    size += record.size();
                    records.push(record);
                }
            }
        }
        records
    }
}

fn gone(group: &GroupId, topic: &TopicName, partition: i32) -> Record {
    Record::Offset { group: group.clone(), topic: topic.clone(), partition, committed: None }
}
