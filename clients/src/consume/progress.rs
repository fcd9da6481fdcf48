//! What was read and counted, up to which offsets, and what is still to be written.

use std::collections::BTreeMap;

use crate::tally::Tally;

/// Where a partition was read up to.
#[derive(Clone, Copy, Debug)]
struct Reached {
    next: i64,
    newest_ms: i64,
}

/// Counts that are not written yet, and the offsets that may be stored when they are.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) counts: Tally,
    pub(super) next: BTreeMap<i32, i64>,
}

/// How far a consumer is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) read: u64,
    /// Read a second time, after the partition came back: counted already, and not again.
    pub(super) again: u64,
    /// Without a type, or no event at all.
    pub(super) uncounted: u64,
    /// Written to where the counters are.
    pub(super) written: Tally,
    pub(super) batch: Batch,
    reached: BTreeMap<i32, Reached>,
}

impl Progress {
    /// Takes note of a record; true when it was read before.
    ///
    /// Two records at one offset are the same one if the later one is no newer than all before; otherwise the topic was
    /// deleted and created again, and its offsets begin anew.
    pub(super) fn read(&mut self, partition: i32, offset: i64, timestamp_ms: i64) -> bool {
        self.read += 1;
        self.batch.next.insert(partition, offset + 1);
        let reached = self.reached.entry(partition).or_insert(Reached { next: offset, newest_ms: i64::MIN });
        let is_again = offset < reached.next && timestamp_ms <= reached.newest_ms;
        if is_again {
            self.again += 1;
        } else {
            reached.next = offset + 1;
            reached.newest_ms = reached.newest_ms.max(timestamp_ms);
        }
        is_again
    }

    /// Takes the batch that is to be written.
    pub(super) fn take_batch(&mut self) -> Batch {
        Batch { counts: self.batch.counts.take(), next: std::mem::take(&mut self.batch.next) }
    }

    /// Gives back a batch that could not be written.
    pub(super) fn give_back(&mut self, batch: Batch) {
        self.batch.counts.add_all(&batch.counts);
        for (partition, next) in batch.next {
            // What was read meanwhile lies further on.
            self.batch.next.entry(partition).or_insert(next);
        }
    }

    /// The next offset of each partition.
    pub(super) fn next(&self) -> BTreeMap<i32, i64> {
        self.reached.iter().map(|(partition, reached)| (*partition, reached.next)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_comes_again_is_known() {
        let mut progress = Progress::default();
        let again: Vec<_> = [(0, 5, 10), (0, 6, 12), (0, 7, 11), (0, 6, 12), (0, 7, 11), (0, 8, 9), (1, 0, 1)]
            .into_iter()
            .map(|(partition, offset, time)| progress.read(partition, offset, time))
            .collect();
        assert_eq!(again, [false, false, false, true, true, false, false]);
        assert_eq!((progress.read, progress.again), (7, 2));
        assert_eq!(progress.next(), BTreeMap::from([(0, 9), (1, 1)]));
    }

    #[test]
    fn a_topic_that_was_created_anew_is_counted_anew() {
        let mut progress = Progress::default();
        assert!(!progress.read(0, 100, 1000));
        assert!(!progress.read(0, 0, 2000), "a newer record at a lower offset");
        assert!(!progress.read(0, 1, 2000));
        assert_eq!(progress.next(), BTreeMap::from([(0, 2)]));
    }

    #[test]
    fn what_could_not_be_written_comes_with_what_follows() {
        let mut progress = Progress::default();
        progress.read(0, 0, 0);
        progress.batch.counts.add_one("edit");
        let batch = progress.take_batch();
        progress.read(0, 1, 0);
        progress.batch.counts.add_one("edit");
        progress.give_back(batch);
        assert_eq!(progress.batch.counts.sorted(), [("edit", 2)]);
        assert_eq!(progress.batch.next, BTreeMap::from([(0, 2)]));
    }
}
