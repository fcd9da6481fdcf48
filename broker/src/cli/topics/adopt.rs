//! `cutaway topics adopt`: takes over topics that a real Kafka wrote. The one command here that is no client: it works on
//! the data folder of a broker that is stopped.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use cutaway::clock::Clock;
use cutaway::journal::Journal;
use cutaway::names::Principal;
use cutaway::storage::disk::Disk;
use cutaway::topics::{Adopted, LOCK_FILE, Offer, Partition, Topics};
use serde::Serialize;
use serde_json::json;

use super::options::AdoptOptions;
use crate::cli::arguments::environment;
use crate::cli::banner::{self, shell_word};
use crate::cli::client::BrokerOptions;
use crate::cli::{converse_until_interrupt, output, say};

/// Nobody looks at what is recorded here.
const JOURNAL_BYTES: usize = 64 * 1024;

/// One partition as it is served now.
#[derive(Debug, Serialize)]
struct Shown {
    partition: i32,
    start_offset: i64,
    end_offset: i64,
    size_bytes: u64,
    aborted_transactions: usize,
    open_transactions: Vec<OpenTransaction>,
    /// What was found wrong.
    findings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct OpenTransaction {
    producer_id: i64,
    first_offset: i64,
}

/// Takes over all topics in the folders.
pub(super) fn run(options: &AdoptOptions, broker: &BrokerOptions, as_json: bool) -> anyhow::Result<ExitCode> {
    if broker.is_named() {
        bail!("adopting asks no broker: leave -b away, and name the data folder of the stopped one with --data");
    }
    let config = options.folder.settings(environment())?.resolve()?;
    let (disk, folder) = (Disk::default(), config.log_dir.clone());
    refuse_running(&disk, &folder)?;
    let mut offer = Offer::of(&disk, &options.folders)?;
    let shown = shell_word(&folder);
    let whole = if disk.is_dir(&folder) { disk.resolve(&folder)? } else { folder.clone() };
    if offer.topics.iter().flat_map(|topic| topic.partitions.values()).any(|one| one.dir.parent() == Some(&whole)) {
        bail!("{shown} is the data folder itself; what lies in it is served without being adopted");
    }
    for name in &offer.internal {
        say(format_args!("{} {name} is left out: it holds for the broker that wrote it", note()));
    }
    if options.topic_config.is_empty() {
        say(format_args!(
            "{} settings that the topics had of their own are in Kafka's metadata, which is not read; give those that matter \
             with --topic-config",
            note()
        ));
    }
    for topic in &mut offer.topics {
        topic.configs = options.topic_config.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        topic.abort_open = options.abort_open_transactions;
    }
    let sources = || offer.topics.iter().flat_map(|topic| topic.partitions.values());
    let (count, bytes) = (sources().count(), sources().map(|source| source.bytes).sum());
    say(format_args!("copying {} ({}) to {shown}", output::count(count, "partition"), output::bytes(bytes)));
    converse_until_interrupt(async {
        let clock = Clock::system();
        let journal = Journal::new(clock.clone(), JOURNAL_BYTES);
        let topics = Topics::open(disk, clock, Arc::new(config), journal)?;
        let adopted = topics.adopt(&Principal::anonymous(), offer.topics.clone()).await;
        // What was there before must be closed in good order, too.
        let closed = topics.close().await;
        let adopted = adopted.map_err(|why| anyhow::Error::new(why).context("nothing was adopted"))?;
        adopted.iter().try_for_each(|one| show(one, as_json))?;
        closed.context("they are adopted, but not everything could be written at the end; the next start recovers")?;
        if !as_json {
            say(format_args!("this serves them: cutaway --data {shown}"));
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn refuse_running(disk: &Disk, folder: &Path) -> anyhow::Result<()> {
    let (lock, shown) = (folder.join(LOCK_FILE), shell_word(folder));
    if disk.exists(&lock) && disk.try_lock_existing(&lock)?.is_none() {
        bail!("a broker is running on {shown}; stop it first: cutaway stop --data {shown}");
    }
    Ok(())
}

fn show(adopted: &Adopted, as_json: bool) -> anyhow::Result<()> {
    let topic = &adopted.topic;
    let partitions: Vec<Shown> = topic.partitions.iter().map(|one| Shown::of(one, adopted)).collect();
    if as_json {
        let (name, id) = (topic.name.to_string(), topic.id.to_string());
        return output::json(&json!({ "name": name, "id": id, "adopted": true, "partitions": partitions }));
    }
    output::line(format_args!("{}  adopted, {}", topic.name, output::count(partitions.len(), "partition")))?;
    for one in &partitions {
        let (number, start, end) = (one.partition, one.start_offset, one.end_offset);
        let mut line =
            format!("  {}-{number}  offsets {start} to {end}, {}", topic.name, output::bytes(one.size_bytes));
        if one.aborted_transactions > 0 {
            line.push_str(&format!(", {}", output::count(one.aborted_transactions, "aborted transaction")));
        }
        output::line(line)?;
        for OpenTransaction { producer_id, first_offset } in &one.open_transactions {
            say(format_args!(
                "{} in {}-{number} a transaction of producer {producer_id} is open since offset {first_offset}: consumers \
                 with isolation.level=read_committed get nothing from there on. To end it, delete the topic and adopt it \
                 again with --abort-open-transactions",
                note(),
                topic.name
            ));
        }
        one.findings.iter().for_each(|finding| say(format_args!("{} {finding}", note())));
    }
    Ok(())
}

fn note() -> impl std::fmt::Display {
    banner::paint("note:", banner::NOTE)
}

impl Shown {
    fn of(partition: &Partition, adopted: &Adopted) -> Shown {
        let producers = partition.active_producers().unwrap_or_default();
        let open = producers.iter().filter(|producer| producer.transaction_first_offset >= 0).map(|producer| {
            OpenTransaction { producer_id: producer.id, first_offset: producer.transaction_first_offset }
        });
        let own = adopted.findings.iter().filter(|(id, _)| id == partition.id());
        Shown {
            partition: partition.id().partition,
            start_offset: partition.log_start_offset(),
            end_offset: partition.log_end_offset(),
            size_bytes: partition.size(),
            aborted_transactions: partition.aborted_transactions(),
            open_transactions: open.collect(),
            findings: own.map(|(_, finding)| format!("{}: {}", finding.file.display(), finding.sentence)).collect(),
        }
    }
}
