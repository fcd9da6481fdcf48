//! What writers were told, and whether it is true.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use bytes::Bytes;
use cutaway_tests::client::Client;

/// An acknowledgement.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) topic: &'static str,
    pub(crate) partition: i32,
    pub(crate) base_offset: i64,
    pub(crate) batch: Vec<u8>,
}

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    partitions: BTreeMap<(&'static str, i32), Page>,
}

/// What was acknowledged of one partition.
#[derive(Debug, Default)]
struct Page {
    /// By base offset.
    batches: BTreeMap<i64, Vec<u8>>,
    /// Below this everything was compared once.
    compared_to: i64,
    leader_epoch: i32,
}

/// Base offset, length and leader epoch, which the broker writes.
const BROKERS_BYTES: usize = 16;

impl Ledger {
    /// Writes down what a writer was told. An offset belongs to one batch for ever.
    pub(crate) fn note(&mut self, told: Told) -> anyhow::Result<()> {
        let page = self.partitions.entry((told.topic, told.partition)).or_default();
        if let Some(other) = page.batches.insert(told.base_offset, told.batch.clone()) {
            let place = format!("{}-{} at {}", told.topic, told.partition, told.base_offset);
            ensure!(other == told.batch, "{place}: the offset was given to two batches");
        }
        Ok(())
    }

    /// Compares what is new since the last time.
    pub(crate) fn check_new(&mut self, client: &mut Client) -> anyhow::Result<()> {
        for ((topic, partition), page) in &mut self.partitions {
            let from = page.compared_to;
            page.check(client, topic, *partition, from).with_context(|| format!("{topic}-{partition}"))?;
        }
        Ok(())
    }

    /// Compares everything.
    pub(crate) fn check_all(&mut self, client: &mut Client) -> anyhow::Result<()> {
        ensure!(!self.partitions.is_empty(), "nothing was acknowledged");
        for ((topic, partition), page) in &mut self.partitions {
            page.check(client, topic, *partition, 0).with_context(|| format!("{topic}-{partition}"))?;
        }
        Ok(())
    }
}

impl Page {
    fn check(&mut self, client: &mut Client, topic: &str, partition: i32, from: i64) -> anyhow::Result<()> {
        self.check_leader_epoch(client, topic, partition)?;
        let end = client.end_offset(topic, partition)?;
        let end = end.map_err(|code| anyhow::anyhow!("the end is not known: error {code}"))?;
        let highest = self.batches.last_key_value().map_or(-1, |(offset, batch)| offset + record_count(batch) - 1);
        ensure!(highest < end, "offset {highest} was acknowledged, but the log ends at {end}");
        let found = client.fetch_all_from(topic, partition, from)?;
        self.compare(&found, from, end)?;
        self.compared_to = end;
        Ok(())
    }

    /// It never goes backwards, or clients would take the broker for one that is behind.
    fn check_leader_epoch(&mut self, client: &mut Client, topic: &str, partition: i32) -> anyhow::Result<()> {
        let metadata = client.topic(topic)?;
        let mut partitions = metadata.partitions.iter();
        let found = partitions.find(|found| found.partition_index == partition).context("the partition is gone")?;
        let (before, now) = (self.leader_epoch, found.leader_epoch);
        ensure!(before <= now, "the leader epoch went from {before} back to {now}");
        self.leader_epoch = now;
        Ok(())
    }

    fn compare(&self, found: &[Bytes], from: i64, end: i64) -> anyhow::Result<()> {
        let (mut due, mut epoch, mut sequences) = (from, 0, BTreeSet::new());
        let mut by_offset = BTreeMap::new();
        for batch in found {
            let base_offset = i64::from_be_bytes(batch[..8].try_into()?);
            ensure!(base_offset == due, "after {due} comes {base_offset}");
            due = base_offset + record_count(batch);
            let found_epoch = i32::from_be_bytes(batch[12..16].try_into()?);
            ensure!(epoch <= found_epoch, "at {base_offset} the leader epoch goes from {epoch} back to {found_epoch}");
            epoch = found_epoch;
            let (producer_id, sequence) = (&batch[43..51], &batch[53..57]);
            let is_new = sequences.insert((producer_id, sequence));
            ensure!(is_new || producer_id == [0xff; 8], "a retry was appended once more at {base_offset}");
            by_offset.insert(base_offset, batch);
        }
        ensure!(due == end, "the records end at {due}, the log at {end}");
        for (offset, sent) in self.batches.range(from..) {
            let found = by_offset.get(offset).with_context(|| format!("what was acknowledged at {offset} is gone"))?;
            ensure!(found[BROKERS_BYTES..] == sent[BROKERS_BYTES..], "at {offset} stand other bytes than were sent");
        }
        Ok(())
    }
}

fn record_count(batch: &[u8]) -> i64 {
    let last_offset_delta = batch[23..27].try_into().map(i32::from_be_bytes).expect("four bytes");
    i64::from(last_offset_delta) + 1
}
