//! The versions of OffsetCommit and OffsetFetch that name topics by their ids (KIP-848).
//!
//! The message crate knows these requests by name only. So each id is written where the name would be, as text, and the
//! request is decoded as one of the version before; what such a name means is read here, too.

use std::ops::Range;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName as WireName;
use kafka_protocol::protocol::{Decodable, Message};
use uuid::Uuid;

use crate::handlers::Core;
use crate::handlers::call::{Hangup, Head};
use crate::names::TopicId;
use crate::schema::{self, Event, Path, Value, Visitor};
use crate::topics::Topic;

/// The first version that names topics by their ids.
pub(super) const BY_ID_FROM: i16 = 10;

/// Decodes a request of any version; where it has ids, they stand in it as names.
pub(super) fn decode<Request: Decodable + Message>(head: Head, body: Bytes) -> Result<Request, Hangup> {
    if head.version < BY_ID_FROM {
        return head.decode(body);
    }
    schema::check_request(head.api_key, head.version, &body).map_err(|malformed| head.refuse(malformed))?;
    let mut naming = Naming { body: &body, named: BytesMut::with_capacity(body.len() * 2), copied: 0 };
    let request = schema::table().request(head.api_key).ok_or_else(|| head.has_no_handler())?;
    schema::walk(request, head.version, &body, &mut naming).map_err(|malformed| head.refuse(malformed))?;
    naming.named.put_slice(&body[naming.copied..]);
    Head { version: BY_ID_FROM - 1, ..head }.decode(naming.named.freeze())
}

/// Copies a body with names in the place of ids.
struct Naming<'a> {
    body: &'a Bytes,
    named: BytesMut,
    copied: usize,
}

impl Visitor for Naming<'_> {
    fn visit(&mut self, _: &Path<'_>, span: Range<usize>, event: Event<'_>) {
        let Event::Value(Value::Uuid(id)) = event else { return };
        let text = Uuid::from_slice(id).unwrap_or_default().simple().to_string();
        self.named.put_slice(&self.body[self.copied..span.start]);
        // A compact string: its length and one, then its text.
        self.named.put_u8(u8::try_from(text.len() + 1).expect("an id has 32 digits"));
        self.named.put_slice(text.as_bytes());
        self.copied = span.end;
    }
}

/// The id that stands in the place of a name.
pub(super) fn id_of(name: &WireName) -> Uuid {
    Uuid::try_parse(name).unwrap_or_default()
}

/// A topic by the id that stands in the place of its name.
pub(super) fn find(core: &Core) -> impl Fn(&WireName) -> Result<Arc<Topic>, ResponseError> {
    let topic = |name: &WireName| core.topics.get_by_id(TopicId::from_uuid(id_of(name))?);
    move |name| topic(name).ok_or(ResponseError::UnknownTopicId)
}
