//! What a consumer sees of a partition, by the isolation level that it asks for.

use crate::storage::FileRange;
use crate::storage::log::AbortedTransaction;

/// Which records a consumer wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// All of them, up to the high watermark.
    ReadUncommitted,
    /// Those of finished transactions, up to the last stable offset.
    ReadCommitted,
}

impl Isolation {
    /// Which of the two ends is the readable one.
    pub(super) fn readable_end(self, high_watermark: i64, last_stable_offset: i64) -> i64 {
        match self {
            Isolation::ReadUncommitted => high_watermark,
            Isolation::ReadCommitted => last_stable_offset,
        }
    }
}

/// What one partition adds to a fetch.
#[derive(Clone, Debug)]
pub struct PartitionRead {
    /// All records below were acknowledged.
    pub high_watermark: i64,
    /// All records below belong to finished transactions.
    pub last_stable_offset: i64,
    /// The first offset that may be read.
    pub log_start_offset: i64,
    /// The records; `None` when there are none.
    pub range: Option<FileRange>,
    /// `None` for read_uncommitted.
    pub aborted: Option<Vec<AbortedTransaction>>,
}

impl PartitionRead {
    /// The offset below which this read saw everything that a consumer may see.
    pub fn readable_end(&self, isolation: Isolation) -> i64 {
        isolation.readable_end(self.high_watermark, self.last_stable_offset)
    }
}
