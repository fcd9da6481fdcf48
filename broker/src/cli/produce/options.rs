//! What can be written after `cutaway produce`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::client::BrokerOptions;
use crate::cli::escapes::delimiter;

/// How to produce.
#[derive(Clone, Debug)]
pub(crate) struct ProduceOptions {
    pub(crate) topic: String,
    pub(crate) broker: BrokerOptions,
    pub(crate) json: bool,
    pub(crate) records: RecordOptions,
}

/// What can be written.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProduceArguments {
    /// The topic, as kcat has it; without this the first word is the topic, and files come after it.
    #[arg(short, long, value_name = "TOPIC", required_unless_present = "files")]
    topic: Option<String>,
    #[command(flatten)]
    broker: BrokerOptions,
    /// Print where each record went, as a JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    records: RecordOptions,
}

impl ProduceArguments {
    /// What is meant.
    pub(crate) fn into_options(self) -> ProduceOptions {
        let ProduceArguments { topic, broker, json, mut records } = self;
        let topic = topic.unwrap_or_else(|| records.files.remove(0).to_string_lossy().into_owned());
        ProduceOptions { topic, broker, json, records }
    }
}

/// The same after `cutaway topics`, as rpk has it.
#[derive(Args, Clone, Debug)]
pub(crate) struct TopicProduceOptions {
    /// The topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    #[command(flatten)]
    records: RecordOptions,
}

impl TopicProduceOptions {
    /// As if they had been written after `cutaway produce`.
    pub(crate) fn into_options(self, broker: BrokerOptions, json: bool) -> ProduceOptions {
        ProduceOptions { topic: self.topic, broker, json, records: self.records }
    }
}

/// What becomes a record, and how it is sent.
#[derive(Args, Clone, Debug)]
pub(crate) struct RecordOptions {
    /// What stands between key and value in a line: any text, \t and \xNN too. A line without it has no key.
    #[arg(short = 'K', long, value_name = "DELIMITER", value_parser = delimiter_bytes)]
    pub(crate) key_delimiter: Option<Delimiter>,
    /// The key of records that have none of their own.
    #[arg(short, long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// A header of every record; may be given again. Without `=` its value is null.
    #[arg(short = 'H', long, value_name = "NAME=VALUE", value_parser = header)]
    pub(crate) header: Vec<Header>,
    /// The partition; otherwise the key decides as in Java, and records without one stay together for a while.
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-1..))]
    pub(crate) partition: Option<i32>,
    /// How batches are compressed: none, gzip, snappy, lz4 or zstd.
    #[arg(short = 'z', long, value_name = "CODEC")]
    pub(crate) compression: Option<String>,
    /// A setting of the producer, by Kafka's name: acks, batch.size, linger.ms, …
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    pub(crate) properties: Vec<String>,
    /// Empty keys and values become null; a null value is a tombstone in a compacted topic.
    #[arg(short = 'Z', long)]
    pub(crate) null: bool,
    /// Each line of a file is a record, rather than the whole file.
    #[arg(short, long, requires = "files")]
    pub(crate) lines: bool,
    /// Say where each record went, even if stderr is no terminal and there are many.
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Do not say where records went.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Files to read instead of stdin; each is one record, as in kcat, unless -l is given.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// The bytes of a delimiter.
#[derive(Clone, Debug)]
pub(crate) struct Delimiter(pub(crate) Vec<u8>);

/// A header's name and value.
pub(crate) type Header = (String, Option<String>);

fn delimiter_bytes(text: &str) -> Result<Delimiter, String> {
    delimiter(text).map(Delimiter)
}

fn header(text: &str) -> Result<Header, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        Err("must be NAME=VALUE, or NAME alone for null".into())
    } else {
        Ok((name.to_owned(), value))
    }
}
