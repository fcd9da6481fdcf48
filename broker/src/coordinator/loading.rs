//! What a partition of `__consumer_offsets` tells when it is read from its beginning: the shard that wrote it.

use std::collections::HashSet;

use bytes::Bytes;

use super::record::Record;
use super::{Rules, Shard};
use crate::clock::TimestampMs;
use crate::config::limits::MAX_DECOMPRESSED_BATCH_BYTES;
use crate::storage::batch::BatchHeader;
use crate::storage::log::AbortedTransaction;
use crate::storage::{self, record};
use crate::topics::{Isolation, Partition};

/// How much is read at a time.
const READ_BYTES: u32 = 1024 * 1024;

/// What was read of a partition.
pub(super) struct Loaded {
    pub(super) shard: Shard,
    /// Nothing was passed over: the log has nothing to tell that the shard does not know.
    pub(super) is_complete: bool,
}

/// Reads all records. What cannot be read is passed over, and told in the log. Blocks.
pub(super) fn load(partition: &Partition, rules: Rules, now_ms: TimestampMs) -> Loaded {
    let mut shard = Shard::new(rules);
    let (mut offset, mut skipped) = (partition.log_start_offset(), Skipped::default());
    let mut is_complete = true;
    // Of transactions that are open nothing is known yet.
    while offset < partition.last_stable_offset() {
        offset = match read(partition, offset, &mut shard, &mut skipped, now_ms) {
            Ok(Some(next)) => next,
            Ok(None) => break,
            Err(error) => {
                is_complete = false;
                let next = partition.behind_damage(offset).filter(|next| *next > offset);
                let until = next.map_or("the end".to_owned(), |next| format!("offset {next}"));
                tracing::error!(
                    "groups and offsets of {} from offset {offset} to {until} are not known: {error}",
                    partition.id()
                );
                match next {
                    Some(next) => next,
                    None => break,
                }
            }
        };
    }
    skipped.tell(partition);
    shard.begin(now_ms);
    Loaded { shard, is_complete: is_complete && skipped.count == 0 }
}

/// Records that were passed over.
#[derive(Default)]
struct Skipped {
    count: u64,
    first: Option<(i64, String)>,
}

impl Skipped {
    fn add(&mut self, offset: i64, why: String) {
        self.count += 1;
        self.first.get_or_insert((offset, why));
    }

    fn tell(&self, partition: &Partition) {
        if let Some((offset, why)) = &self.first {
            let (count, id) = (self.count, partition.id());
            tracing::warn!(
                "{count} records of {id} are not understood and passed over; the first is at offset {offset}: {why}"
            );
        }
    }
}

/// Takes in what stands from an offset on; gives the offset behind it.
fn read(
    partition: &Partition,
    offset: i64,
    shard: &mut Shard,
    skipped: &mut Skipped,
    now_ms: TimestampMs,
) -> storage::Result<Option<i64>> {
    let read = partition.read(offset, Isolation::ReadCommitted, READ_BYTES, true)?;
    let Some(range) = read.range else { return Ok(None) };
    let mut bytes = vec![0; range.length as usize];
    let count = range.file.read_at(range.position, &mut bytes)?;
    bytes.truncate(count);
    let aborted = read.aborted.unwrap_or_default();
    let (mut bytes, mut next, mut within) = (Bytes::from(bytes), None, HashSet::new());
    while let Some(batch) = next_batch(&mut bytes) {
        let header = BatchHeader::parse(batch[..BatchHeader::SIZE].try_into().expect("a batch has a header"));
        next = Some(header.last_offset() + 1);
        if !is_aborted(&header, &aborted, &mut within) && !header.is_control() {
            take_in(batch, offset, shard, skipped, now_ms);
        }
    }
    Ok(next)
}

/// The next whole batch; what was read may end in the middle of one.
fn next_batch(bytes: &mut Bytes) -> Option<Bytes> {
    let header = BatchHeader::parse(bytes.get(..BatchHeader::SIZE)?.try_into().ok()?);
    let size = header.total_size().filter(|size| *size <= bytes.len())?;
    Some(bytes.split_to(size))
}

/// Whether a batch belongs to a transaction that was aborted, as consumers work it out: from its first offset on, until
/// its marker.
fn is_aborted(header: &BatchHeader, aborted: &[AbortedTransaction], within: &mut HashSet<i64>) -> bool {
    let producer_id = header.producer_id;
    let begun = |one: &&AbortedTransaction| one.producer_id == producer_id && one.first_offset <= header.last_offset();
    if header.is_control() {
        within.remove(&producer_id);
        return false;
    }
    if header.is_transactional() && aborted.iter().any(|one| begun(&one)) {
        within.insert(producer_id);
    }
    header.is_transactional() && within.contains(&producer_id)
}

fn take_in(batch: Bytes, from: i64, shard: &mut Shard, skipped: &mut Skipped, now_ms: TimestampMs) {
    for record in record::records(batch, MAX_DECOMPRESSED_BATCH_BYTES) {
        match record {
            // The batch may have begun before what was asked for.
            Ok(record) if record.offset < from => {}
            Ok(record) => match record.key.map(|key| Record::decode(key, record.value)) {
                Some(Ok(known)) => shard.replay(known, now_ms),
                Some(Err(why)) => skipped.add(record.offset, why.to_string()),
                None => skipped.add(record.offset, "it has no key".to_owned()),
            },
            Err(why) => skipped.add(from, why.to_string()),
        }
    }
}
