//! The groups whose records stand in one partition of `__consumer_offsets`, as a value that is told the time.
//!
//! [`Shard::apply`] decides about a request: which records have to be appended, and which answers may go out once they are.
//! What the records say is in force at once, so that the next request sees it; if they cannot be appended, [`Shard::take_back`]
//! undoes them and gives other answers. [`Shard::replay`] takes in the records of a log, one after another: what a
//! shard knows after that is what it knew when they were written, but for those who wait.

mod commits;
mod groups;
mod projection;
mod replay;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use kafka_protocol::ResponseError;

use super::conversation::{Reply, Request};
use super::group::{Effects, Group, GroupRules, Ticket, Written};
use super::record::Record;
use crate::clock::TimestampMs;
use crate::names::GroupId;

pub use projection::Place;

/// How the groups of one broker behave, and how long offsets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How groups behave.
    pub groups: GroupRules,
    /// `offset.metadata.max.bytes`.
    pub max_metadata_bytes: usize,
    /// `offsets.retention.minutes`.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub expiry_interval_ms: i64,
}

/// What comes of a request, or of time.
#[derive(Debug, Default)]
pub struct Outcome {
    /// To be appended together.
    pub records: Vec<Record>,
    /// To be sent once they are.
    pub replies: Vec<(Ticket, Reply)>,
    /// Puts things back as they were, in this order.
    undo: Vec<Record>,
    /// Groups that are in the records as they are now, and what the log said of them before.
    written: Vec<(GroupId, Written)>,
}

/// See the room's story.
#[derive(Debug)]
pub struct Shard {
    rules: Rules,
    /// In an order, so that what befalls many of them does so in the same order each time.
    groups: BTreeMap<GroupId, Group>,
    /// When which group is to be looked at, and perhaps when it was to be once.
    due: BinaryHeap<Reverse<(TimestampMs, GroupId)>>,
    /// The earliest look that is planned for a group.
    planned: HashMap<GroupId, TimestampMs>,
    /// When offsets are to be looked through for old ones.
    next_expiry_ms: Option<TimestampMs>,
}

impl Shard {
    /// A shard without groups.
    pub fn new(rules: Rules) -> Shard {
        Shard { rules, groups: BTreeMap::new(), due: BinaryHeap::new(), planned: HashMap::new(), next_expiry_ms: None }
    }

    /// Obeys other rules from now on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Decides about a request.
    pub fn apply(&mut self, request: &Request, ticket: Ticket, now_ms: TimestampMs) -> Outcome {
        let mut outcome = Outcome::default();
        match request {
            Request::Join(join) => self.join(join, ticket, now_ms, &mut outcome),
            Request::Sync(sync) => self.sync(sync, ticket, now_ms, &mut outcome),
            Request::Heartbeat(heartbeat) => outcome.reply(ticket, Reply::Alive(self.heartbeat(heartbeat, now_ms))),
            Request::Leave(leave) => self.leave(leave, ticket, now_ms, &mut outcome),
            Request::Commit(commit) => {
                let outcomes = self.commit(commit, now_ms, &mut outcome);
                outcome.reply(ticket, Reply::Committed(outcomes));
            }
            Request::Offsets { group, partitions } => {
                outcome.reply(ticket, Reply::Offsets(self.offsets(group, partitions.as_deref())));
            }
            Request::DeleteOffsets { group, partitions } => {
                let outcomes = self.delete_offsets(group, partitions, now_ms, &mut outcome);
                outcome.reply(ticket, Reply::OffsetsDeleted(outcomes));
            }
            Request::Describe(group) => {
                outcome.reply(ticket, Reply::Described(self.groups.get(group).map(Group::view)));
            }
            Request::List => outcome.reply(ticket, Reply::Listed(self.groups.values().map(Group::view).collect())),
            Request::Delete(group) => {
                let deleted = self.delete(group, now_ms, &mut outcome);
                outcome.reply(ticket, Reply::Deleted(deleted));
            }
            Request::TopicDeleted(topic, id) => {
                let is_all = self.forget_topic(topic, *id, now_ms, &mut outcome);
                outcome.reply(ticket, Reply::Forgotten { is_all });
            }
        }
        outcome
    }

