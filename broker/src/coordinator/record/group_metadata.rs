//! What a group was when its generation settled, or when its last member had left.

use bytes::{BufMut, Bytes};

use super::Unreadable;
use super::wire::{Reader, put_bytes, put_nullable_text, put_text};
use crate::clock::TimestampMs;

/// The version that Kafka 4.3 writes.
const WRITTEN: i16 = 3;
const NEWEST: i16 = 4;
const FLEXIBLE_FROM: i16 = 4;

/// A group at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRecord {
    /// Empty while nobody ever joined.
    pub protocol_type: String,
    /// The generation.
    pub generation: i32,
    /// The protocol of the generation.
    pub protocol: Option<String>,
    /// A member, unless there are none.
    pub leader: Option<String>,
    /// Since when it is in its state; -1 if that is not known.
    pub state_since_ms: TimestampMs,
    /// The members.
    pub members: Vec<MemberRecord>,
}

/// A member of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    /// Its id.
    pub id: String,
    /// Of a static member.
    pub instance: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it was.
    pub client_host: String,
    /// How long it may take to join again.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// What it said about its wishes for the generation's protocol.
    pub subscription: Bytes,
    /// What it got.
    pub assignment: Bytes,
}

impl GroupRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::new();
        value.put_i16(WRITTEN);
        put_text(&mut value, &self.protocol_type);
        value.put_i32(self.generation);
        put_nullable_text(&mut value, self.protocol.as_deref());
        put_nullable_text(&mut value, self.leader.as_deref());
        value.put_i64(self.state_since_ms);
        value.put_i32(i32::try_from(self.members.len()).expect("a group is limited by a setting"));
        for member in &self.members {
            put_text(&mut value, &member.id);
            put_nullable_text(&mut value, member.instance.as_deref());
            put_text(&mut value, &member.client_id);
            put_text(&mut value, &member.client_host);
            value.put_i32(member.rebalance_timeout_ms);
            value.put_i32(member.session_timeout_ms);
            put_bytes(&mut value, &member.subscription);
            put_bytes(&mut value, &member.assignment);
        }
        value
    }

    /// About how many bytes its texts and members take.
    pub(super) fn size(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let member = |one: &MemberRecord| {
            let texts = one.id.len() + text(&one.instance) + one.client_id.len() + one.client_host.len();
            32 + texts + one.subscription.len() + one.assignment.len()
        };
        let members: usize = self.members.iter().map(member).sum();
        self.protocol_type.len() + text(&self.protocol) + text(&self.leader) + members
    }

    pub(super) fn decode(value: Bytes) -> Result<GroupRecord, Unreadable> {
        let (version, mut fields) = Reader::open(value, FLEXIBLE_FROM)?;
        if !(0..=NEWEST).contains(&version) {
            return Err(Unreadable::Unknown { what: "version of a group", number: version });
        }
        let record = GroupRecord {
            protocol_type: fields.text()?,
            generation: fields.i32()?,
            protocol: fields.nullable_text()?,
            leader: fields.nullable_text()?,
            state_since_ms: if version >= 2 { fields.i64()? } else { -1 },
            members: fields.array(|fields| MemberRecord::decode(fields, version))?,
        };
        fields.tags(|_, _| {})?;
        Ok(record)
    }
}

impl MemberRecord {
    fn decode(fields: &mut Reader, version: i16) -> Result<MemberRecord, Unreadable> {
        let id = fields.text()?;
        let instance = if version >= 3 { fields.nullable_text()? } else { None };
        let (client_id, client_host) = (fields.text()?, fields.text()?);
        let rebalance_timeout_ms = if version >= 1 { fields.i32()? } else { -1 };
        let session_timeout_ms = fields.i32()?;
        let (subscription, assignment) = (fields.bytes()?, fields.bytes()?);
        fields.tags(|_, _| {})?;
        // Before it was told, the session was all the time that there was.
        let rebalance_timeout_ms = if rebalance_timeout_ms == -1 { session_timeout_ms } else { rebalance_timeout_ms };
        Ok(MemberRecord {
            id,
            instance,
            client_id,
            client_host,
            rebalance_timeout_ms,
            session_timeout_ms,
            subscription,
            assignment,
        })
    }
}
