//! The file that keeps what is known of producers over a restart.
//!
//! ```text
//!   version i16 = 1 | crc u32 | count i32 | count x 46 bytes
//!   producer id i64 | epoch i16 | last sequence i32 | last offset i64 | offset delta i32 | timestamp i64 |
//!   coordinator epoch i32 | first offset of the open transaction i64 (-1: none)
//! ```
//!
//! The CRC-32C covers everything after itself. The file's name is the offset up to which it holds.

use std::collections::{HashMap, VecDeque};

use super::{Producer, Producers, RememberedBatch};
use crate::storage::Error;
use crate::storage::crc::crc32c;

const SNAPSHOT_HEADER: usize = 10;
const SNAPSHOT_ENTRY: usize = 46;

impl Producers {
    /// The content of a `.snapshot` file.
    pub(in crate::storage) fn snapshot(&self) -> Vec<u8> {
        let mut ids: Vec<_> = self.by_id.keys().copied().collect();
        ids.sort_unstable();
        let mut body = Vec::with_capacity(4 + ids.len() * SNAPSHOT_ENTRY);
        let count = i32::try_from(ids.len()).expect("fewer producers than i32 counts");
        body.extend(count.to_be_bytes());
        for id in ids {
            self.by_id[&id].write(id, &mut body);
        }
        let mut file = Vec::with_capacity(6 + body.len());
        file.extend(1i16.to_be_bytes());
        file.extend(crc32c(&body).to_be_bytes());
        file.extend(body);
        file
    }

    /// Reads a `.snapshot` file; `None` if version, CRC or length is wrong.
    pub(in crate::storage) fn from_snapshot(file: &[u8]) -> Option<Producers> {
        let (header, entries) = file.split_at_checked(SNAPSHOT_HEADER)?;
        let version = i16::from_be_bytes(header[..2].try_into().ok()?);
        let crc = u32::from_be_bytes(header[2..6].try_into().ok()?);
        let count = usize::try_from(i32::from_be_bytes(header[6..].try_into().ok()?)).ok()?;
        if version != 1 || crc != crc32c(&file[6..]) || Some(entries.len()) != count.checked_mul(SNAPSHOT_ENTRY) {
            return None;
        }
        let by_id: HashMap<_, _> = entries.chunks_exact(SNAPSHOT_ENTRY).map(Producer::read).collect();
        let begins = by_id.values().map(|producer: &Producer| producer.transaction_first_offset);
        let open = begins.filter(|first_offset| *first_offset >= 0).collect();
        Some(Producers { by_id, open, sweep_at: (0, None) })
    }
}

impl Producer {
    fn write(&self, id: i64, out: &mut Vec<u8>) {
        let last = self.batches.back();
        out.extend(id.to_be_bytes());
        out.extend(self.epoch.to_be_bytes());
        out.extend(last.map_or(-1, |batch| batch.last_sequence).to_be_bytes());
        out.extend(last.map_or(-1, |batch| batch.last_offset).to_be_bytes());
        out.extend(last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        out.extend(self.last_timestamp.to_be_bytes());
        out.extend(self.coordinator_epoch.to_be_bytes());
        out.extend(self.transaction_first_offset.to_be_bytes());
    }

    /// Reads one entry of exactly [`SNAPSHOT_ENTRY`] bytes.
    fn read(entry: &[u8]) -> (i64, Producer) {
        let i64_at = |at: usize| i64::from_be_bytes(entry[at..at + 8].try_into().expect("eight bytes"));
        let i32_at = |at: usize| i32::from_be_bytes(entry[at..at + 4].try_into().expect("four bytes"));
        let epoch = i16::from_be_bytes([entry[8], entry[9]]);
        let (last_sequence, last_offset, offset_delta, timestamp) = (i32_at(10), i64_at(14), i32_at(22), i64_at(26));
        let remembered = RememberedBatch {
            first_sequence: first_sequence(last_sequence, offset_delta),
            last_sequence,
            last_offset,
            offset_delta,
            timestamp,
        };
        let producer = Producer {
            epoch,
            batches: if last_offset >= 0 { VecDeque::from([remembered]) } else { VecDeque::new() },
            last_timestamp: timestamp,
            coordinator_epoch: i32_at(34),
            transaction_first_offset: i64_at(38),
        };
        (i64_at(0), producer)
    }
}

/// Sequences go round from 2147483647 to 0.
fn first_sequence(last_sequence: i32, offset_delta: i32) -> i32 {
    let first = i64::from(last_sequence) - i64::from(offset_delta);
    i32::try_from(if first < 0 { first + (1 << 31) } else { first }).unwrap_or(0)
}

/// The error of a `.snapshot` that cannot be used; recovery goes on without it.
pub(in crate::storage) fn unusable(path: &std::path::Path) -> Error {
    Error::Damaged {
        path: path.to_owned(),
        position: 0,
        what: "the version, CRC or length of the snapshot is wrong".into(),
    }
}
