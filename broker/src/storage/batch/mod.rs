//! Record batches: the unit of append, of compression and of the checksum (Kafka's magic 2).
//!
//! What a producer sends goes through two doors. [`RecordBatch::single`] finds the one batch in the request's bytes
//! and checks its length and CRC. [`RecordBatch::admit`] looks at every record by the rules of the topic and gives
//! the batch that the log keeps: the same bytes, except where Kafka itself corrects the header's timestamp, or the
//! topic asks for another codec.
//!
//! This is not the place of records one by one (that is [`crate::storage::record`]), nor of offsets and sequences in
//! a partition, which only its log knows.

mod builder;
mod header;
mod recompress;
mod rules;

use bytes::{Bytes, BytesMut};

use super::Refusal;
use crate::clock::TimestampMs;
use crate::config::TimestampType;

pub use super::compression::Compression;
pub use builder::BatchBuilder;
pub(super) use header::CRC_START;
pub use header::{BatchHeader, crc_of};
pub use recompress::Target;
pub use rules::BatchRules;

use header::{CRC_POSITION, KNOWN_ATTRIBUTES, LOG_APPEND_TIME, LOG_OVERHEAD, MAGIC_POSITION};

/// The smallest length that any format's length field may have; more is demanded once the format is known.
const SMALLEST_BATCH_LENGTH: i32 = 14;

/// One whole batch whose length and CRC have been checked; the bytes are a slice of what was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBatch {
    header: BatchHeader,
    bytes: Bytes,
}

impl RecordBatch {
    /// The one batch in the records field of one partition of a Produce request.
    ///
    /// Exactly one batch of magic 2 must be there; what follows it and is no batch is left out, as Kafka does
    /// (`ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords`). The records are not copied.
    pub fn single(records: Bytes) -> Result<RecordBatch, Refusal> {
        let only = |what: &str| Refusal::NotOneBatch(format!("Produce requests are only allowed to contain {what}"));
        let size = next_batch_size(&records)?.ok_or_else(|| only("at least one whole record batch per partition"))?;
        if records[MAGIC_POSITION] != 2 {
            return Err(only("record batches with magic version 2"));
        }
        match next_batch_size(&records[size..]) {
            Ok(None) => {}
            Ok(Some(_)) => return Err(only("exactly one record batch per partition")),
            Err(refusal) => return Err(Refusal::Corrupt(refusal.to_string())),
        }
        let bytes = records.slice(..size);
        let (header, _) = BatchHeader::split(&bytes)?;
        if header.base_offset != 0 {
            let base_offset = header.base_offset;
            return Err(Refusal::invalid(format!(
                "The baseOffset of the record batch should be 0, but it is {base_offset}"
            )));
        }
        if header.crc != crc_of(&bytes) {
            return Err(Refusal::Corrupt(format!("Record is corrupt (stored crc = {})", header.crc)));
        }
        Ok(RecordBatch { header, bytes })
    }

    /// The fields of the header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Checks the batch by the topic's rules and gives it as the log keeps it: the timestamps in its header are right
    /// (the largest of its records, or the time of the append), and it has the codec of the topic.
    pub fn admit(&self, rules: &BatchRules<'_>) -> Result<RecordBatch, Refusal> {
        let max_timestamp = self.validate(rules)?;
        let batch = match rules.timestamp_type {
            TimestampType::CreateTime => self.with_timestamps(TimestampType::CreateTime, max_timestamp),
            TimestampType::LogAppendTime => self.with_log_append_time(rules.now_ms),
        };
        match rules.target {
            Some(target) if batch.header.compression() != Some(target.compression) => {
                batch.recompressed(target, rules.max_message_bytes, rules.max_decompressed_bytes)
            }
            _ => Ok(batch),
        }
    }

    /// Walks all records and checks them by the topic's rules. Gives the largest of their timestamps, -1 when none has one.
    pub fn validate(&self, rules: &BatchRules<'_>) -> Result<TimestampMs, Refusal> {
        rules.check(self)
    }

    /// The batch as it stands in a topic whose records carry the time of their append.
    pub fn with_log_append_time(&self, now_ms: TimestampMs) -> RecordBatch {
        self.with_timestamps(TimestampType::LogAppendTime, now_ms)
    }

    /// Writes the type of timestamp and the largest one into the header, with a new CRC; nothing is copied when they
    /// are there already. As in Kafka, attribute bits without a meaning are lost on the way.
    fn with_timestamps(&self, timestamp_type: TimestampType, max_timestamp: TimestampMs) -> RecordBatch {
        let log_append_time = timestamp_type == TimestampType::LogAppendTime;
        let mut header = self.header;
        if header.is_log_append_time() == log_append_time && header.max_timestamp == max_timestamp {
            return self.clone();
        }
        header.attributes &= KNOWN_ATTRIBUTES & !LOG_APPEND_TIME;
        header.attributes |= if log_append_time { LOG_APPEND_TIME } else { 0 };
        header.max_timestamp = max_timestamp;
        RecordBatch::seal(header, &self.bytes[BatchHeader::SIZE..])
    }

    /// Puts a header and records together, and computes the length and the CRC.
    fn seal(mut header: BatchHeader, records: &[u8]) -> RecordBatch {
        let size = BatchHeader::SIZE + records.len();
        header.batch_length = i32::try_from(size - LOG_OVERHEAD).expect("a batch is smaller than 2 GiB");
        let mut bytes = BytesMut::with_capacity(size);
        bytes.extend_from_slice(&header.encode());
        bytes.extend_from_slice(records);
        header.crc = crc_of(&bytes);
        bytes[CRC_POSITION..CRC_POSITION + 4].copy_from_slice(&header.crc.to_be_bytes());
        RecordBatch { header, bytes: bytes.freeze() }
    }
}

/// The size of the batch at the start of `bytes`, of whatever format; `None` when no whole one is there.
fn next_batch_size(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
    let Some(length) = bytes.get(8..).and_then(|rest| rest.first_chunk()) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(*length);
    if length < SMALLEST_BATCH_LENGTH {
        return Err(Refusal::Malformed(format!(
            "Record size {length} is less than the minimum record overhead ({SMALLEST_BATCH_LENGTH})"
        )));
    }
    let Some(&magic) = bytes.get(MAGIC_POSITION) else {
        return Ok(None);
    };
    if magic > 2 {
        return Err(Refusal::Malformed(format!("Invalid magic found in record: {}", magic as i8)));
    }
    let size = usize::try_from(length).expect("a length of at least 14 is positive").saturating_add(LOG_OVERHEAD);
    Ok((size <= bytes.len()).then_some(size))
}

#[cfg(test)]
mod tests;
