//! Requests of members, and to groups as a whole.

use kafka_protocol::ResponseError;

use super::{Outcome, Shard};
use crate::clock::TimestampMs;
use crate::coordinator::conversation::{Heartbeat, Join, Joined, Leave, Reply, Sync, Synced};
use crate::coordinator::group::{Group, GroupState, Ticket};
use crate::coordinator::record::Record;
use crate::names::GroupId;

/// The longest text that a record can hold; Kafka fails with the same error then, in the middle of its work.
pub(super) const LONGEST_TEXT: usize = i16::MAX as usize;

impl Shard {
    pub(super) fn join(&mut self, join: &Join, ticket: Ticket, now_ms: TimestampMs, outcome: &mut Outcome) {
        let refusal = match self.groups.contains_key(&join.group) {
            _ if join.group.as_str().is_empty() => Some(ResponseError::InvalidGroupId),
            _ if !self.allows_session(join.session_timeout_ms) => Some(ResponseError::InvalidSessionTimeout),
            _ if !can_be_written(join) => Some(ResponseError::UnknownServerError),
            false if !join.who.member_id.is_empty() => Some(ResponseError::UnknownMemberId),
            _ => None,
        };
        if let Some(error) = refusal {
            outcome.reply(ticket, Reply::Joined(Joined::refused(&join.who.member_id, error)));
            return;
        }
        let is_new = !self.groups.contains_key(&join.group);
        let group = self.groups.entry(join.group.clone()).or_insert_with(|| Group::new(join.group.clone(), now_ms));
        let effects = group.join(join, ticket, &self.rules.groups, now_ms);
        if is_new {
            outcome.records.push(group.write_first());
            outcome.undo.push(Record::Group { group: join.group.clone(), metadata: None });
        }
        self.settle(&join.group, effects, outcome);
    }

    pub(super) fn sync(&mut self, sync: &Sync, ticket: Ticket, now_ms: TimestampMs, outcome: &mut Outcome) {
        match self.find(&sync.group) {
            Ok(group) => {
                let effects = group.sync(sync, ticket, now_ms);
                self.settle(&sync.group, effects, outcome);
            }
            Err(error) => outcome.reply(ticket, Reply::Synced(Synced::refused(error))),
        }
    }

    pub(super) fn heartbeat(&mut self, heartbeat: &Heartbeat, now_ms: TimestampMs) -> Result<(), ResponseError> {
        // It only moves a deadline away, so that nothing has to be planned anew.
        self.find(&heartbeat.group)?.heartbeat(heartbeat, now_ms)
    }

    pub(super) fn leave(&mut self, leave: &Leave, ticket: Ticket, now_ms: TimestampMs, outcome: &mut Outcome) {
        match self.find(&leave.group) {
            Ok(group) => {
                let (left, effects) = group.leave(&leave.members, now_ms);
                outcome.reply(ticket, Reply::Left(Ok(left)));
                self.settle(&leave.group, effects, outcome);
            }
            Err(ResponseError::UnknownMemberId) => {
                let nobody = leave.members.iter().map(|_| Err(ResponseError::UnknownMemberId)).collect();
                outcome.reply(ticket, Reply::Left(Ok(nobody)));
            }
            Err(error) => outcome.reply(ticket, Reply::Left(Err(error))),
        }
    }

    /// Removes a group that has no members, with all that was committed in its name.
    pub(super) fn delete(
        &mut self,
        id: &GroupId,
        now_ms: TimestampMs,
        outcome: &mut Outcome,
    ) -> Result<(), ResponseError> {
        let group = self.groups.get(id).ok_or(ResponseError::GroupIdNotFound)?;
        if group.state() != GroupState::Empty {
            return Err(ResponseError::NonEmptyGroup);
        }
        let offsets = group.offsets.iter().map(|(topic, partition, _)| (topic.clone(), partition)).collect::<Vec<_>>();
        for (topic, partition) in offsets {
            self.record(Record::Offset { group: id.clone(), topic, partition, committed: None }, now_ms, outcome);
        }
        self.record(Record::Group { group: id.clone(), metadata: None }, now_ms, outcome);
        Ok(())
    }

    /// The group that a member speaks to.
    fn find(&mut self, id: &GroupId) -> Result<&mut Group, ResponseError> {
        if id.as_str().is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        self.groups.get_mut(id).ok_or(ResponseError::UnknownMemberId)
    }

    fn allows_session(&self, timeout_ms: i32) -> bool {
        let rules = &self.rules.groups;
        (rules.min_session_timeout_ms..=rules.max_session_timeout_ms).contains(&timeout_ms)
    }
}

/// Whether a record has room for all texts. A member's id is longer than the client's by a dash and 36 characters.
fn can_be_written(join: &Join) -> bool {
    let instance = join.who.instance.as_deref().unwrap_or_default();
    let own = [join.group.as_str(), &join.who.member_id, &join.protocol_type, &join.client_host];
    let with_suffix = [instance, &join.client_id];
    own.into_iter()
        .chain(join.protocols.iter().map(|protocol| protocol.name.as_str()))
        .all(|text| text.len() <= LONGEST_TEXT)
        && with_suffix.into_iter().all(|text| text.len() + 37 <= LONGEST_TEXT)
}
