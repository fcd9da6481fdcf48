//! How far one partition was read: which of the records in an answer are new, and which were never committed.

use std::collections::BTreeSet;

use anyhow::bail;
use bytes::Bytes;
use cutaway::config::limits::MAX_DECOMPRESSED_BATCH_BYTES;
use cutaway::storage::batch::BatchHeader;
use cutaway::storage::record::{Record, records};
use kafka_protocol::messages::fetch_response::AbortedTransaction;

/// `ControlRecordType.ABORT`, in the key of a control record behind two bytes of version.
const ABORT: [u8; 2] = [0, 0];

/// Reading one partition.
#[derive(Debug)]
pub(super) struct Progress {
    /// The offset of the next record to read.
    pub(super) next: i64,
    /// Everything up to the end was read, and that was said.
    pub(super) is_at_end: bool,
}

impl Progress {
    /// Nothing was read yet.
    pub(super) fn at(next: i64) -> Progress {
        Progress { next, is_at_end: false }
    }

    /// Visits the new records of an answer until it holds no more, or `visit` says that it is enough.
    pub(super) fn read(
        &mut self,
        mut bytes: Bytes,
        aborted: &[AbortedTransaction],
        mut visit: impl FnMut(&BatchHeader, Record) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let mut transactions = Aborted::new(aborted);
        while let Some(batch) = next_batch(&mut bytes)? {
            let header = BatchHeader::parse(batch.first_chunk().unwrap_or(&[0; BatchHeader::SIZE]));
            let is_hidden = transactions.hides(&header, &batch);
            if !is_hidden {
                for record in records(batch, MAX_DECOMPRESSED_BATCH_BYTES) {
                    let Ok(record) = record else {
                        bail!("the batch at offset {} cannot be read; its broker can say more", header.base_offset);
                    };
                    // A batch may begin before the offset that was asked for.
                    if record.offset < self.next {
                        continue;
                    }
                    self.next = record.offset + 1;
                    if !visit(&header, record)? {
                        return Ok(());
                    }
                }
            }
            // Compaction may have taken the last records of a batch, and control batches hold none to show.
            self.next = self.next.max(header.last_offset() + 1);
        }
        Ok(())
    }
}

/// Takes the next whole batch; an answer may end in the middle of one.
fn next_batch(bytes: &mut Bytes) -> anyhow::Result<Option<Bytes>> {
    let Some(header) = bytes.first_chunk().map(BatchHeader::parse) else { return Ok(None) };
    if header.magic != 2 {
        bail!(
            "the records at offset {} have the format of a Kafka before 0.11, which is not read here",
            header.base_offset
        );
    }
    let Some(size) = header.total_size().filter(|size| *size <= bytes.len()) else { return Ok(None) };
    Ok(Some(bytes.split_to(size)))
}

/// Which batches belong to transactions that were aborted, as the broker lists them.
#[derive(Debug)]
struct Aborted<'a> {
    /// By first offset, the last first.
    ahead: Vec<&'a AbortedTransaction>,
    /// Producers whose aborted transaction has begun and not ended.
    open: BTreeSet<i64>,
}

impl<'a> Aborted<'a> {
    fn new(aborted: &'a [AbortedTransaction]) -> Aborted<'a> {
        let mut ahead: Vec<&AbortedTransaction> = aborted.iter().collect();
        ahead.sort_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Aborted { ahead, open: BTreeSet::new() }
    }

    /// Whether a batch is not to be shown: control batches never are.
    fn hides(&mut self, header: &BatchHeader, batch: &Bytes) -> bool {
        while self.ahead.last().is_some_and(|transaction| transaction.first_offset <= header.last_offset()) {
            self.open.extend(self.ahead.pop().map(|transaction| transaction.producer_id.0));
        }
        if header.is_control() {
            let first = records(batch.clone(), MAX_DECOMPRESSED_BATCH_BYTES).next().and_then(Result::ok);
            let key = first.and_then(|record| record.key);
            if key.is_some_and(|key| key.get(2..4) == Some(&ABORT[..])) {
                self.open.remove(&header.producer_id);
            }
            return true;
        }
        header.is_transactional() && self.open.contains(&header.producer_id)
    }
}

#[cfg(test)]
mod tests {
    use cutaway::storage::batch::{BatchBuilder, Compression};

    use super::*;

    fn batch(offset: i64, producer: i64, values: &[&str]) -> Vec<u8> {
        let mut builder =
            BatchBuilder::new(Compression::Lz4).at_offset(offset).from_producer(producer, 0, 0).transactional();
        values.iter().for_each(|value| builder.push(0, None, Some(value.as_bytes()), &[]));
        builder.build().bytes().to_vec()
    }

    fn marker(offset: i64, producer: i64, kind: u8) -> Vec<u8> {
        let builder = BatchBuilder::new(Compression::None).at_offset(offset).from_producer(producer, 0, -1);
        let mut builder = builder.transactional().control();
        builder.push(0, Some(&[0, 0, 0, kind]), Some(&[0; 6]), &[]);
        builder.build().bytes().to_vec()
    }

    fn read(progress: &mut Progress, bytes: Vec<u8>, aborted: &[AbortedTransaction]) -> Vec<String> {
        let mut seen = Vec::new();
        let visit = |_: &BatchHeader, record: Record| {
            seen.push(String::from_utf8_lossy(&record.value.unwrap_or_default()).into_owned());
            Ok(true)
        };
        progress.read(bytes.into(), aborted, visit).expect("sound batches");
        seen
    }

    #[test]
    fn aborted_records_are_left_out_until_their_marker() {
        let aborted = [AbortedTransaction::default().with_producer_id(7.into()).with_first_offset(1)];
        let bytes = [
            batch(0, 7, &["before"]),
            batch(1, 7, &["aborted"]),
            batch(2, 8, &["other"]),
            marker(3, 7, 0),
            batch(4, 7, &["after"]),
            marker(5, 7, 1),
        ]
        .concat();
        let mut progress = Progress::at(0);
        assert_eq!(read(&mut progress, bytes.clone(), &aborted), ["before", "other", "after"]);
        assert_eq!(progress.next, 6);
        assert_eq!(read(&mut Progress::at(0), bytes, &[]), ["before", "aborted", "other", "after"]);
    }

    #[test]
    fn reading_begins_within_a_batch_and_ends_before_a_torn_one() {
        let whole = batch(0, 7, &["a", "b", "c"]);
        let torn = batch(3, 7, &["d"]);
        let mut progress = Progress::at(1);
        assert_eq!(read(&mut progress, [&whole[..], &torn[..torn.len() - 1]].concat(), &[]), ["b", "c"]);
        assert_eq!(progress.next, 3);
        assert_eq!(read(&mut progress, torn, &[]), ["d"]);
    }
}