    /// When something is due if nobody asks for anything.
    pub fn next_deadline_ms(&self) -> Option<TimestampMs> {
        let look = self.due.peek().map(|Reverse((at_ms, _))| *at_ms);
        look.into_iter().chain(self.next_expiry_ms).min()
    }

    /// Does what is due.
    pub fn pass_time(&mut self, now_ms: TimestampMs) -> Outcome {
        let mut outcome = Outcome::default();
        while self.due.peek().is_some_and(|Reverse((at_ms, _))| *at_ms <= now_ms) {
            let Some(Reverse((at_ms, id))) = self.due.pop() else { break };
            // Planned once, and since then otherwise.
            if self.planned.get(&id) != Some(&at_ms) {
                continue;
            }
            self.planned.remove(&id);
            if let Some(group) = self.groups.get_mut(&id) {
                let effects = group.pass_time(now_ms);
                self.settle(&id, effects, &mut outcome);
            }
        }
        if self.next_expiry_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.expire_offsets(now_ms, &mut outcome);
        }
        outcome
    }

    /// Undoes what could not be appended, and answers with the reason instead. Members whose assignment was in it join
    /// anew; for that something may have to be appended again.
    pub fn take_back(&mut self, outcome: Outcome, why: ResponseError, now_ms: TimestampMs) -> Outcome {
        let Outcome { replies, undo, written, .. } = outcome;
        let replies = replies.into_iter().map(|(ticket, reply)| (ticket, reply.failed(why))).collect();
        let mut next = Outcome { replies, ..Outcome::default() };
        for record in undo.into_iter().rev() {
            if let Record::Group { group, metadata: None } = &record
                && let Some(group) = self.groups.get_mut(group)
            {
                next.replies.extend(group.refuse_all(why).replies);
            }
            let id = record.group().clone();
            self.put(record, now_ms);
            // A commit may have made the group.
            if self.groups.get(&id).is_some_and(Group::is_nothing) {
                self.groups.remove(&id);
            }
        }
        for (id, former) in written.into_iter().rev() {
            if let Some(group) = self.groups.get_mut(&id) {
                group.unwrite(former);
                let effects = group.forget_assignment(now_ms);
                self.settle(&id, effects, &mut next);
            }
        }
        next
    }

    /// Takes over what a group wants done, and plans when to look at it again.
    fn settle(&mut self, id: &GroupId, effects: Effects, outcome: &mut Outcome) {
        outcome.replies.extend(effects.replies);
        let Some(group) = self.groups.get_mut(id) else { return };
        if effects.must_persist {
            let (record, former) = group.write();
            outcome.records.push(record);
            outcome.written.push((id.clone(), former));
        }
        self.plan(id);
    }

    /// Looks at a group when its next deadline is there. A deadline that moved away is found out then.
    fn plan(&mut self, id: &GroupId) {
        let Some(at_ms) = self.groups.get(id).and_then(Group::next_deadline_ms) else { return };
        if self.planned.get(id).is_none_or(|planned_ms| at_ms < *planned_ms) {
            self.planned.insert(id.clone(), at_ms);
            self.due.push(Reverse((at_ms, id.clone())));
        }
    }
}

impl Outcome {
    /// Appends a record of which nobody needs to hear.
    pub(super) fn of_record(record: Record) -> Outcome {
        Outcome { records: vec![record], ..Outcome::default() }
    }

    /// About how many bytes its records take in the log; rather too many than too few.
    pub fn size(&self) -> usize {
        self.records.iter().map(Record::size).sum()
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.replies.push((ticket, reply));
    }
}
