//! `cutaway produce`: lines of stdin, or of files, become records of a topic.
//!
//! A thread reads ([`input`]); what it read is put into batches by partition ([`batches`], [`partitioner`]); when a
//! batch is full, or nothing comes for `linger.ms`, all of them go out ([`sender`]), and what became of them is told
//! ([`report`]). While one request is on its way the thread reads on, so that a big pipe is fast.

mod batches;
mod input;
mod options;
mod partitioner;
mod report;
mod sender;
mod settings;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use cutaway::clock::Clock;
use cutaway::config::limits::CLIENT_TOPIC_TIMEOUT_MS;
use kafka_protocol::ResponseError;

use super::client::{Client, check};
use super::{Mistake, converse_until_interrupt, say};
use batches::Batches;
pub(crate) use options::{ProduceArguments, ProduceOptions, TopicProduceOptions};
use partitioner::Partitioner;
use report::Report;
use sender::Sender;
use settings::ProducerSettings;

/// Between two looks for a topic that is being created.
const TOPIC_PAUSE: Duration = Duration::from_millis(100);

/// Sends everything that there is to read.
pub(crate) fn run(options: ProduceOptions) -> anyhow::Result<ExitCode> {
    let settings = ProducerSettings::read(&options.records).map_err(Mistake::usage)?;
    converse_until_interrupt(async {
        let mut client = Client::connect(&options.broker, &settings.client_id).await?;
        let partitions = partitions(&mut client, &options.topic).await?;
        let partitioner = Partitioner::new(&options.topic, options.records.partition, partitions)?;
        let mut batches = Batches::new(partitioner, settings.batch_bytes);
        let mut report = Report::new(&options);
        let mut sender = Sender::new(client, &options, settings.clone()).await?;
        if options.records.files.is_empty() && !options.records.quiet && std::io::stdin().is_terminal() {
            say(format_args!("each line becomes a record of {}; Ctrl-D ends", options.topic));
        }
        let mut input = input::start(&options.records, sender.clock().clone());
        loop {
            let gathered = gather(&mut input, &mut batches, sender.clock(), settings.linger).await?;
            while let Some(wave) = batches.take(gathered == Gathered::Full) {
                sender.send(wave, &mut report).await?;
            }
            if gathered == Gathered::All {
                break;
            }
        }
        report.finish()?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Why no more is put into batches for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gathered {
    /// A batch is full.
    Full,
    /// What there is has waited long enough.
    Enough,
    /// There is no more to read.
    All,
}

/// Puts what was read into batches.
async fn gather(
    input: &mut input::Input,
    batches: &mut Batches,
    clock: &Clock,
    linger: Duration,
) -> anyhow::Result<Gathered> {
    let over = clock.sleep(linger);
    tokio::pin!(over);
    while !batches.is_full() {
        tokio::select! {
            biased;
            records = input.recv() => match records {
                Some(records) => records?.into_iter().for_each(|record| batches.push(record)),
                None => return Ok(Gathered::All),
            },
            () = &mut over, if !batches.is_empty() => return Ok(Gathered::Enough),
        }
    }
    Ok(Gathered::Full)
}

/// The number of the topic's partitions. A topic that is missing is created by the broker, if its settings say so.
async fn partitions(client: &mut Client, name: &str) -> anyhow::Result<i32> {
    let clock = client.clock().clone();
    let start = clock.instant();
    loop {
        let topic = client.topic(name, true).await?;
        match check(&format!("cannot produce to {name}"), topic.error_code, None) {
            Ok(()) => return i32::try_from(topic.partitions.len()).context("more partitions than can be counted"),
            Err(failure) if !failure.is_passing() => return Err(failure.into()),
            Err(_) if clock.elapsed_since(start) < Duration::from_millis(CLIENT_TOPIC_TIMEOUT_MS) => {
                clock.sleep(TOPIC_PAUSE).await;
            }
            Err(_) if topic.error_code == ResponseError::UnknownTopicOrPartition.code() => bail!(
                "there is no topic {name}, and the broker creates none by itself (auto.create.topics.enable=false); \
                 make it with: cutaway topics create {name}"
            ),
            Err(failure) => return Err(failure.into()),
        }
    }
}
