//! A group as it stands in the log: at rest, without anybody who waits.
//!
//! What was written last is kept beside what the group is now, so that it can be written again wherever the group stands.

use super::{Group, GroupState, Member, Protocol};
use crate::clock::TimestampMs;
use crate::coordinator::record::{GroupRecord, MemberRecord, Record};

/// What the log said of a group before it was written down again.
#[derive(Debug)]
pub(in crate::coordinator) struct Written(Option<Box<GroupRecord>>);

impl Group {
    /// Takes what the group is now for written down, which it is once the record that this gives is appended; gives also
    /// what was written before.
    pub(in crate::coordinator) fn write(&mut self) -> (Record, Written) {
        let record = self.to_record();
        let former = self.written.replace(Box::new(record.clone()));
        (Record::Group { group: self.id.clone(), metadata: Some(record) }, Written(former))
    }

    /// The same for a group that has just been made, for whom nothing is known yet (Kafka's `newEmptyGroupMetadataRecord`).
    pub(in crate::coordinator) fn write_first(&mut self) -> Record {
        let record = GroupRecord {
            protocol_type: String::new(),
            generation: 0,
            protocol: None,
            leader: None,
            state_since_ms: self.state_since_ms,
            members: Vec::new(),
        };
        self.written = Some(Box::new(record.clone()));
        Record::Group { group: self.id.clone(), metadata: Some(record) }
    }

    /// What [`Self::write`] gave could not be appended.
    pub(in crate::coordinator) fn unwrite(&mut self, Written(former): Written) {
        self.written = former;
    }

    /// What the log says of it.
    pub(in crate::coordinator) fn written(&self) -> Option<Record> {
        let metadata = self.written.as_deref()?.clone();
        Some(Record::Group { group: self.id.clone(), metadata: Some(metadata) })
    }

    fn to_record(&self) -> GroupRecord {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let describe = |member: &Member| MemberRecord {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(protocol),
            assignment: member.assignment.clone(),
        };
        GroupRecord {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_since_ms: self.state_since_ms,
            members: self.members.iter().map(describe).collect(),
        }
    }

    /// Becomes what a record says. Members that it has are given a whole session to show that they live.
    pub(in crate::coordinator) fn load(&mut self, record: GroupRecord, now_ms: TimestampMs) {
        self.written = Some(Box::new(record.clone()));
        let GroupRecord { protocol_type, generation, protocol, leader, state_since_ms, members } = record;
        self.state = if members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        self.state_since_ms = state_since_ms;
        self.generation = generation;
        self.protocol_type = Some(protocol_type).filter(|kind| !kind.is_empty());
        self.members = members.into_iter().map(|member| load_member(member, protocol.as_deref(), now_ms)).collect();
        let is_member = |id: &String| self.members.iter().any(|member| member.id == *id);
        self.leader = leader.filter(is_member).or_else(|| self.members.first().map(|member| member.id.clone()));
        self.protocol = protocol;
        self.pending.clear();
        (self.join_wait, self.sync_until_ms) = (None, None);
        self.subscribed_topics = self.read_subscriptions();
    }
}

/// The only protocol that a record tells of is that of the generation.
fn load_member(record: MemberRecord, protocol: Option<&str>, now_ms: TimestampMs) -> Member {
    let known = |name: &str| Protocol { name: name.to_owned(), metadata: record.subscription.clone() };
    let mut member = Member {
        protocols: protocol.map(known).into_iter().collect(),
        id: record.id,
        instance: record.instance,
        client_id: record.client_id,
        client_host: record.client_host,
        rebalance_timeout_ms: record.rebalance_timeout_ms,
        session_timeout_ms: record.session_timeout_ms,
        assignment: record.assignment,
        is_new: false,
        awaiting_join: None,
        awaiting_sync: None,
        owes_sync: false,
        deadline_ms: None,
    };
    member.extend_session(now_ms);
    member
}
