//! JoinGroup: somebody new comes, a member comes again, or a static member comes back under another id.

use kafka_protocol::ResponseError;

use super::{Effects, Group, GroupRules, GroupState, JoinWait, Member, Protocol, Ticket};
use crate::clock::TimestampMs;
use crate::config::limits::{MAX_GROUP_BYTES, MAX_PENDING_MEMBERS};
use crate::coordinator::conversation::{Join, Joined};

/// How long a new member's first JoinGroup may wait (Kafka's `CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS`).
const NEW_MEMBER_TIMEOUT_MS: i64 = 5 * 60 * 1000;

/// A JoinGroup on its way through.
struct Arrival<'a> {
    join: &'a Join,
    ticket: Ticket,
    now_ms: TimestampMs,
}

impl Group {
    /// Takes a member in, now or when the others have come.
    pub(in crate::coordinator) fn join(
        &mut self,
        join: &Join,
        ticket: Ticket,
        rules: &GroupRules,
        now_ms: TimestampMs,
    ) -> Effects {
        let mut effects = Effects::default();
        let arrival = Arrival { join, ticket, now_ms };
        let too_many = || (String::new(), ResponseError::GroupMaxSizeReached);
        let refusal = if !self.can_hold(join) {
            // A member stays what it was; others may wait for it, and it may wait itself.
            Some(too_many())
        } else if self.has_room_for(join, rules) {
            self.admit(&arrival, rules, &mut effects).err()
        } else {
            self.remove(&join.who.member_id);
            Some(too_many())
        };
        if let Some((member_id, error)) = refusal {
            effects.reply(ticket, Joined::refused(&member_id, error));
        }
        effects
    }

    /// Whether what the members say of their wishes is not too much, with what this one says.
    fn can_hold(&self, join: &Join) -> bool {
        let others = self.members.iter().filter(|other| other.id != join.who.member_id);
        let said: usize = others.map(|other| bytes_of(&other.protocols)).sum();
        said + bytes_of(&join.protocols) <= MAX_GROUP_BYTES
    }

    /// Whether one more may join; while members come back, those who were slow may find their place taken.
    fn has_room_for(&self, join: &Join, rules: &GroupRules) -> bool {
        let member = self.member(&join.who.member_id);
        match self.state {
            GroupState::Empty => true,
            GroupState::PreparingRebalance => {
                let waiting = self.members.iter().filter(|member| member.awaiting_join.is_some()).count();
                member.is_some_and(|member| member.awaiting_join.is_some()) || waiting < rules.max_size
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                member.is_some() || self.members.len() < rules.max_size
            }
        }
    }

    /// A refusal names the member id that goes with it.
    fn admit(
        &mut self,
        arrival: &Arrival<'_>,
        rules: &GroupRules,
        effects: &mut Effects,
    ) -> Result<(), (String, ResponseError)> {
        let who = &arrival.join.who;
        let refuse = |error| (who.member_id.clone(), error);
        if !self.supports(&arrival.join.protocol_type, &arrival.join.protocols) {
            return Err(refuse(ResponseError::InconsistentGroupProtocol));
        }
        if who.member_id.is_empty() {
            self.admit_stranger(arrival, rules, effects);
            return Ok(());
        }
        if self.pending.contains_key(&who.member_id) {
            if who.instance.is_some() {
                // Kafka takes this for a bug of its own (IllegalStateException), which clients see as this error.
                return Err(refuse(ResponseError::UnknownServerError));
            }
            self.add(arrival, who.member_id.clone(), rules, effects);
            return Ok(());
        }
        self.check_member(who).map_err(refuse)?;
        if self.state == GroupState::Empty {
            return Err(refuse(ResponseError::UnknownMemberId));
        }
        self.admit_member(arrival, rules, effects);
        Ok(())
    }

    /// Somebody without a member id.
    fn admit_stranger(&mut self, arrival: &Arrival<'_>, rules: &GroupRules, effects: &mut Effects) {
        let Arrival { join, ticket, now_ms } = *arrival;
        let prefix = join.who.instance.as_deref().unwrap_or(&join.client_id);
        let member_id = format!("{prefix}-{}", join.fresh_id);
        let known = join.who.instance.as_deref().and_then(|instance| self.static_member_id(instance));
        if let Some(known) = known {
            self.come_back(arrival, &known, member_id, rules, effects);
        } else if join.who.instance.is_some() || !join.takes_member_id {
            self.add(arrival, member_id, rules, effects);
        } else {
            // Only who comes back with the id is a member: a client that gives up and tries again leaves nothing behind.
            let until_ms = now_ms.saturating_add(i64::from(join.session_timeout_ms));
            if self.pending.len() >= MAX_PENDING_MEMBERS {
                // Whoever has taken its time for longest has to begin anew.
                let slowest = self.pending.iter().min_by_key(|(_, until_ms)| **until_ms).map(|(id, _)| id.clone());
                if let Some(slowest) = slowest {
                    self.pending.remove(&slowest);
                }
            }
            self.pending.insert(member_id.clone(), until_ms);
            effects.reply(ticket, Joined::refused(&member_id, ResponseError::MemberIdRequired));
        }
    }

