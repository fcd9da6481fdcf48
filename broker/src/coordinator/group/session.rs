//! Life in a generation: SyncGroup, Heartbeat, LeaveGroup, commits, and members that fall silent.

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::{Effects, Group, GroupState, Ticket};
use crate::clock::TimestampMs;
use crate::coordinator::conversation::{Heartbeat, Identity, Joined, Sync, Synced};

impl Group {
    /// A member asks for its part; the leader brings everybody's.
    pub(in crate::coordinator) fn sync(&mut self, sync: &Sync, ticket: Ticket, now_ms: TimestampMs) -> Effects {
        let mut effects = Effects::default();
        if let Err(error) = self.check_sync(sync) {
            effects.reply(ticket, Synced::refused(error));
            return effects;
        }
        let is_leader = self.is_leader(&sync.who.member_id);
        let is_stable = self.state == GroupState::Stable;
        let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
        if let Some(member) = self.member_mut(&sync.who.member_id) {
            member.owes_sync = false;
            if is_stable {
                let assignment = member.assignment.clone();
                effects.reply(ticket, Synced { error: None, protocol_type, protocol, assignment });
            } else if let Some(given_up) = member.awaiting_sync.replace(ticket) {
                effects.reply(given_up, Synced::refused(ResponseError::RebalanceInProgress));
            }
        }
        if self.members.iter().all(|member| !member.owes_sync) {
            self.sync_until_ms = None;
        }
        if is_leader && !is_stable {
            self.assign(&sync.assignments, now_ms, &mut effects);
        }
        effects
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), ResponseError> {
        self.check_member(&sync.who)?;
        self.check_generation(sync.generation)?;
        let differs = |told: &Option<String>, own: &Option<String>| told.is_some() && own.is_some() && told != own;
        if differs(&sync.protocol_type, &self.protocol_type) || differs(&sync.protocol, &self.protocol) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match self.state {
            GroupState::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            // Its members are gone, so that nobody gets here.
            GroupState::Empty => Err(ResponseError::UnknownMemberId),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    /// Everybody gets what the leader says; who is not named gets nothing.
    fn assign(&mut self, assignments: &[(String, Bytes)], now_ms: TimestampMs, effects: &mut Effects) {
        let assignments: HashMap<&str, &Bytes> = assignments.iter().map(|(id, bytes)| (id.as_str(), bytes)).collect();
        self.go(GroupState::Stable, now_ms);
        for member in &mut self.members {
            // The bytes are a slice of the leader's request, which must not stay in memory for as long as the assignment.
            let assigned = assignments.get(member.id.as_str());
            member.assignment = assigned.map(|bytes| Bytes::copy_from_slice(bytes)).unwrap_or_default();
            if let Some(ticket) = member.awaiting_sync.take() {
                let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
                let assignment = member.assignment.clone();
                effects.reply(ticket, Synced { error: None, protocol_type, protocol, assignment });
                member.extend_session(now_ms);
            }
        }
        effects.must_persist = true;
    }

    /// The assignment could not be written down, so that nobody may work by it: all join again. Who waits for an answer is
    /// told elsewhere.
    pub(in crate::coordinator) fn forget_assignment(&mut self, now_ms: TimestampMs) -> Effects {
        let mut effects = Effects::default();
        if self.state == GroupState::Stable {
            self.members.iter_mut().for_each(|member| member.assignment.clear());
            self.prepare_again(now_ms, &mut effects);
        }
        effects
    }

    /// The group ends before it began: whoever waits in it hears why.
    pub(in crate::coordinator) fn refuse_all(&mut self, why: ResponseError) -> Effects {
        let mut effects = Effects::default();
        for member in &mut self.members {
            if let Some(ticket) = member.awaiting_join.take() {
                effects.reply(ticket, Joined::refused(&member.id, why));
            }
            if let Some(ticket) = member.awaiting_sync.take() {
                effects.reply(ticket, Synced::refused(why));
            }
        }
        effects
    }

    /// A member lives, and hears whether it has to join again.
    pub(in crate::coordinator) fn heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        now_ms: TimestampMs,
    ) -> Result<(), ResponseError> {
        self.check_member(&heartbeat.who)?;
        self.check_generation(heartbeat.generation)?;
        if let Some(member) = self.member_mut(&heartbeat.who.member_id) {
            member.extend_session(now_ms);
        }
        match self.state {
            GroupState::Empty => Err(ResponseError::UnknownMemberId),
            GroupState::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    /// Members leave, or are taken out by an administrator, who names static members by their instance ids.
    pub(in crate::coordinator) fn leave(
        &mut self,
        leaving: &[Identity],
        now_ms: TimestampMs,
    ) -> (Vec<Result<(), ResponseError>>, Effects) {
        let mut effects = Effects::default();
        let outcomes: Vec<_> = leaving.iter().map(|who| self.let_go(who, &mut effects)).collect();
        if outcomes.iter().any(Result::is_ok) {
            match self.state {
                GroupState::Stable | GroupState::CompletingRebalance => self.prepare_again(now_ms, &mut effects),
                GroupState::PreparingRebalance => self.complete_if_all_came(now_ms, &mut effects),
                GroupState::Empty => {}
            }
        }
        (outcomes, effects)
    }

    fn let_go(&mut self, who: &Identity, effects: &mut Effects) -> Result<(), ResponseError> {
        if self.pending.remove(&who.member_id).is_some() {
            return Ok(());
        }
        let named = who.instance.as_deref().filter(|_| who.member_id.is_empty());
        let id = match named.and_then(|instance| self.static_member_id(instance)) {
            Some(id) => id,
            None => self.check_member(who).map(|()| who.member_id.clone())?,
        };
        self.lose(&id, effects);
        Ok(())
    }

    /// Members whose session is over are lost, and so are ids that nobody came back with.
    pub(super) fn lose_silent_members(&mut self, now_ms: TimestampMs, effects: &mut Effects) {
        let forgotten: Vec<String> =
            self.pending.iter().filter(|(_, until_ms)| **until_ms <= now_ms).map(|(id, _)| id.clone()).collect();
        for id in forgotten {
            self.remove(&id);
            self.complete_without_the_lost(now_ms, effects);
        }
        let is_due = |member: &&super::Member| member.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms);
        let silent: Vec<String> = self.members.iter().filter(is_due).map(|member| member.id.clone()).collect();
        for id in silent {
            // The loss of another one may have changed what is known of this one.
            let Some(member) = self.member_mut(&id).filter(|member| is_due(&&**member)) else { continue };
            if member.is_excused() {
                member.deadline_ms = None;
                continue;
            }
            self.lose(&id, effects);
            match self.state {
                GroupState::Stable | GroupState::CompletingRebalance => self.prepare_again(now_ms, effects),
                GroupState::PreparingRebalance => self.complete_without_the_lost(now_ms, effects),
                GroupState::Empty => {}
            }
        }
    }

    /// Takes a member out. A JoinGroup or SyncGroup of its own is answered that it is none any more.
    fn lose(&mut self, id: &str, effects: &mut Effects) {
        if let Some(member) = self.member_mut(id) {
            if let Some(ticket) = member.awaiting_join.take() {
                effects.reply(ticket, Joined::refused("", ResponseError::UnknownMemberId));
            }
            if let Some(ticket) = member.awaiting_sync.take() {
                effects.reply(ticket, Synced::refused(ResponseError::UnknownMemberId));
            }
        }
        self.remove(id);
    }

    /// Whether somebody may commit now; a member that does is alive.
    pub(in crate::coordinator) fn check_commit(
        &mut self,
        who: &Identity,
        generation: i32,
        now_ms: TimestampMs,
    ) -> Result<(), ResponseError> {
        if generation < 0 && self.state == GroupState::Empty {
            // Whoever assigns its partitions itself, and administrators.
            return Ok(());
        }
        if generation < 0 && who.member_id.is_empty() && who.instance.is_none() {
            return Err(ResponseError::UnknownMemberId);
        }
        self.check_member(who)?;
        self.check_generation(generation)?;
        match self.state {
            // It does not know yet what it got, so that this is about what it had.
            GroupState::CompletingRebalance => Err(ResponseError::RebalanceInProgress),
            _ => {
                if let Some(member) = self.member_mut(&who.member_id) {
                    member.extend_session(now_ms);
                }
                Ok(())
            }
        }
    }

    fn check_generation(&self, generation: i32) -> Result<(), ResponseError> {
        if generation == self.generation { Ok(()) } else { Err(ResponseError::IllegalGeneration) }
    }
}
