//! A group for those who look at it.

use bytes::Bytes;

use super::{CONSUMER, Group, GroupState, Member};
use crate::clock::TimestampMs;
use crate::names::{GroupId, TopicName};

/// A group as DescribeGroups tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// Its id.
    pub id: GroupId,
    /// Where it stands.
    pub state: GroupState,
    /// What kind of members it has; empty while nobody ever joined.
    pub protocol_type: String,
    /// By which protocol the work is divided; empty unless it is.
    pub protocol: String,
    /// The members.
    pub members: Vec<MemberView>,
}

/// A member as DescribeGroups tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its id.
    pub id: String,
    /// Of a static member.
    pub instance: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// What it said about its wishes; empty while the work is being divided.
    pub metadata: Bytes,
    /// What it got.
    pub assignment: Bytes,
}

impl Group {
    /// All that is told of it.
    pub(in crate::coordinator) fn view(&self) -> GroupView {
        // As in Kafka, what is about to change is not told.
        let protocol = match self.state {
            GroupState::Stable => self.protocol.clone().unwrap_or_default(),
            _ => String::new(),
        };
        let describe = |member: &Member| MemberView {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if protocol.is_empty() { Bytes::new() } else { member.metadata(&protocol) },
            assignment: member.assignment.clone(),
        };
        GroupView {
            id: self.id.clone(),
            state: self.state,
            protocol_type: self.protocol_type().to_owned(),
            members: self.members.iter().map(describe).collect(),
            protocol,
        }
    }

    /// What kind of members it has; empty while nobody ever joined.
    pub(in crate::coordinator) fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    /// Whether its members are consumers, whose subscriptions are known.
    pub(in crate::coordinator) fn has_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Whether somebody was given a member id who has not come back with it yet.
    pub(in crate::coordinator) fn awaits_somebody(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether offsets of a topic are in use by its members. Of consumers whose subscriptions cannot be read, any may be.
    pub(in crate::coordinator) fn is_subscribed_to(&self, topic: &TopicName) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic.as_str()),
            None => self.has_consumers(),
        }
    }

    /// From when on the time counts for which offsets are kept that were committed at `committed_at_ms` (Kafka's
    /// `OffsetExpirationCondition`); `None` while they are kept however old they are.
    pub(in crate::coordinator) fn kept_since_ms(&self, committed_at_ms: TimestampMs) -> Option<TimestampMs> {
        match (&self.protocol_type, self.state) {
            (None, _) => Some(committed_at_ms),
            (Some(_), GroupState::Empty) if self.state_since_ms >= 0 => Some(self.state_since_ms),
            (Some(_), GroupState::Empty) => Some(committed_at_ms),
            (Some(kind), GroupState::Stable) if kind == CONSUMER && self.subscribed_topics.is_some() => {
                Some(committed_at_ms)
            }
            _ => None,
        }
    }
}
