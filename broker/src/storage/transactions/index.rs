//! The `.txnindex` beside a segment: the aborted transactions that ended in it, in the order in which they ended.
//!
//! ```text
//!   34 bytes an entry:
//!   version i16 = 0 | producer id i64 | first offset i64 | last offset i64 (of the marker) | last stable offset i64
//! ```
//!
//! There is no file where none was aborted. As Kafka does, recovery believes that of a sealed segment. What a file *says* is
//! believed only of markers that are damaged in the log: the segment is walked, and the file written anew if it says
//! something else.

use super::Aborted;

const ENTRY: usize = 34;

/// What the file says; entries that cannot be are left out.
pub(in crate::storage) fn decode(file: &[u8]) -> Vec<Aborted> {
    let entry = |bytes: &[u8]| {
        let field = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let (producer_id, first_offset, last_offset, last_stable_offset) = (field(2), field(10), field(18), field(26));
        Aborted { producer_id, first_offset, last_offset, last_stable_offset }
    };
    let entries = file.chunks_exact(ENTRY).map(entry);
    entries.filter(|one| one.producer_id >= 0 && (0..one.last_offset).contains(&one.first_offset)).collect()
}

/// The content of the file.
pub(in crate::storage) fn encode(aborted: &[Aborted]) -> Vec<u8> {
    let mut file = Vec::with_capacity(aborted.len() * ENTRY);
    for one in aborted {
        file.extend(0i16.to_be_bytes());
        for field in [one.producer_id, one.first_offset, one.last_offset, one.last_stable_offset] {
            file.extend(field.to_be_bytes());
        }
    }
    file
}
