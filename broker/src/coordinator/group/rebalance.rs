//! The way from one generation to the next.

use kafka_protocol::ResponseError;

use super::{Effects, Group, GroupRules, GroupState, JoinWait};
use crate::clock::TimestampMs;
use crate::coordinator::conversation::Synced;

/// However short the timeouts of its members are, a rebalance waits so long for them before it looks again.
const SHORTEST_WAIT_MS: i64 = 100;

impl Group {
    /// Begins a rebalance, or if one is on already sees whether that was the last who was missing.
    pub(super) fn rebalance_or_complete(&mut self, rules: &GroupRules, now_ms: TimestampMs, effects: &mut Effects) {
        match self.state {
            GroupState::PreparingRebalance => self.complete_if_all_came(now_ms, effects),
            GroupState::Empty | GroupState::CompletingRebalance | GroupState::Stable => {
                self.prepare_rebalance(rules, now_ms, effects);
            }
        }
    }

    /// All members have to join again.
    pub(super) fn prepare_rebalance(&mut self, rules: &GroupRules, now_ms: TimestampMs, effects: &mut Effects) {
        let delay_ms = (self.state == GroupState::Empty).then_some(rules.initial_rebalance_delay_ms);
        self.prepare(delay_ms, now_ms, effects);
    }

    /// The same for a group that has members, which waits for nobody who is not known.
    pub(super) fn prepare_again(&mut self, now_ms: TimestampMs, effects: &mut Effects) {
        self.prepare(None, now_ms, effects);
    }

    fn prepare(&mut self, initial_delay_ms: Option<i32>, now_ms: TimestampMs, effects: &mut Effects) {
        if self.state == GroupState::CompletingRebalance {
            self.refuse_waiting_syncs(now_ms, effects);
        }
        self.members.iter_mut().for_each(|member| member.owes_sync = false);
        self.sync_until_ms = None;
        self.go(GroupState::PreparingRebalance, now_ms);
        if let Some(delay_ms) = initial_delay_ms {
            let left_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
            let until_ms = now_ms.saturating_add(i64::from(delay_ms));
            self.join_wait = Some(JoinWait::Initial { until_ms, delay_ms, left_ms, somebody_came: false });
        } else if self.have_all_come() {
            self.complete_join(now_ms, effects);
        } else {
            self.wait_for_members(now_ms);
        }
    }

    /// Completes the join phase if nobody is missing; the first one of an empty group always takes its time.
    pub(super) fn complete_if_all_came(&mut self, now_ms: TimestampMs, effects: &mut Effects) {
        let is_initial = matches!(self.join_wait, Some(JoinWait::Initial { .. }));
        if self.state == GroupState::PreparingRebalance && !is_initial && self.have_all_come() {
            self.complete_join(now_ms, effects);
        }
    }

    /// The same where a member was lost, which also ends the first join phase.
    pub(super) fn complete_without_the_lost(&mut self, now_ms: TimestampMs, effects: &mut Effects) {
        if self.state == GroupState::PreparingRebalance && self.have_all_come() {
            self.complete_join(now_ms, effects);
        }
    }

    /// The time for members to join is over, unless somebody new has just come to a group that was empty.
    pub(super) fn end_join_wait(&mut self, now_ms: TimestampMs, effects: &mut Effects) {
        match self.join_wait {
            Some(JoinWait::Initial { delay_ms, left_ms, somebody_came: true, .. }) if left_ms != 0 => {
                let next_ms = delay_ms.min(left_ms);
                self.join_wait = Some(JoinWait::Initial {
                    until_ms: now_ms.saturating_add(i64::from(next_ms)),
                    delay_ms: next_ms,
                    left_ms: (left_ms - delay_ms).max(0),
                    somebody_came: false,
                });
            }
            _ => self.complete_join(now_ms, effects),
        }
    }

    /// Members that have not sent their SyncGroup in time are given up.
    pub(super) fn end_sync_wait(&mut self, now_ms: TimestampMs, effects: &mut Effects) {
        self.sync_until_ms = None;
        let late: Vec<String> =
            self.members.iter().filter(|member| member.owes_sync).map(|member| member.id.clone()).collect();
        if !late.is_empty() {
            late.iter().for_each(|id| self.remove(id));
            self.prepare_again(now_ms, effects);
        }
    }

    /// Ends the join phase with those who have come: the next generation.
    fn complete_join(&mut self, now_ms: TimestampMs, effects: &mut Effects) {
        self.join_wait = None;
        // A static member keeps its place until its session is over.
        let lost = |member: &&super::Member| member.awaiting_join.is_none() && member.instance.is_none();
        let lost: Vec<String> = self.members.iter().filter(lost).map(|member| member.id.clone()).collect();
        lost.iter().for_each(|id| self.remove(id));
        if !self.members.is_empty() && !self.has_leader_that_came() {
            self.wait_for_members(now_ms);
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        self.protocol = self.preferred_protocol().map(str::to_owned);
        self.subscribed_topics = self.read_subscriptions();
        if self.members.is_empty() {
            self.go(GroupState::Empty, now_ms);
            effects.must_persist = true;
            return;
        }
        self.go(GroupState::CompletingRebalance, now_ms);
        self.sync_until_ms = Some(now_ms.saturating_add(i64::from(self.rebalance_timeout_ms())));
        for index in 0..self.members.len() {
            let id = self.members[index].id.clone();
            if let Some(ticket) = self.members[index].awaiting_join.take() {
                effects.reply(ticket, self.joined(&id, self.is_leader(&id)));
            }
            let member = &mut self.members[index];
            member.extend_session(now_ms);
            member.is_new = false;
            member.owes_sync = true;
        }
    }

    /// Whether the leader has joined; if not, the first one who has becomes it.
    fn has_leader_that_came(&mut self) -> bool {
        let leader = self.leader.as_deref().and_then(|id| self.member(id));
        if leader.is_some_and(|leader| leader.awaiting_join.is_some()) {
            return true;
        }
        let elected = self.members.iter().find(|member| member.awaiting_join.is_some()).map(|member| member.id.clone());
        let is_there = elected.is_some();
        if is_there {
            self.leader = elected;
        }
        is_there
    }

    fn wait_for_members(&mut self, now_ms: TimestampMs) {
        // Members may say that they need no time at all; but nobody is waited for again and again in the same moment.
        let timeout_ms = i64::from(self.rebalance_timeout_ms()).max(SHORTEST_WAIT_MS);
        let until_ms = now_ms.saturating_add(timeout_ms);
        self.join_wait = Some(JoinWait::Rebalance { until_ms });
    }

    fn have_all_come(&self) -> bool {
        self.pending.is_empty() && self.members.iter().all(|member| member.awaiting_join.is_some())
    }

    /// As long as the slowest member may take.
    fn rebalance_timeout_ms(&self) -> i32 {
        self.members.iter().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    /// Nobody gets anything of an assignment that is not to come.
    fn refuse_waiting_syncs(&mut self, now_ms: TimestampMs, effects: &mut Effects) {
        for member in &mut self.members {
            member.assignment.clear();
            if let Some(ticket) = member.awaiting_sync.take() {
                effects.reply(ticket, Synced::refused(ResponseError::RebalanceInProgress));
                member.extend_session(now_ms);
            }
        }
    }
}
