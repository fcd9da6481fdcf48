//! What a topic demands of a batch that a client sends: Kafka's `LogValidator`, without its conversions.
//!
//! Three things are stricter than in Kafka, because it would store what no consumer can read: offsets within the
//! batch must count up from 0 by one (Kafka rewrites a compressed batch, and keeps an uncompressed one), a record in
//! a compressed batch must be as long as it says, and the content of a batch has a limit.

use super::{BatchHeader, RecordBatch, Target};
use crate::clock::TimestampMs;
use crate::config::{TimestampType, TopicConfig};
use crate::names::TopicPartition;
use crate::storage::Refusal;
use crate::storage::compression::Compression;
use crate::storage::record::{RecordOutline, RecordStream};

/// How many bad records are described one by one; the sentence for the whole batch counts them all.
const MAX_DESCRIBED_RECORDS: usize = 1000;

/// What the topic and the moment demand of a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchRules<'a> {
    /// Where the batch goes, for the sentences.
    pub partition: &'a TopicPartition,
    /// `max.message.bytes`: the largest batch, as it is sent.
    pub max_message_bytes: i32,
    /// The largest content of one batch, decompressed.
    pub max_decompressed_bytes: usize,
    /// The topic is compacted, so every record needs a key.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far in the past a record's timestamp may lie.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far in the future.
    pub timestamp_after_max_ms: i64,
    /// The codec that the topic asks for, if it does.
    pub target: Option<Target>,
    /// The time of the append.
    pub now_ms: TimestampMs,
}

