//! Frames: how a request is laid out, how an answer is read, and the one blocking connection that carries both.
//!
//! Only versions before the flexible ones are used here, because they are the shortest to write down.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// The request kinds in use, each with the version it is spoken at.
#[derive(Clone, Copy)]
pub(crate) enum RequestKind {
    /// Produce v7.
    Produce,
    /// Fetch v11.
    Fetch,
    /// ListOffsets v1.
    ListOffsets,
    /// Metadata v1.
    Metadata,
    /// ApiVersions v0.
    ApiVersions,
    /// CreateTopics v2.
    CreateTopics,
    /// FindCoordinator v0.
    FindCoordinator,
    /// OffsetCommit v2.
    OffsetCommit,
    /// JoinGroup v0.
    JoinGroup,
    /// SyncGroup v0.
    SyncGroup,
    /// Heartbeat v0.
    Heartbeat,
}

impl RequestKind {
    fn key_and_version(self) -> (i16, i16) {
        match self {
            RequestKind::Produce => (0, 7),
            RequestKind::Fetch => (1, 11),
            RequestKind::ListOffsets => (2, 1),
            RequestKind::Metadata => (3, 1),
            RequestKind::ApiVersions => (18, 0),
            RequestKind::CreateTopics => (19, 2),
            RequestKind::FindCoordinator => (10, 0),
            RequestKind::OffsetCommit => (8, 2),
            RequestKind::JoinGroup => (11, 0),
            RequestKind::SyncGroup => (14, 0),
            RequestKind::Heartbeat => (12, 0),
        }
    }
}

/// A request as it goes onto the wire, length prefix included.
pub(crate) struct Request(Vec<u8>);

impl Request {
    /// The frame's length and header; the body follows by the methods below.
    pub(crate) fn new(api: RequestKind) -> Request {
        let (key, version) = api.key_and_version();
        let correlation_id = 0;
        Request(Vec::new()).int32(0).int16(key).int16(version).int32(correlation_id).string("bench")
    }

    pub(crate) fn int8(mut self, value: i8) -> Request {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn int16(mut self, value: i16) -> Request {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn int32(mut self, value: i32) -> Request {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn int64(mut self, value: i64) -> Request {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn string(self, value: &str) -> Request {
        let mut request = self.int16(i16::try_from(value.len()).expect("names here are short"));
        request.0.extend(value.as_bytes());
        request
    }

    /// An array of one topic with one partition, number 0: all that is ever asked about. The partition's body follows.
    pub(crate) fn only_partition(self, topic: &str) -> Request {
        self.int32(1).string(topic).int32(1).int32(0)
    }

    pub(crate) fn records(self, records: &[u8]) -> Request {
        let mut request = self.int32(i32::try_from(records.len()).expect("batches here are far below 2 GiB"));
        request.0.extend(records);
        request
    }

    /// Fills in the length and hands out the bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let length = i32::try_from(self.0.len() - 4).expect("requests here are far below 2 GiB");
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// An answer's body, read from front to back.
pub(crate) struct Answer<'a>(&'a [u8]);

impl<'a> Answer<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).context("the answer ends early")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn int16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.bytes(2)?.try_into()?))
    }

    pub(crate) fn int32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.bytes(4)?.try_into()?))
    }

    pub(crate) fn int64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.bytes(8)?.try_into()?))
    }

    pub(crate) fn string(&mut self) -> Result<&'a [u8]> {
        let length = self.int16()?;
        self.bytes(usize::try_from(length).unwrap_or(0))
    }

    /// The counterpart of [`Request::only_partition`]: checks that the answer speaks about that partition.
    pub(crate) fn only_partition(&mut self) -> Result<()> {
        let topics = self.int32()?;
        ensure!(topics == 1, "the answer speaks of {topics} topics, 1 was asked about");
        self.string()?;
        let (partitions, index) = (self.int32()?, self.int32()?);
        ensure!((partitions, index) == (1, 0), "the answer speaks of other partitions than the one asked about");
        Ok(())
    }

    /// Reads an error code and passes only on 0.
    pub(crate) fn no_error(&mut self) -> Result<()> {
        match self.int16()? {
            0 => Ok(()),
            code => bail!("the broker answered error code {code}"),
        }
    }
}

/// One connection to one broker. Answers come in the order of the requests, so nobody looks at correlation ids.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Connection { stream, buffer: Vec::new() })
    }

    pub(crate) fn send(&mut self, frame: &[u8]) -> Result<()> {
        self.stream.write_all(frame).context("the broker does not take the request")
    }

    /// Waits for the next answer; its bytes stay in the connection's buffer, which is used again.
    pub(crate) fn receive(&mut self) -> Result<Answer<'_>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).context("the broker does not answer")?;
        let length = usize::try_from(i32::from_be_bytes(length)).context("the answer has a negative length")?;
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        self.stream.read_exact(&mut self.buffer[..length]).context("the broker stops in the middle of an answer")?;
        let mut answer = Answer(&self.buffer[..length]);
        let _correlation_id = answer.int32()?;
        Ok(answer)
    }

    pub(crate) fn ask(&mut self, frame: &[u8]) -> Result<Answer<'_>> {
        self.send(frame)?;
        self.receive()
    }
}
