//! Record batches made beforehand: magic 2, uncompressed, without producer id, records without key and headers.
//! And the little one has to know of a batch to find the next one.

use std::time::{SystemTime, UNIX_EPOCH};

use crc_fast::CrcAlgorithm;

/// Bytes of a batch up to its length field and including it.
const PREFIX_BYTES: usize = 12;
/// Bytes of a batch before its first record.
const HEADER_BYTES: usize = 61;
const LAST_OFFSET_DELTA_AT: usize = 23;

/// A valid batch of as many records of `record_bytes` as fit into `batch_bytes`, but at least one.
pub(crate) fn encode(batch_bytes: usize, record_bytes: usize) -> Vec<u8> {
    let value: Vec<u8> = (0..record_bytes).map(|index| b'a' + u8::try_from(index % 26).unwrap_or(0)).collect();
    let mut records = Vec::new();
    let mut count = 0;
    loop {
        let record = record(count, &value);
        if count > 0 && HEADER_BYTES + records.len() + record.len() > batch_bytes {
            break;
        }
        records.extend(record);
        count += 1;
    }
    with_header(&records, count)
}

/// The offset after the last whole batch of these bytes, and how many bytes the whole batches take; a fetch may end in
/// a cut one. `None` when not even the first is whole.
pub(crate) fn whole_batches(bytes: &[u8]) -> Option<(i64, usize)> {
    let mut found = None;
    let mut position = 0;
    while let Some(prefix) = bytes.get(position..position + PREFIX_BYTES) {
        let base_offset = i64::from_be_bytes(prefix[..8].try_into().ok()?);
        let length = usize::try_from(i32::from_be_bytes(prefix[8..].try_into().ok()?)).ok()?;
        let Some(batch) = bytes.get(position..position + PREFIX_BYTES + length) else { break };
        let delta = batch.get(LAST_OFFSET_DELTA_AT..LAST_OFFSET_DELTA_AT + 4)?;
        position += batch.len();
        found = Some((base_offset + i64::from(i32::from_be_bytes(delta.try_into().ok()?)) + 1, position));
    }
    found
}

fn with_header(records: &[u8], count: i32) -> Vec<u8> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970");
    let now = i64::try_from(since_epoch.as_millis()).expect("milliseconds fit for ages");
    let mut checked = Vec::with_capacity(HEADER_BYTES + records.len());
    checked.extend(0i16.to_be_bytes()); // attributes: no compression, create time
    checked.extend((count - 1).to_be_bytes()); // last offset delta
    checked.extend(now.to_be_bytes()); // base timestamp
    checked.extend(now.to_be_bytes()); // max timestamp
    checked.extend((-1i64).to_be_bytes()); // producer id
    checked.extend((-1i16).to_be_bytes()); // producer epoch
    checked.extend((-1i32).to_be_bytes()); // base sequence
    checked.extend(count.to_be_bytes());
    checked.extend(records);
    let crc = u32::try_from(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, &checked)).expect("CRC-32C has 32 bits");

    let length = i32::try_from(checked.len() + 9).expect("batches here are far below 2 GiB");
    let mut batch = Vec::with_capacity(HEADER_BYTES + records.len());
    batch.extend(0i64.to_be_bytes()); // base offset, which the broker sets
    batch.extend(length.to_be_bytes());
    batch.extend((-1i32).to_be_bytes()); // leader epoch, which the broker sets
    batch.push(2); // magic
    batch.extend(crc.to_be_bytes());
    batch.extend(checked);
    batch
}

fn record(offset_delta: i32, value: &[u8]) -> Vec<u8> {
    let mut body = vec![0]; // attributes
    varint(&mut body, 0); // timestamp delta
    varint(&mut body, i64::from(offset_delta));
    varint(&mut body, -1); // no key
    varint(&mut body, i64::try_from(value.len()).expect("values here are short"));
    body.extend(value);
    varint(&mut body, 0); // no headers
    let mut record = Vec::with_capacity(body.len() + 5);
    varint(&mut record, i64::try_from(body.len()).expect("records here are short"));
    record.extend(body);
    record
}

/// A signed number in zigzag form, seven bits a byte.
fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest as u8 & 0x7f) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_fills_its_size_and_not_more() {
        let batch = encode(16 * 1024, 1000);
        assert!(batch.len() <= 16 * 1024 && batch.len() > 15 * 1024, "{} bytes", batch.len());
        assert_eq!(whole_batches(&batch), Some((16, batch.len())));
    }

    #[test]
    fn a_cut_batch_at_the_end_is_left_out() {
        let batch = encode(500, 100);
        let mut two = [batch.clone(), batch.clone()].concat();
        two.truncate(two.len() - 1);
        assert_eq!(whole_batches(&two), Some((4, batch.len())));
        assert_eq!(whole_batches(&batch[..batch.len() - 1]), None);
    }
}
