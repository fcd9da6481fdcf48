//! The Fetch response, written by hand, because its records must not pass through a buffer.
//!
//! ```text
//! throttle i32 | error i16, session i32 (v7+) | topics [ name (to v12) or id (v13+) | partitions [
//!     index i32 | error i16 | high watermark i64 | last stable offset i64 | log start offset i64 (v5+) |
//!     aborted transactions [ producer id i64 | first offset i64 ] or null | preferred replica i32 (v11+) |
//!     records: length, then the file's bytes | tags: where the logs part (v12+), who leads (v16+) ] ]
//! tags: where the leaders are (v16+)
//! ```
//!
//! From version 12 lengths are unsigned varints, one higher than the number, and an empty tag section (one zero byte)
//! follows every struct; the one after the records is why an answer alternates between bytes and files.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;

use super::session::{PartitionKey, TopicKey};
use crate::handlers::Endpoint;
use crate::handlers::call::{Answer, Hangup, Head, Part};
use crate::storage::FileRange;
use crate::storage::log::{AbortedTransaction, EpochEnd};
use crate::topics::{Partition, PartitionRead};

/// The first version with a session.
const SESSION_FROM: i16 = 7;
/// The first version with the log start offset.
const LOG_START_FROM: i16 = 5;
/// The first version with a preferred replica.
const PREFERRED_REPLICA_FROM: i16 = 11;
/// The first version with compact lengths and tags.
const FLEXIBLE_FROM: i16 = 12;
/// The first version that names topics by their ids.
const TOPIC_IDS_FROM: i16 = 13;

/// The first version that tells who leads instead (KIP-951).
const LEADERS_FROM: i16 = 16;

/// About what a partition takes without its records, to allocate once.
const PARTITION_BYTES: usize = 64;

/// What one partition answers.
#[derive(Clone, Debug)]
pub(super) struct PartitionAnswer {
    index: i32,
    pub(super) code: i16,
    pub(super) high_watermark: i64,
    last_stable_offset: i64,
    pub(super) log_start_offset: i64,
    /// `None` is null on the wire.
    aborted: Option<Vec<AbortedTransaction>>,
    range: Option<FileRange>,
    /// Where the client's log and ours part.
    pub(super) diverging: Option<EpochEnd>,
    /// Who leads, to whom does not know it: the node and the epoch.
    leader: Option<(i32, i32)>,
}

impl PartitionAnswer {
    /// What a read found.
    pub(super) fn of(index: i32, read: PartitionRead) -> PartitionAnswer {
        PartitionAnswer {
            aborted: read.aborted,
            range: read.range.filter(|range| range.length > 0),
            ..PartitionAnswer::told(index, read.high_watermark, read.last_stable_offset, read.log_start_offset)
        }
    }

    /// What the client fetched last is not what stands here; it learns where to cut its log, and gets no records.
    pub(super) fn diverged(index: i32, partition: &Partition, diverging: EpochEnd) -> PartitionAnswer {
        let (end, stable_end) = (partition.high_watermark(), partition.last_stable_offset());
        let told = PartitionAnswer::told(index, end, stable_end, partition.log_start_offset());
        PartitionAnswer { diverging: Some(diverging), ..told }
    }

    /// A read that failed: nothing is said about the log.
    pub(super) fn failed(index: i32, code: ResponseError) -> PartitionAnswer {
        PartitionAnswer { code: code.code(), ..PartitionAnswer::told(index, -1, -1, -1) }
    }

    /// The same with who leads, if that is to be told.
    pub(super) fn with_leader(self, leader: Option<(i32, i32)>) -> PartitionAnswer {
        PartitionAnswer { leader, ..self }
    }

    /// A partition that does not exist. Kafka's list of aborted transactions is then empty, and not null.
    pub(super) fn unknown(index: i32, code: ResponseError) -> PartitionAnswer {
        PartitionAnswer { aborted: Some(Vec::new()), ..PartitionAnswer::failed(index, code) }
    }

    /// An answer whose file is not there, for tests that read none.
    #[cfg(test)]
    pub(super) fn for_tests(index: i32, high_watermark: i64, length: u32) -> PartitionAnswer {
        let file = crate::storage::disk::Disk::default();
        let file = file.open(std::path::Path::new("/dev/null"), false).expect("it is everywhere");
        let range = (length > 0).then_some(FileRange { file, position: 0, length });
        let (last_stable_offset, log_start_offset) = (high_watermark, 0);
        PartitionAnswer { range, ..PartitionAnswer::told(index, high_watermark, last_stable_offset, log_start_offset) }
    }

