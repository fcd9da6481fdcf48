//! Making batches: for the broker's own records and for tests. What producers send is never rebuilt.

use super::header::{CONTROL, TRANSACTIONAL};
use super::{BatchHeader, Compression, RecordBatch};
use crate::clock::TimestampMs;
use crate::storage::record;

/// A batch that is being written, record by record.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    compression: Compression,
    records: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch at base offset 0, without a producer.
    pub fn new(compression: Compression) -> BatchBuilder {
        let header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: compression.id(),
            last_offset_delta: -1,
            base_timestamp: -1,
            max_timestamp: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records_count: 0,
        };
        BatchBuilder { header, compression, records: Vec::new() }
    }

    /// Sets another base offset.
    pub fn at_offset(mut self, base_offset: i64) -> BatchBuilder {
        self.header.base_offset = base_offset;
        self
    }

    /// Names the producer and its number for the first record.
    pub fn from_producer(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> BatchBuilder {
        self.header.producer_id = producer_id;
        self.header.producer_epoch = producer_epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes the records part of a transaction.
    pub fn transactional(mut self) -> BatchBuilder {
        self.header.attributes |= TRANSACTIONAL;
        self
    }

    /// Makes it a control batch, which consumers skip.
    pub fn control(mut self) -> BatchBuilder {
        self.header.attributes |= CONTROL;
        self
    }

    /// Appends a record; the first one's timestamp becomes the base timestamp.
    pub fn push(
        &mut self,
        timestamp: TimestampMs,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) {
        if self.is_empty() {
            self.header.base_timestamp = timestamp;
        }
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        self.header.last_offset_delta += 1;
        self.header.records_count += 1;
        let timestamp_delta = timestamp.wrapping_sub(self.header.base_timestamp);
        record::write(&mut self.records, timestamp_delta, self.header.last_offset_delta, key, value, headers);
    }

    /// Nothing was appended yet.
    pub fn is_empty(&self) -> bool {
        self.header.records_count == 0
    }

    /// The size of the batch as far as it goes, were it not compressed.
    pub fn uncompressed_size(&self) -> usize {
        BatchHeader::SIZE + self.records.len()
    }

    /// Compresses, computes length and CRC.
    pub fn build(self) -> RecordBatch {
        match self.compression {
            Compression::None => RecordBatch::seal(self.header, &self.records),
            compression => RecordBatch::seal(self.header, &compression.compress(&self.records)),
        }
    }
}
