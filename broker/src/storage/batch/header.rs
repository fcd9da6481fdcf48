//! The 61 bytes in front of a batch's records.
//!
//! ```text
//!  0        8      12     16 17    21  23     27             35            43          51    53        57        61
//!  ┌────────┬──────┬──────┬──┬─────┬───┬──────┬──────────────┬─────────────┬───────────┬─────┬─────────┬─────────┐
//!  │base    │length│leader│ 2│ crc │att│last  │base timestamp│max timestamp│producer id│epoch│base     │records  │
//!  │offset  │      │epoch │  │     │rib│offset│              │             │           │     │sequence │count    │
//!  └────────┴──────┴──────┴──┴─────┴───┴──────┴──────────────┴─────────────┴───────────┴─────┴─────────┴─────────┘
//!                                   └──── the CRC-32C covers everything from here to the end of the batch ─────────
//! ```

use bytes::Bytes;

use crate::clock::TimestampMs;
use crate::storage::Refusal;
use crate::storage::compression::Compression;
use crate::storage::crc::crc32c;

/// Bytes in front of what the length field counts.
pub(super) const LOG_OVERHEAD: usize = 12;

/// Where the magic byte stands; older formats have it in the same place.
pub(super) const MAGIC_POSITION: usize = 16;

/// The CRC, and the first byte that it covers.
pub(super) const CRC_POSITION: usize = 17;
pub(in crate::storage) const CRC_START: usize = 21;

// The bits of the attributes; bits 0-2 are the codec, and bits 7-15 mean nothing.
pub(super) const COMPRESSION_MASK: i16 = 0b111;
pub(super) const LOG_APPEND_TIME: i16 = 1 << 3;
pub(super) const TRANSACTIONAL: i16 = 1 << 4;
pub(super) const CONTROL: i16 = 1 << 5;
/// Every bit that means something (bit 6: the base timestamp is a delete horizon).
pub(super) const KNOWN_ATTRIBUTES: i16 = 0x7f;

/// The 61 bytes before a batch's records, parsed. Any bytes parse; what they mean is checked elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record; outside the CRC, because the broker assigns it.
    pub base_offset: i64,
    /// The bytes that follow this field.
    pub batch_length: i32,
    /// The epoch of the leader that appended the batch; outside the CRC.
    pub partition_leader_epoch: i32,
    /// The version of the format; 2 here.
    pub magic: i8,
    /// CRC-32C over everything from the attributes on.
    pub crc: u32,
    /// Codec, timestamp type, transactional and control bits.
    pub attributes: i16,
    /// Added to the base offset gives the last offset, even when compaction removed that record.
    pub last_offset_delta: i32,
    /// What the records' timestamps are relative to.
    pub base_timestamp: TimestampMs,
    /// The largest timestamp of the records, or the time of the append.
    pub max_timestamp: TimestampMs,
    /// Who sent it, for idempotence and transactions; -1 for nobody in particular.
    pub producer_id: i64,
    /// The incarnation of the producer id.
    pub producer_epoch: i16,
    /// The producer's number for the first record.
    pub base_sequence: i32,
    /// How many records there are.
    pub records_count: i32,
}

impl BatchHeader {
    /// The size of the header in bytes.
    pub const SIZE: usize = 61;

    /// Reads the fields.
    pub fn parse(bytes: &[u8; Self::SIZE]) -> BatchHeader {
        BatchHeader {
            base_offset: i64::from_be_bytes(field(bytes, 0)),
            batch_length: i32::from_be_bytes(field(bytes, 8)),
            partition_leader_epoch: i32::from_be_bytes(field(bytes, 12)),
            magic: i8::from_be_bytes(field(bytes, MAGIC_POSITION)),
            crc: u32::from_be_bytes(field(bytes, CRC_POSITION)),
            attributes: i16::from_be_bytes(field(bytes, CRC_START)),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: i64::from_be_bytes(field(bytes, 27)),
            max_timestamp: i64::from_be_bytes(field(bytes, 35)),
            producer_id: i64::from_be_bytes(field(bytes, 43)),
            producer_epoch: i16::from_be_bytes(field(bytes, 51)),
            base_sequence: i32::from_be_bytes(field(bytes, 53)),
            records_count: i32::from_be_bytes(field(bytes, 57)),
        }
    }

