//! Record batches written field by field, right or deliberately wrong.

/// Key and value of a record, each of which may be null.
pub type Record = (Option<Vec<u8>>, Option<Vec<u8>>);

/// A record batch; what [`Batch::default`] gives is one valid record `k` = `v` of an ordinary producer.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The offset that the producer claims; brokers want 0.
    pub base_offset: i64,
    /// The version of the format.
    pub magic: i8,
    /// Codec, timestamp type, transactional and control bits.
    pub attributes: i16,
    /// The offset of the last record, counted from the first; None for the right one.
    pub last_offset_delta: Option<i32>,
    /// The timestamp of all records.
    pub timestamp: i64,
    /// Who writes; -1 for nobody in particular.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The sequence number of the first record.
    pub base_sequence: i32,
    /// The number of records that the header claims; None for the right one.
    pub record_count: Option<i32>,
    /// What the batch holds.
    pub records: Vec<Record>,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch {
            base_offset: 0,
            magic: 2,
            attributes: 0,
            last_offset_delta: None,
            timestamp: 1_700_000_000_000,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: None,
            records: vec![(Some(b"k".to_vec()), Some(b"v".to_vec()))],
        }
    }
}

impl Batch {
    /// The batch of an idempotent producer.
    pub fn of_producer(producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Batch {
        Batch { producer_id, producer_epoch, base_sequence, ..Batch::default() }
    }

    /// The bytes of the batch, with the CRC that belongs to them.
    pub fn bytes(&self) -> Vec<u8> {
        let count = self.records.len() as i32;
        let mut checked = Vec::new();
        checked.extend(self.attributes.to_be_bytes());
        checked.extend(self.last_offset_delta.unwrap_or(count - 1).to_be_bytes());
        checked.extend(self.timestamp.to_be_bytes());
        checked.extend(self.timestamp.to_be_bytes());
        checked.extend(self.producer_id.to_be_bytes());
        checked.extend(self.producer_epoch.to_be_bytes());
        checked.extend(self.base_sequence.to_be_bytes());
        checked.extend(self.record_count.unwrap_or(count).to_be_bytes());
        for (index, (key, value)) in self.records.iter().enumerate() {
            let mut record = vec![0];
            varint(&mut record, 0);
            varint(&mut record, index as i64);
            optional(&mut record, key.as_deref());
            optional(&mut record, value.as_deref());
            varint(&mut record, 0);
            varint(&mut checked, record.len() as i64);
            checked.extend(record);
        }
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &checked) as u32;

        let mut bytes = Vec::new();
        bytes.extend(self.base_offset.to_be_bytes());
        // Leader epoch, magic and CRC stand between the length and what the CRC covers.
        bytes.extend((checked.len() as i32 + 9).to_be_bytes());
        bytes.extend((-1_i32).to_be_bytes());
        bytes.extend(self.magic.to_be_bytes());
        bytes.extend(crc.to_be_bytes());
        bytes.extend(checked);
        bytes
    }
}

fn optional(record: &mut Vec<u8>, bytes: Option<&[u8]>) {
    varint(record, bytes.map_or(-1, |bytes| bytes.len() as i64));
    record.extend(bytes.unwrap_or_default());
}

/// A zigzag varint: small numbers of either sign are short.
fn varint(bytes: &mut Vec<u8>, value: i64) {
    let mut value = (value << 1 ^ value >> 63).cast_unsigned();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
