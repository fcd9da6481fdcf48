//! A group as Kafka's classic protocol knows it: who is in it, which generation it is in, and what it has committed.
//!
//! ```text
//!                 first member joins                     all members joined, or the
//!                ┌──────────────────► PreparingRebalance ── rebalance timeout is over ──► CompletingRebalance
//!              Empty                     ▲    ▲   │                                          │   │
//!                ▲                       │    │   │ nobody is left                            │   │ the leader's
//!                └───────────────────────┼────┼───┘                                          │   │ SyncGroup
//!                                        │    └───────── a member joins, leaves, is lost, ───┘   ▼
//!                                        │               or does not sync in time              Stable
//!                                        └── a member joins anew, leaves or is lost ─────────────┘
//! ```
//!
//! The group is a plain value: no socket, no clock, no lock. Whoever owns it calls it with the time and gets [`Effects`]:
//! answers to requests that may have waited here for long, and whether the group must be written down. A request that waits
//! is known by its [`Ticket`]; each is answered once, whatever happens. What the requests are called and what Kafka calls
//! their mistakes is in [`super::conversation`].

mod join;
mod member;
mod members;
mod persistence;
mod rebalance;
mod session;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::TimestampMs;
use crate::coordinator::conversation::Reply;
use crate::coordinator::offsets::Offsets;
use crate::coordinator::record::GroupRecord;
use crate::names::GroupId;
use member::Member;
pub use member::Protocol;
pub(super) use persistence::Written;
pub use view::{GroupView, MemberView};

/// The protocol type of consumers, whose subscriptions Kafka looks into.
const CONSUMER: &str = "consumer";

/// How groups of one broker behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRules {
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`.
    pub max_size: usize,
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout_ms: i32,
}

/// A request that may wait, known to whoever sent it here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What comes of a call.
#[derive(Debug, Default)]
pub struct Effects {
    /// Answers, each to a request that waited or to the one that was just made.
    pub replies: Vec<(Ticket, Reply)>,
    /// The group must be written down before the answers go out.
    pub must_persist: bool,
}

impl Effects {
    pub(super) fn reply(&mut self, ticket: Ticket, reply: impl Into<Reply>) {
        self.replies.push((ticket, reply.into()));
    }
}

/// See the picture above. A group that was deleted is gone, which Kafka calls `Dead`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// No members; perhaps committed offsets.
    Empty,
    /// Members are waited for.
    PreparingRebalance,
    /// The generation is settled, and the leader works out who gets what.
    CompletingRebalance,
    /// Everybody works.
    Stable,
}

impl GroupState {
    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
        }
    }
}

/// How long members are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JoinWait {
    /// Until all have joined, at the latest until then.
    Rebalance { until_ms: TimestampMs },
    /// The first members of an empty group have come: whoever else starts at the same time gets a moment to join, and
    /// another one after each that does, as long as something is left.
    Initial { until_ms: TimestampMs, delay_ms: i32, left_ms: i32, somebody_came: bool },
}

impl JoinWait {
    fn until_ms(self) -> TimestampMs {
        match self {
            JoinWait::Rebalance { until_ms } | JoinWait::Initial { until_ms, .. } => until_ms,
        }
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    id: GroupId,
    state: GroupState,
    state_since_ms: TimestampMs,
    generation: i32,
    /// What kind of members it has, such as `consumer` or `connect`; the first one settles it.
    protocol_type: Option<String>,
    /// By which protocol this generation divides the work.
    protocol: Option<String>,
    /// Who works out the assignment. A member, unless there are none.
    leader: Option<String>,
    /// In the order in which they joined.
    members: Vec<Member>,
    /// Ids that were given to clients that have not come back with them yet, and until when they are good.
    pending: BTreeMap<String, TimestampMs>,
    /// Only while preparing.
    join_wait: Option<JoinWait>,
    /// When members that owe a SyncGroup are given up.
    sync_until_ms: Option<TimestampMs>,
    /// What the members subscribe to; `None` for members that are no consumers, and where it cannot be read.
    subscribed_topics: Option<BTreeSet<String>>,
    /// What the log says it is; `None` where it says nothing. Between two generations that is not what it is now.
    written: Option<Box<GroupRecord>>,
    /// What was committed in its name.
    pub(super) offsets: Offsets,
}

impl Group {
    /// A group that nobody has heard of before.
    pub(super) fn new(id: GroupId, now_ms: TimestampMs) -> Group {
        Group {
            id,
            state: GroupState::Empty,
            state_since_ms: now_ms,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: Vec::new(),
            pending: BTreeMap::new(),
            join_wait: None,
            sync_until_ms: None,
            subscribed_topics: None,
            written: None,
            offsets: Offsets::default(),
        }
    }

    /// Its name.
    pub(super) fn id(&self) -> &GroupId {
        &self.id
    }

    /// Where it stands.
    pub(super) fn state(&self) -> GroupState {
        self.state
    }

    /// Whether it has no members, will have none, and neither the log nor a commit tells of it.
    pub(super) fn is_nothing(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty() && self.written.is_none() && self.offsets.is_empty()
    }

    /// When something is due if nothing happens before.
    pub(super) fn next_deadline_ms(&self) -> Option<TimestampMs> {
        let sessions = self.members.iter().filter_map(|member| member.deadline_ms);
        let waits = self.join_wait.map(JoinWait::until_ms).into_iter().chain(self.sync_until_ms);
        sessions.chain(self.pending.values().copied()).chain(waits).min()
    }

    /// Does what is due: members are lost, waits are over.
    pub(super) fn pass_time(&mut self, now_ms: TimestampMs) -> Effects {
        let mut effects = Effects::default();
        if self.join_wait.is_some_and(|wait| wait.until_ms() <= now_ms) {
            self.end_join_wait(now_ms, &mut effects);
        }
        if self.sync_until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            self.end_sync_wait(now_ms, &mut effects);
        }
        self.lose_silent_members(now_ms, &mut effects);
        effects
    }

    fn go(&mut self, state: GroupState, now_ms: TimestampMs) {
        self.state = state;
        self.state_since_ms = now_ms;
    }
}