    /// Writes the fields; the inverse of [`BatchHeader::parse`].
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        bytes[16..17].copy_from_slice(&self.magic.to_be_bytes());
        bytes[17..21].copy_from_slice(&self.crc.to_be_bytes());
        bytes[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        bytes[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        bytes[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        bytes[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        bytes[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        bytes[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.records_count.to_be_bytes());
        bytes
    }

    /// Parses the front of a whole batch and gives what follows it: the records, still compressed.
    pub(crate) fn split(batch: &Bytes) -> Result<(BatchHeader, Bytes), Refusal> {
        let header = batch.first_chunk().ok_or_else(|| {
            Refusal::Corrupt(format!(
                "Record batch is corrupt (the size {} is smaller than the minimum allowed overhead {})",
                batch.len(),
                Self::SIZE
            ))
        })?;
        Ok((BatchHeader::parse(header), batch.slice(Self::SIZE..)))
    }

    /// Bytes of the whole batch: 12 + batch_length; `None` when the length is below the minimum (49).
    pub fn total_size(&self) -> Option<usize> {
        let size = usize::try_from(self.batch_length).ok()?.checked_add(LOG_OVERHEAD)?;
        (size >= Self::SIZE).then_some(size)
    }

    /// The offset of the last record that the batch had when it was appended.
    pub fn last_offset(&self) -> i64 {
        self.offset_at(self.last_offset_delta)
    }

    /// The offset of a record.
    pub(crate) fn offset_at(&self, offset_delta: i32) -> i64 {
        self.base_offset.saturating_add(i64::from(offset_delta))
    }

    /// The timestamp of a record: its own, or that of the append. Overflow wraps, as in Java.
    #[inline]
    pub(crate) fn timestamp_at(&self, timestamp_delta: i64) -> TimestampMs {
        if self.is_log_append_time() { self.max_timestamp } else { self.base_timestamp.wrapping_add(timestamp_delta) }
    }

    /// `None` for codec numbers that mean nothing.
    pub fn compression(&self) -> Option<Compression> {
        Compression::from_id(self.attributes & COMPRESSION_MASK)
    }

    /// The records' timestamps are the time of the append.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// The records belong to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// The batch is written by the broker about transactions, and consumers skip it.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// The batch takes part in idempotence.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id >= 0
    }

    /// The producer's number for the last record: wraps at 2^31 as Kafka's sequences do; -1 without a producer.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == -1 {
            return -1;
        }
        match self.base_sequence.checked_add(self.last_offset_delta) {
            Some(sequence) => sequence,
            // After 2147483647 comes 0.
            None => self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX,
        }
    }
}

/// CRC-32C over bytes 21.. of a whole batch.
pub fn crc_of(batch: &[u8]) -> u32 {
    crc32c(batch.get(CRC_START..).unwrap_or_default())
}

fn field<const N: usize>(bytes: &[u8; BatchHeader::SIZE], position: usize) -> [u8; N] {
    *bytes[position..].first_chunk().expect("every field ends within the 61 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        let bytes = std::array::from_fn(|index| index as u8 * 4 + 3);
        let header = BatchHeader::parse(&bytes);
        assert_eq!(header.encode(), bytes);
        assert_eq!(header.base_offset, 0x03070b0f_13171b1f);
        assert_eq!(header.records_count, i32::from_be_bytes([231, 235, 239, 243]));
    }

    #[test]
    fn lying_fields_never_overflow() {
        let mut header = BatchHeader::parse(&[0; 61]);
        assert_eq!(header.total_size(), None);
        header.batch_length = 49;
        assert_eq!(header.total_size(), Some(61));
        header.batch_length = i32::MIN;
        assert_eq!(header.total_size(), None);
        (header.base_offset, header.last_offset_delta) = (i64::MAX, i32::MAX);
        assert_eq!(header.last_offset(), i64::MAX);
        (header.base_timestamp, header.max_timestamp) = (i64::MAX, 5);
        assert_eq!(header.timestamp_at(1), i64::MIN);
        header.attributes = LOG_APPEND_TIME;
        assert_eq!(header.timestamp_at(1), 5);
    }

    #[test]
    fn sequences_wrap_after_the_largest_int() {
        let mut header = BatchHeader::parse(&[0; 61]);
        for (base, delta, last) in
            [(-1, 7, -1), (3, 4, 7), (i32::MAX, 0, i32::MAX), (i32::MAX, 1, 0), (i32::MAX - 1, 4, 2)]
        {
            (header.base_sequence, header.last_offset_delta) = (base, delta);
            assert_eq!(header.last_sequence(), last, "{base} + {delta}");
        }
    }

    #[test]
    fn codec_numbers_beyond_the_last_mean_nothing() {
        let mut header = BatchHeader::parse(&[0; 61]);
        for (attributes, compression) in
            [(0x30, Some(Compression::None)), (4, Some(Compression::Zstd)), (5, None), (7, None)]
        {
            header.attributes = attributes;
            assert_eq!(header.compression(), compression);
        }
    }

    #[test]
    fn the_checksum_covers_all_from_the_attributes_on() {
        let mut batch = [0; 30];
        batch[21..].copy_from_slice(b"123456789");
        assert_eq!(crc_of(&batch), 0xe306_9283);
        assert_eq!(crc_of(&[]), 0);
    }
}