impl<'a> BatchRules<'a> {
    /// The rules of a topic.
    pub fn of(
        partition: &'a TopicPartition,
        topic: &TopicConfig,
        max_decompressed_bytes: usize,
        now_ms: TimestampMs,
    ) -> BatchRules<'a> {
        BatchRules {
            partition,
            max_message_bytes: topic.max_message_bytes,
            max_decompressed_bytes,
            compacted: topic.cleanup_policy_compact,
            timestamp_type: topic.message_timestamp_type,
            timestamp_before_max_ms: topic.message_timestamp_before_max_ms,
            timestamp_after_max_ms: topic.message_timestamp_after_max_ms,
            target: Target::of(topic),
            now_ms,
        }
    }

    pub(super) fn check(&self, batch: &RecordBatch) -> Result<TimestampMs, Refusal> {
        self.check_size(batch)?;
        self.check_header(&batch.header)?;
        self.check_records(batch)
    }

    fn check_size(&self, batch: &RecordBatch) -> Result<(), Refusal> {
        let (size, limit) = (batch.bytes.len(), self.max_message_bytes);
        if i64::try_from(size).is_ok_and(|size| size <= i64::from(limit)) {
            return Ok(());
        }
        Err(Refusal::TooLarge(format!(
            "The record batch size in the append to {} is {size} bytes which exceeds the maximum configured value of {limit}.",
            self.partition
        )))
    }

    fn check_header(&self, header: &BatchHeader) -> Result<(), Refusal> {
        let (first, last, count) = (header.base_offset, header.last_offset(), header.records_count);
        let refuse = |what: String| Err(Refusal::invalid(format!("{what} in topic partition {}", self.partition)));
        if last < first {
            return refuse(format!("Batch has an invalid offset range: [{first}, {last}]"));
        }
        if count <= 0 {
            return refuse(format!("Invalid reported count for record batch: {count}"));
        }
        if header.last_offset_delta != count - 1 {
            return refuse(format!("Inconsistent batch offset range [{first}, {last}] and count of records {count}"));
        }
        if header.is_control() {
            return refuse("Clients are not allowed to write control records".into());
        }
        if header.has_producer_id() && header.base_sequence < 0 {
            let (sequence, producer_id) = (header.base_sequence, header.producer_id);
            return refuse(format!("Invalid sequence number {sequence} in record batch with producerId {producer_id}"));
        }
        Ok(())
    }

    fn check_records(&self, batch: &RecordBatch) -> Result<TimestampMs, Refusal> {
        let header = &batch.header;
        let mut max_timestamp = -1;
        let mut objections = Objections::default();
        let mut index = 0;
        RecordStream::open(batch.bytes.clone(), self.max_decompressed_bytes).for_each_outline(|outline| {
            if outline.offset_delta != index {
                let delta = outline.offset_delta;
                return Err(Refusal::invalid(format!("Record {index} of the batch has offset delta {delta}")));
            }
            let timestamp = header.timestamp_at(outline.timestamp_delta);
            max_timestamp = timestamp.max(max_timestamp);
            if self.compacted && outline.key_length < 0 {
                objections.add(index, || self.describe_missing_key());
            } else if self.is_untimely(header, timestamp) {
                objections.add_untimely(index, || self.describe_untimely(header, &outline));
            }
            index += 1;
            Ok(())
        })?;
        objections.into_result().map(|()| max_timestamp)
    }

    #[inline]
    fn is_untimely(&self, header: &BatchHeader, timestamp: TimestampMs) -> bool {
        if self.timestamp_type == TimestampType::CreateTime && timestamp != -1 {
            // Overflow wraps, as in Java.
            let age_ms = self.now_ms.wrapping_sub(timestamp);
            age_ms > self.timestamp_before_max_ms || age_ms.wrapping_neg() > self.timestamp_after_max_ms
        } else {
            header.is_log_append_time()
        }
    }

    fn describe_missing_key(&self) -> String {
        format!("Compacted topic cannot accept message without key in topic partition {}", self.partition)
    }

    fn describe_untimely(&self, header: &BatchHeader, record: &RecordOutline) -> String {
        let (offset, timestamp) = (header.offset_at(record.offset_delta), header.timestamp_at(record.timestamp_delta));
        if self.timestamp_type == TimestampType::CreateTime && timestamp != -1 {
            let earliest = self.now_ms.wrapping_sub(self.timestamp_before_max_ms);
            let latest = self.now_ms.wrapping_add(self.timestamp_after_max_ms);
            return format!(
                "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be within [{earliest}, {latest}]"
            );
        }
        let compressed = header.compression() != Some(Compression::None);
        let (class, null_length) = if compressed { ("PartialDefaultRecord", -1) } else { ("DefaultRecord", 0) };
        let (key, value) = (record.key_length.max(null_length), record.value_length.max(null_length));
        format!(
            "Invalid timestamp type in message {class}(offset={offset}, timestamp={timestamp}, key={key} bytes, value={value} bytes). Producer should not set timestamp type to LogAppendTime."
        )
    }
}

/// What was found against single records.
#[derive(Default)]
struct Objections {
    described: Vec<(i32, String)>,
    count: usize,
    untimely: bool,
}

impl Objections {
    #[cold]
    fn add(&mut self, index: i32, describe: impl FnOnce() -> String) {
        self.count += 1;
        if self.described.len() < MAX_DESCRIBED_RECORDS {
            self.described.push((index, describe()));
        }
    }

    #[cold]
    fn add_untimely(&mut self, index: i32, describe: impl FnOnce() -> String) {
        self.untimely = true;
        self.add(index, describe);
    }

    /// One bad timestamp decides the error for all, as in Kafka.
    fn into_result(self) -> Result<(), Refusal> {
        if self.count == 0 {
            return Ok(());
        }
        if self.untimely {
            return Err(Refusal::Timestamp { records: self.described });
        }
        let shown: Vec<String> = self.described.iter().take(3).map(describe_as_kafka).collect();
        Err(Refusal::Invalid {
            message: format!(
                "One or more records have been rejected due to {} record errors in total, and only showing the first three errors at most: [{}]",
                self.count,
                shown.join(", ")
            ),
            records: self.described,
        })
    }
}

fn describe_as_kafka((index, message): &(i32, String)) -> String {
    format!("RecordError(batchIndex={index}, message='{message}')")
}