    /// Where a log begins and ends, and no records.
    fn told(index: i32, high_watermark: i64, last_stable_offset: i64, log_start_offset: i64) -> PartitionAnswer {
        PartitionAnswer {
            index,
            code: 0,
            high_watermark,
            last_stable_offset,
            log_start_offset,
            aborted: None,
            range: None,
            diverging: None,
            leader: None,
        }
    }

    /// Old clients are told of another leader instead, which makes them ask again.
    pub(super) fn hide_storage_error(&mut self) {
        if self.code == ResponseError::KafkaStorageError.code() {
            self.code = ResponseError::NotLeaderOrFollower.code();
        }
    }

    /// Bytes of records.
    pub(super) fn records_size(&self) -> u32 {
        self.range.as_ref().map_or(0, |range| range.length)
    }
}

/// Whether topics have ids instead of names in this version.
pub(super) fn names_by_id(version: i16) -> bool {
    version >= TOPIC_IDS_FROM
}

/// Encodes a response with its length and header. Neighbours of the same topic share its entry.
pub(super) fn encode(
    head: Head,
    code: i16,
    session_id: i32,
    answers: &[(PartitionKey, PartitionAnswer)],
    cluster: &[Arc<Endpoint>],
) -> Result<Answer, Hangup> {
    let topics = || answers.chunk_by(|(one, _), (other, _)| one.topic == other.topic);
    let mut writer = Writer::new(head, answers.len());
    // No request is throttled.
    writer.bytes.put_i32(0);
    if head.version >= SESSION_FROM {
        writer.bytes.put_i16(code);
        writer.bytes.put_i32(session_id);
    }
    writer.count(topics().count());
    for topic in topics() {
        writer.topic(&topic[0].0.topic);
        writer.count(topic.len());
        for (_, answer) in topic {
            writer.partition(answer);
        }
        writer.tags();
    }
    let leads = |endpoint: &&Arc<Endpoint>| {
        answers.iter().any(|(_, answer)| answer.leader.is_some_and(|(node, _)| node == endpoint.node))
    };
    writer.endpoints(&cluster.iter().filter(leads).collect::<Vec<_>>());
    writer.finish()
}

/// The bytes so far, and where in them the records belong.
struct Writer {
    head: Head,
    bytes: BytesMut,
    ranges: Vec<(usize, FileRange)>,
    records_size: u64,
}

impl Writer {
    fn new(head: Head, partition_count: usize) -> Writer {
        let bytes = BytesMut::with_capacity(PARTITION_BYTES * (partition_count + 1));
        let mut writer = Writer { head, bytes, ranges: Vec::new(), records_size: 0 };
        // The length of the frame is known at the end.
        writer.bytes.put_i32(0);
        writer.bytes.put_i32(head.correlation_id);
        writer.tags();
        writer
    }

    fn is_flexible(&self) -> bool {
        self.head.version >= FLEXIBLE_FROM
    }

    /// An empty tag section.
    fn tags(&mut self) {
        if self.is_flexible() {
            self.bytes.put_u8(0);
        }
    }

    /// The number of elements of an array, or of bytes of the records.
    fn count(&mut self, count: usize) {
        let count = u32::try_from(count).expect("an answer has fewer than 2^32 elements");
        if self.is_flexible() {
            self.unsigned_varint(count + 1);
        } else {
            self.bytes.put_u32(count);
        }
    }

    fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.put_u8(value as u8);
    }

    fn topic(&mut self, topic: &TopicKey) {
        match topic {
            TopicKey::Id(id) => self.bytes.put_slice(id.as_bytes()),
            TopicKey::Name(name) => {
                if self.is_flexible() {
                    self.count(name.len());
                } else {
                    let length = i16::try_from(name.len()).expect("the name came with a length of 16 bits");
                    self.bytes.put_i16(length);
                }
                self.bytes.put_slice(name.as_bytes());
            }
        }
    }

    fn partition(&mut self, answer: &PartitionAnswer) {
        self.bytes.put_i32(answer.index);
        self.bytes.put_i16(answer.code);
        self.bytes.put_i64(answer.high_watermark);
        self.bytes.put_i64(answer.last_stable_offset);
        if self.head.version >= LOG_START_FROM {
            self.bytes.put_i64(answer.log_start_offset);
        }
        self.aborted(answer.aborted.as_deref());
        if self.head.version >= PREFERRED_REPLICA_FROM {
            self.bytes.put_i32(-1);
        }
        // Never null: librdkafka and kafka-python lose the connection over it (KAFKA-18646).
        self.count(answer.records_size() as usize);
        if let Some(range) = &answer.range {
            self.records_size += u64::from(range.length);
            self.ranges.push((self.bytes.len(), range.clone()));
        }
        self.partition_tags(answer);
    }

    /// A tag section: the number of tags, and of each its number, its size and a struct that has no tags within. Tag 0 is
    /// where the logs part, tag 1 who leads.
    fn partition_tags(&mut self, answer: &PartitionAnswer) {
        const DIVERGING_SIZE: u8 = 4 + 8 + 1;
        const LEADER_SIZE: u8 = 4 + 4 + 1;
        if !self.is_flexible() {
            return;
        }
        let leader = answer.leader.filter(|_| self.head.version >= LEADERS_FROM);
        self.bytes.put_u8(u8::from(answer.diverging.is_some()) + u8::from(leader.is_some()));
        if let Some(EpochEnd { epoch, end_offset }) = answer.diverging {
            self.bytes.put_slice(&[0, DIVERGING_SIZE]);
            self.bytes.put_i32(epoch);
            self.bytes.put_i64(end_offset);
            self.tags();
        }
        if let Some((node, epoch)) = leader {
            self.bytes.put_slice(&[1, LEADER_SIZE]);
            self.bytes.put_i32(node);
            self.bytes.put_i32(epoch);
            self.tags();
        }
    }

    /// The last tag section of all: tag 0 is a list of nodes, each with its id, host, port, no rack and no tags.
    fn endpoints(&mut self, endpoints: &[&Arc<Endpoint>]) {
        if endpoints.is_empty() || self.head.version < LEADERS_FROM {
            return self.tags();
        }
        let outer = std::mem::take(&mut self.bytes);
        self.count(endpoints.len());
        for endpoint in endpoints {
            self.bytes.put_i32(endpoint.node);
            self.count(endpoint.host.len());
            self.bytes.put_slice(endpoint.host.as_bytes());
            self.bytes.put_i32(i32::from(endpoint.port));
            self.bytes.put_slice(&[0, 0]);
        }
        let list = std::mem::replace(&mut self.bytes, outer);
        self.bytes.put_slice(&[1, 0]);
        self.unsigned_varint(u32::try_from(list.len()).expect("a few nodes take a few hundred bytes"));
        self.bytes.put_slice(&list);
    }

    fn aborted(&mut self, aborted: Option<&[AbortedTransaction]>) {
        match aborted {
            None if self.is_flexible() => self.bytes.put_u8(0),
            None => self.bytes.put_i32(-1),
            Some(transactions) => {
                self.count(transactions.len());
                for transaction in transactions {
                    self.bytes.put_i64(transaction.producer_id);
                    self.bytes.put_i64(transaction.first_offset);
                    self.tags();
                }
            }
        }
    }

    /// Writes the length and cuts the bytes where records belong.
    fn finish(mut self) -> Result<Answer, Hangup> {
        let size = self.bytes.len() as u64 - size_of::<i32>() as u64 + self.records_size;
        let size = i32::try_from(size).map_err(|_| self.head.refuse("the answer exceeds 2 GiB"))?;
        self.bytes[..size_of::<i32>()].copy_from_slice(&size.to_be_bytes());
        let bytes = self.bytes.freeze();
        let mut parts = Vec::with_capacity(2 * self.ranges.len() + 1);
        let mut start = 0;
        for (end, range) in self.ranges {
            parts.push(Part::Bytes(bytes.slice(start..end)));
            parts.push(Part::File(range));
            start = end;
        }
        let rest: Bytes = bytes.slice(start..);
        if !rest.is_empty() {
            parts.push(Part::Bytes(rest));
        }
        Ok(Answer { parts })
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
