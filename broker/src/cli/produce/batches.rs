//! Records on their way into batches, one queue for each partition.

use std::collections::{BTreeMap, VecDeque};

use super::input::NewRecord;
use super::partitioner::Partitioner;

/// What a record needs besides key, value and headers: lengths, deltas, attributes.
const RECORD_OVERHEAD: usize = 24;

/// How much goes out in one request.
const WAVE_BYTES: usize = 8 * 1024 * 1024;

/// Records of one partition that are sent together.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) partition: i32,
    pub(super) records: Vec<NewRecord>,
}

/// Everything that waits to be sent.
#[derive(Debug)]
pub(super) struct Batches {
    partitioner: Partitioner,
    max_bytes: usize,
    queues: BTreeMap<i32, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Batch>,
    /// The size of the last one.
    open_bytes: usize,
}

impl Batches {
    /// With batches up to a size.
    pub(super) fn new(partitioner: Partitioner, max_bytes: usize) -> Batches {
        Batches { partitioner, max_bytes, queues: BTreeMap::new() }
    }

    /// Puts a record at the end of its partition's queue.
    pub(super) fn push(&mut self, record: NewRecord) {
        let size = record.size() + RECORD_OVERHEAD;
        let partition = self.partitioner.partition(record.key.as_deref(), size);
        let queue = self.queues.entry(partition).or_default();
        if queue.batches.is_empty() || queue.open_bytes + size > self.max_bytes {
            queue.batches.push_back(Batch { partition, records: Vec::new() });
            queue.open_bytes = 0;
        }
        queue.open_bytes += size;
        if let Some(open) = queue.batches.back_mut() {
            open.records.push(record);
        }
    }

    /// Whether a batch is as large as it may be, so that waiting for more records gains nothing.
    pub(super) fn is_full(&self) -> bool {
        self.queues.values().any(|queue| queue.batches.len() > 1)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.values().all(|queue| queue.batches.is_empty())
    }

    /// The next batch of each partition, as much as goes into one request: full ones only, or all; `None` when none is
    /// left.
    pub(super) fn take(&mut self, only_full: bool) -> Option<Vec<Batch>> {
        let mut wave = Vec::new();
        let mut bytes = 0;
        for queue in self.queues.values_mut() {
            if bytes >= WAVE_BYTES {
                break;
            }
            if only_full && queue.batches.len() < 2 {
                continue;
            }
            if let Some(batch) = queue.batches.pop_front() {
                bytes += batch.records.iter().map(NewRecord::size).sum::<usize>();
                wave.push(batch);
            }
        }
        (!wave.is_empty()).then_some(wave)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::cli::produce::input::Source;

    #[test]
    fn batches_keep_their_order_and_size() {
        let partitioner = Partitioner::new("t", Some(0), 1).expect("legal");
        let mut batches = Batches::new(partitioner, 2 * (RECORD_OVERHEAD + 1));
        for number in 0..5u8 {
            let value = Some(Bytes::copy_from_slice(&[number]));
            batches.push(NewRecord { key: None, value, timestamp: 0, source: Source::Line(number.into()) });
        }
        assert!(batches.is_full() && !batches.is_empty());
        let mut numbers = |only_full| {
            let wave = batches.take(only_full)?;
            Some(wave[0].records.iter().map(|record| record.source).collect::<Vec<_>>())
        };
        assert_eq!(numbers(true), Some(vec![Source::Line(0), Source::Line(1)]));
        assert_eq!(numbers(true), Some(vec![Source::Line(2), Source::Line(3)]));
        assert_eq!(numbers(true), None);
        assert_eq!(numbers(false), Some(vec![Source::Line(4)]));
        assert!(batches.is_empty() && batches.take(false).is_none());
    }
}
