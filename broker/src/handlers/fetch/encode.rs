//! The Fetch response, written by hand, because its records must not pass through a buffer.
//!
//! ```text
//! throttle i32 | error i16, session i32 (v7+) | topics [ name (to v12) or id (v13+) | partitions [
//!     index i32 | error i16 | high watermark i64 | last stable offset i64 | log start offset i64 (v5+) |
//!     aborted transactions [ producer id i64 | first offset i64 ] or null | preferred replica i32 (v11+) |
//!     records: length, then the file's bytes | where the logs part: a tag (v12+) ] ]
//! ```
//!
//! From version 12 lengths are unsigned varints, one higher than the number, and an empty tag section (one zero byte)
//! follows every struct; the one after the records is why an answer alternates between bytes and files.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;

use super::session::{PartitionKey, TopicKey};
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
    writer.tags();
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
        match answer.diverging {
            Some(end) if self.is_flexible() => self.diverging(end),
            _ => self.tags(),
        }
    }

    /// A tag section with the one tag 0: its number, its size, the epoch and its end, and no tags within.
    fn diverging(&mut self, EpochEnd { epoch, end_offset }: EpochEnd) {
        const SIZE: u8 = 4 + 8 + 1;
        self.bytes.put_slice(&[1, 0, SIZE]);
        self.bytes.put_i32(epoch);
        self.bytes.put_i64(end_offset);
        self.tags();
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
mod tests {
    use kafka_protocol::messages::FetchRequest;
    use kafka_protocol::messages::ProducerId;
    use kafka_protocol::messages::fetch_response::{AbortedTransaction as Aborted, FetchableTopicResponse};
    use uuid::Uuid;

    use super::*;
    use crate::handlers::tests::{answer_bytes, decode_answer};
    use crate::storage::disk::Disk;

    /// What the segment file of these tests holds.
    const CONTENT: &[u8] = b"0123456789";

    fn key(version: i16, topic: u128, index: i32) -> PartitionKey {
        let topic = match version {
            TOPIC_IDS_FROM.. => TopicKey::Id(Uuid::from_u128(topic)),
            _ => TopicKey::Name(format!("topic-{topic}").into()),
        };
        PartitionKey { topic, index }
    }

    fn with_records(index: i32, range: FileRange) -> PartitionAnswer {
        PartitionAnswer {
            aborted: Some(vec![AbortedTransaction { producer_id: 5, first_offset: 6 }]),
            range: Some(range),
            ..PartitionAnswer::told(index, 11, 10, 2)
        }
    }

    fn check_topic(topic: &FetchableTopicResponse, version: i16, number: u128) {
        match key(version, number, 0).topic {
            TopicKey::Id(id) => assert_eq!(topic.topic_id, id),
            TopicKey::Name(name) => assert_eq!(topic.topic.as_str(), &*name),
        }
    }

    #[test]
    fn the_message_crate_reads_what_is_written_in_every_version() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = Disk::default().open(&folder.path().join("0.log"), true).expect("a file");
        file.write_at(0, &[CONTENT]).expect("written");
        for version in 4..=18 {
            let range = |position, length| FileRange { file: file.clone(), position, length };
            let diverging = Some(EpochEnd { epoch: 4, end_offset: 1 << 40 });
            let answers = [
                (key(version, 1, 0), with_records(0, range(2, 3))),
                (key(version, 1, 7), PartitionAnswer::failed(7, ResponseError::OffsetOutOfRange)),
                (key(version, 2, 1), PartitionAnswer::unknown(1, ResponseError::UnknownTopicOrPartition)),
                (key(version, 1, 3), PartitionAnswer { diverging, ..with_records(3, range(0, 10)) }),
            ];
            let head = Head { api_key: 1, version, correlation_id: 9 };
            let encoded = encode(head, 0, 42, &answers).expect("it encodes");
            let (id, response) = decode_answer::<FetchRequest>(answer_bytes(encoded), version);
            assert_eq!((id, response.error_code), (9, 0));
            assert_eq!(response.session_id, if version >= SESSION_FROM { 42 } else { 0 });
            // Neighbours share a topic's entry, others get one of their own.
            let shape: Vec<_> = response.responses.iter().map(|topic| topic.partitions.len()).collect();
            assert_eq!(shape, [2, 1, 1]);
            check_topic(&response.responses[0], version, 1);
            check_topic(&response.responses[1], version, 2);
            let first = &response.responses[0].partitions[0];
            assert_eq!(first.records.as_deref(), Some(&CONTENT[2..5]));
            assert_eq!((first.high_watermark, first.last_stable_offset), (11, 10));
            assert_eq!(first.log_start_offset, if version >= LOG_START_FROM { 2 } else { -1 });
            let aborted = Aborted::default().with_producer_id(ProducerId(5)).with_first_offset(6);
            assert_eq!(first.aborted_transactions, Some(vec![aborted]));
            let failed = &response.responses[0].partitions[1];
            assert_eq!((failed.partition_index, failed.error_code, failed.high_watermark), (7, 1, -1));
            assert_eq!((failed.aborted_transactions.as_ref(), failed.records.as_deref()), (None, Some(&b""[..])));
            let unknown = &response.responses[1].partitions[0];
            assert_eq!((unknown.error_code, unknown.aborted_transactions.as_deref()), (3, Some(&[][..])));
            let diverged = &response.responses[2].partitions[0];
            assert_eq!(diverged.records.as_deref(), Some(CONTENT));
            let (epoch, end_offset) = if version >= FLEXIBLE_FROM { (4, 1 << 40) } else { (-1, -1) };
            assert_eq!((diverged.diverging_epoch.epoch, diverged.diverging_epoch.end_offset), (epoch, end_offset));
        }
    }

    #[test]
    fn an_answer_without_partitions_is_as_short_as_kafkas() {
        let head = Head { api_key: 1, version: 12, correlation_id: 5 };
        let bytes = answer_bytes(encode(head, 71, 0, &[]).expect("it encodes"));
        assert_eq!(&bytes[..], [0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 71, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn old_clients_are_not_told_of_storage_errors() {
        let mut answer = PartitionAnswer::failed(0, ResponseError::KafkaStorageError);
        answer.hide_storage_error();
        assert_eq!(answer.code, 6);
        let mut other = PartitionAnswer::failed(0, ResponseError::OffsetOutOfRange);
        other.hide_storage_error();
        assert_eq!(other.code, 1);
    }
}
