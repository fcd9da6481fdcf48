//! What was committed for one partition.

use bytes::{BufMut, Bytes};
use uuid::Uuid;

use super::Unreadable;
use super::wire::{Reader, put_compact_text, put_text, put_unsigned_varint};
use crate::clock::TimestampMs;
use crate::names::TopicId;

/// The newest version, which Kafka 4.3 writes; with an expiry of its own a commit is written in version 1.
const NEWEST: i16 = 4;
const WITH_EXPIRY: i16 = 1;
const FLEXIBLE_FROM: i16 = 4;
const TOPIC_ID_TAG: u64 = 0;
const UUID_BYTES: usize = 16;

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next record that the group wants.
    pub offset: i64,
    /// The leader epoch of the last one that it had; -1 if it does not say.
    pub leader_epoch: i32,
    /// Whatever the client wants to keep with it.
    pub metadata: String,
    /// When.
    pub committed_at_ms: TimestampMs,
    /// Until when it is to be kept, from clients that say so.
    pub expires_at_ms: Option<TimestampMs>,
    /// Which topic of that name.
    pub topic_id: Option<TopicId>,
}

impl CommittedOffset {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::new();
        if let Some(expires_at_ms) = self.expires_at_ms {
            value.put_i16(WITH_EXPIRY);
            value.put_i64(self.offset);
            put_text(&mut value, &self.metadata);
            value.put_i64(self.committed_at_ms);
            value.put_i64(expires_at_ms);
            return value;
        }
        value.put_i16(NEWEST);
        value.put_i64(self.offset);
        value.put_i32(self.leader_epoch);
        put_compact_text(&mut value, &self.metadata);
        value.put_i64(self.committed_at_ms);
        put_unsigned_varint(&mut value, u64::from(self.topic_id.is_some()));
        if let Some(topic_id) = self.topic_id {
            put_unsigned_varint(&mut value, TOPIC_ID_TAG);
            put_unsigned_varint(&mut value, UUID_BYTES as u64);
            value.put_slice(topic_id.uuid().as_bytes());
        }
        value
    }

    pub(super) fn decode(value: Bytes) -> Result<CommittedOffset, Unreadable> {
        let (version, mut fields) = Reader::open(value, FLEXIBLE_FROM)?;
        if !(0..=NEWEST).contains(&version) {
            return Err(Unreadable::Unknown { what: "version of a committed offset", number: version });
        }
        let offset = fields.i64()?;
        let leader_epoch = if version >= 3 { fields.i32()? } else { -1 };
        let metadata = fields.text()?;
        let committed_at_ms = fields.i64()?;
        let expires_at_ms = if version == WITH_EXPIRY { Some(fields.i64()?).filter(|at| *at >= 0) } else { None };
        let mut topic_id = None;
        fields.tags(|tag, bytes| {
            if tag == TOPIC_ID_TAG {
                topic_id = Uuid::from_slice(&bytes).ok().and_then(TopicId::from_uuid);
            }
        })?;
        Ok(CommittedOffset { offset, leader_epoch, metadata, committed_at_ms, expires_at_ms, topic_id })
    }
}
