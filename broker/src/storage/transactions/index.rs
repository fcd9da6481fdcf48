//! The `.txnindex` beside a segment: the aborted transactions that ended in it, in the order in which they ended.
//!
//! ```text
//!   34 bytes an entry:
//!   version i16 = 0 | producer id i64 | first offset i64 | last offset i64 (of the marker) | last stable offset i64
//! ```
//!
//! There is no file where none was aborted. As Kafka does, recovery believes that of a sealed segment; what a file *says*
//! is never believed: the segment is walked, and the file written anew if it says something else.

use super::Aborted;

const ENTRY: usize = 34;

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
