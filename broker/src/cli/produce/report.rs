//! Says on stderr where records went, and prints it for programs.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use cutaway::clock;
use serde_json::json;

use super::batches::Batch;
use super::options::ProduceOptions;
use crate::cli::output::OutputClosed;
use crate::cli::{output, say};

/// So many records are told of one by one, unless all of them are asked for; a summary follows.
const TOLD: u64 = 10;

/// What was sent so far.
#[derive(Debug)]
pub(super) struct Report {
    topic: String,
    is_told: bool,
    is_all_told: bool,
    is_json: bool,
    count: u64,
    /// Partition → records, first and last offset.
    partitions: BTreeMap<i32, (u64, i64, i64)>,
}

impl Report {
    /// Nothing was sent.
    pub(super) fn new(options: &ProduceOptions) -> Report {
        let records = &options.records;
        Report {
            topic: options.topic.clone(),
            is_told: records.verbose || !records.quiet && !options.json && std::io::stderr().is_terminal(),
            is_all_told: records.verbose,
            is_json: options.json,
            count: 0,
            partitions: BTreeMap::new(),
        }
    }

    /// How many records were sent.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// A batch was stored from this offset on; `None` where the broker does not say.
    pub(super) fn sent(&mut self, batch: &Batch, base_offset: Option<i64>) -> anyhow::Result<()> {
        let partition = batch.partition;
        for (index, record) in batch.records.iter().enumerate() {
            let offset = base_offset.zip(i64::try_from(index).ok()).map(|(base, index)| base + index);
            self.count += 1;
            if self.is_told && (self.is_all_told || self.count <= TOLD) {
                let place = offset.map_or_else(|| "sent, not acknowledged".to_owned(), |it| format!("offset {it}"));
                say(format_args!("{} [{partition}] {place}", self.topic));
            }
            if self.is_json {
                let printed = output::json(&json!({
                    "topic": self.topic, "partition": partition, "offset": offset,
                    "timestamp": clock::rfc3339(record.timestamp),
                }));
                match printed {
                    // Whoever reads no more has not asked for the rest to be left unsent.
                    Err(error) if error.is::<OutputClosed>() => self.is_json = false,
                    printed => printed?,
                }
            }
            let entry = self.partitions.entry(partition).or_insert((0, offset.unwrap_or(-1), -1));
            *entry = (entry.0 + 1, entry.1, offset.unwrap_or(-1));
        }
        Ok(())
    }

    /// Sums up, where not everything was told.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        if self.is_told && !self.is_all_told && self.count > TOLD {
            say(format_args!("{} to {}:", output::count(self.count, "record"), self.topic));
            for (partition, (count, first, last)) in &self.partitions {
                let offsets = if *last < 0 { String::new() } else { format!(", offsets {first} to {last}") };
                say(format_args!("  [{partition}] {}{offsets}", output::count(count, "record")));
            }
        }
        Ok(())
    }
}
