//! One member of a group.

use bytes::Bytes;

use super::Ticket;
use crate::clock::TimestampMs;

/// A way to divide the partitions that a member knows, and what it has to say about its wishes. What is in there is the
/// clients' business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Such as `range` or `cooperative-sticky`.
    pub name: String,
    /// For consumers their subscription.
    pub metadata: Bytes,
}

/// One client in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: String,
    /// Of a static member (KIP-345): the name under which it comes back.
    pub(super) instance: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// In the order of its preference.
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    /// Never was in a generation: it does not know that it has joined, so that it cannot send heartbeats.
    pub(super) is_new: bool,
    /// The JoinGroup that waits for the others.
    pub(super) awaiting_join: Option<Ticket>,
    /// The SyncGroup that waits for the leader's.
    pub(super) awaiting_sync: Option<Ticket>,
    /// Has not sent its SyncGroup of this generation.
    pub(super) owes_sync: bool,
    /// It is removed when nothing is heard of it until then; `None` while a request of its own waits here.
    pub(super) deadline_ms: Option<TimestampMs>,
}

impl Member {
    /// Lives for another session from now on.
    pub(super) fn extend_session(&mut self, now_ms: TimestampMs) {
        self.deadline_ms = Some(now_ms.saturating_add(i64::from(self.session_timeout_ms)));
    }

    /// Whether its silence is no sign of death: it waits for an answer. Nobody waits so for ever: a new member does not
    /// count on it, because a client that gave up would come back under another id, again and again.
    pub(super) fn is_excused(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// What it said about its wishes for a protocol.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|known| known.name == protocol);
        found.map(|known| known.metadata.clone()).unwrap_or_default()
    }
}
