//! A request before it is decoded, and an answer after it is encoded.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, TopicName as WireName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, StrBytes};

use crate::schema;
use crate::storage::FileRange;

/// Bytes of the length that precedes every frame.
const LENGTH_SIZE: usize = 4;

/// One request: its header parsed, its body still bytes.
#[derive(Debug)]
pub struct Call {
    pub(super) head: Head,
    pub(super) body: Bytes,
    pub(super) client_id: Bytes,
}

/// What the answer to a request depends on besides its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) api_key: i16,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
}

/// The bytes that answer a request, length and header included; none for a request that wants no answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// What is written, in this order.
    pub parts: Vec<Part>,
}

/// A piece of an answer.
#[derive(Clone, Debug)]
pub enum Part {
    /// Encoded by us.
    Bytes(Bytes),
    /// Records, as they stand in a segment.
    File(FileRange),
}

/// A request that is answered by closing the connection, as Kafka does where it has no error code.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Hangup {
    /// What was wrong, as a sentence.
    pub why: String,
}

impl Call {
    /// Reads the header of a frame.
    ///
    /// # Errors
    /// When the frame ends within its header.
    pub fn read(frame: Bytes) -> Result<Call, Hangup> {
        let header = schema::check_header(&frame).map_err(|malformed| Hangup::new(malformed.to_string()))?;
        let head = Head { api_key: header.api_key, version: header.api_version, correlation_id: header.correlation_id };
        // The id stays a slice of the frame, unless it was mended because it is not UTF-8.
        let client_id = match header.client_id {
            Some(Cow::Borrowed(text)) => frame.slice_ref(text.as_bytes()),
            Some(Cow::Owned(text)) => Bytes::from(text),
            None => Bytes::new(),
        };
        // A request that is not known has no body that we could find; nothing looks for one.
        let body = header.body_position.map_or_else(Bytes::new, |position| frame.slice(position.min(frame.len())..));
        Ok(Call { head, client_id, body })
    }

    /// What the client calls itself; empty when it does not say.
    pub(super) fn client_id(&self) -> &str {
        std::str::from_utf8(&self.client_id).expect("the header's text was checked when it was read")
    }

    /// True for the requests that name the client's software: ApiVersions from version 3.
    pub(super) fn tells_software(&self) -> bool {
        self.head.api_key == ApiKey::ApiVersions as i16 && self.head.version >= 3
    }
}

impl Head {
    /// Decodes a body; its strings and records stay slices of the frame.
    pub(super) fn decode<Request: Decodable + Message>(self, mut body: Bytes) -> Result<Request, Hangup> {
        schema::check_request(self.api_key, self.version, &body).map_err(|malformed| self.refuse(malformed))?;
        Request::decode(&mut body, layout::<Request>(self.version)).map_err(|error| self.refuse(error))
    }

    /// Encodes an answer with its length and header.
    pub(super) fn encode<Response>(self, response: &Response) -> Result<Answer, Hangup>
    where
        Response: Encodable + HeaderVersion + Message,
    {
        self.encode_with(response, &[])
    }

    /// The same for a version whose last field the message crate does not know yet: here are its bytes.
    pub(super) fn encode_with<Response>(self, response: &Response, rest: &[u8]) -> Result<Answer, Hangup>
    where
        Response: Encodable + HeaderVersion + Message,
    {
        let version = layout::<Response>(self.version);
        // Header version 1 adds a tag section, which is empty: one byte.
        let tags = Response::header_version(version) >= 1;
        let body_size = response.compute_size(version).map_err(|error| self.refuse(error))?;
        let size = size_of::<i32>() + usize::from(tags) + body_size + rest.len();
        let mut frame = BytesMut::with_capacity(LENGTH_SIZE + size);
        frame.put_i32(i32::try_from(size).map_err(|_| self.refuse("the answer exceeds 2 GiB"))?);
        frame.put_i32(self.correlation_id);
        if tags {
            frame.put_u8(0);
        }
        response.encode(&mut frame, version).map_err(|error| self.refuse(error))?;
        frame.put_slice(rest);
        Ok(Answer { parts: vec![Part::Bytes(frame.freeze())] })
    }

    /// The hangup of a request that dispatch does not lead anywhere: a test asks each API of the table.
    pub(super) fn has_no_handler(self) -> Hangup {
        self.refuse("this API stands in the table but has no handler")
    }

    /// A hangup that names the request.
    pub(super) fn refuse(self, why: impl std::fmt::Display) -> Hangup {
        let Head { api_key, version, .. } = self;
        match ApiKey::try_from(api_key) {
            Ok(key) => Hangup::new(format!("{key:?} version {version}: {why}")),
            Err(()) => Hangup::new(format!("api key {api_key} version {version}: {why}")),
        }
    }
}

impl Answer {
    /// What a request with `acks=0` gets.
    pub(super) fn nothing() -> Answer {
        Answer::default()
    }
}

impl Hangup {
    /// A hangup for this reason.
    pub(super) fn new(why: impl Into<String>) -> Hangup {
        Hangup { why: why.into() }
    }
}

/// A topic's name as it stands in messages.
pub(super) fn wire_name(name: &str) -> WireName {
    WireName(StrBytes::from_string(name.to_owned()))
}

/// The version whose layout a message has. Two APIs have versions that are newer than the message crate: ListOffsets 11
/// differs from 10 only in what a timestamp may mean, DescribeLogDirs 5 from 4 by one field of the answer.
fn layout<M: Message>(version: i16) -> i16 {
    version.min(M::VERSIONS.max)
}