    /// A member that joins again: for a new generation, or to hear of this one once more.
    fn admit_member(&mut self, arrival: &Arrival<'_>, rules: &GroupRules, effects: &mut Effects) {
        let Arrival { join, ticket, now_ms } = *arrival;
        let member_id = &join.who.member_id;
        let is_leader = self.leader.as_ref() == Some(member_id);
        let is_unchanged = self.member(member_id).is_some_and(|member| member.protocols == join.protocols);
        let hears_again = match self.state {
            GroupState::Empty | GroupState::PreparingRebalance => false,
            GroupState::CompletingRebalance => is_unchanged,
            // The leader joins again when something else has changed, such as the partitions of a topic.
            GroupState::Stable => is_unchanged && !is_leader,
        };
        if hears_again {
            let tells_all = is_leader && self.state == GroupState::CompletingRebalance;
            let joined = self.joined(member_id, tells_all);
            effects.reply(ticket, joined);
            return;
        }
        if let Some(member) = self.members.iter_mut().find(|member| member.id == *member_id) {
            renew(member, join, ticket, effects);
        }
        self.rebalance_or_complete(rules, now_ms, effects);
    }

    /// Adds a member, and lets it wait for the others.
    fn add(&mut self, arrival: &Arrival<'_>, member_id: String, rules: &GroupRules, effects: &mut Effects) {
        let Arrival { join, ticket, now_ms } = *arrival;
        if let Some(JoinWait::Initial { somebody_came, .. }) = &mut self.join_wait {
            *somebody_came = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        self.pending.remove(&member_id);
        self.members.push(Member {
            id: member_id,
            instance: join.who.instance.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols.clone(),
            assignment: bytes::Bytes::new(),
            is_new: true,
            awaiting_join: Some(ticket),
            awaiting_sync: None,
            owes_sync: false,
            deadline_ms: Some(now_ms.saturating_add(NEW_MEMBER_TIMEOUT_MS)),
        });
        self.rebalance_or_complete(rules, now_ms, effects);
    }

    /// A static member starts anew: it takes the place of its former self, and where nothing else changes nobody else
    /// notices (KIP-345).
    fn come_back(
        &mut self,
        arrival: &Arrival<'_>,
        former_id: &str,
        member_id: String,
        rules: &GroupRules,
        effects: &mut Effects,
    ) {
        let Arrival { join, ticket, now_ms } = *arrival;
        let was_leader = self.leader.as_deref() == Some(former_id);
        let former_leader = self.leader.clone().unwrap_or_default();
        self.replace(former_id, &member_id, now_ms, effects);
        if let Some(member) = self.members.iter_mut().find(|member| member.id == member_id) {
            renew(member, join, ticket, effects);
        }
        match self.state {
            GroupState::Stable if self.protocol.as_deref() == self.preferred_protocol() => {
                let mut joined = self.joined(&member_id, was_leader && join.may_skip_assignment);
                joined.skip_assignment = was_leader && join.may_skip_assignment;
                if !join.may_skip_assignment {
                    // Older clients would assign again, did they know themselves for the leader.
                    joined.leader = former_leader;
                }
                if let Some(member) = self.members.iter_mut().find(|member| member.id == member_id) {
                    member.awaiting_join = None;
                }
                effects.reply(ticket, joined);
                effects.must_persist = true;
            }
            GroupState::Stable => self.rebalance_or_complete(rules, now_ms, effects),
            // The leader may have been told of the former id, and would assign to that.
            GroupState::CompletingRebalance => self.prepare_rebalance(rules, now_ms, effects),
            GroupState::PreparingRebalance | GroupState::Empty => self.complete_if_all_came(now_ms, effects),
        }
    }
}

fn bytes_of(protocols: &[Protocol]) -> usize {
    protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum()
}

/// Notes what a member says now. A JoinGroup of its own that still waits was given up by the client, which asks again;
/// Kafka leaves it without an answer.
fn renew(member: &mut Member, join: &Join, ticket: Ticket, effects: &mut Effects) {
    member.protocols = join.protocols.clone();
    member.rebalance_timeout_ms = join.rebalance_timeout_ms;
    member.session_timeout_ms = join.session_timeout_ms;
    if let Some(given_up) = member.awaiting_join.replace(ticket) {
        effects.reply(given_up, Joined::refused(&member.id, ResponseError::RebalanceInProgress));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::coordinator::conversation::Identity;
    use crate::names::GroupId;

    #[test]
    fn a_stream_of_strangers_leaves_little_behind() {
        let id = GroupId::new("g");
        let rules = GroupRules {
            initial_rebalance_delay_ms: 0,
            max_size: usize::MAX,
            min_session_timeout_ms: 0,
            max_session_timeout_ms: i32::MAX,
        };
        let mut group = Group::new(id.clone(), 0);
        for number in 0..MAX_PENDING_MEMBERS + 5 {
            let join = Join {
                group: id.clone(),
                who: Identity::default(),
                fresh_id: Uuid::from_u128(number as u128),
                client_id: "c".into(),
                client_host: "/127.0.0.1".into(),
                session_timeout_ms: 10_000,
                rebalance_timeout_ms: 10_000,
                protocol_type: "consumer".into(),
                protocols: vec![Protocol { name: "range".into(), metadata: Bytes::new() }],
                takes_member_id: true,
                may_skip_assignment: true,
            };
            let effects = group.join(&join, Ticket(number as u64), &rules, 0);
            assert_eq!(effects.replies.len(), 1);
        }
        assert_eq!(group.pending.len(), MAX_PENDING_MEMBERS);
        group.pass_time(10_000);
        assert!(group.pending.is_empty() && group.members.is_empty());
    }
}
