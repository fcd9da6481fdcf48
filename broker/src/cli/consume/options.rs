//! What can be written after `cutaway consume`.

use clap::Args;

use super::begin::Begin;
use super::format::Format;
use crate::cli::client::BrokerOptions;
use crate::cli::escapes::delimiter;

/// How to consume.
#[derive(Clone, Debug)]
pub(crate) struct ConsumeOptions {
    pub(crate) topic: String,
    pub(crate) broker: BrokerOptions,
    pub(crate) json: bool,
    pub(crate) records: RecordOptions,
}

/// What can be written.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConsumeArguments {
    /// The topic; one that is missing is waited for.
    #[arg(value_name = "TOPIC", required_unless_present = "named")]
    topic: Option<String>,
    /// The same, as kcat has it.
    #[arg(id = "named", short = 't', long = "topic", value_name = "TOPIC", conflicts_with = "topic")]
    named: Option<String>,
    #[command(flatten)]
    broker: BrokerOptions,
    /// Print each record as a JSON object on one line, as kcat does.
    #[arg(short = 'J', long, conflicts_with_all = ["format", "key_delimiter"])]
    json: bool,
    #[command(flatten)]
    records: RecordOptions,
}

impl ConsumeArguments {
    /// What is meant.
    pub(crate) fn into_options(self) -> ConsumeOptions {
        let topic = self.topic.or(self.named).unwrap_or_default();
        ConsumeOptions { topic, broker: self.broker, json: self.json, records: self.records }
    }
}

/// The same after `cutaway topics`, as rpk has it.
#[derive(Args, Clone, Debug)]
pub(crate) struct TopicConsumeOptions {
    /// The topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    #[command(flatten)]
    records: RecordOptions,
}

impl TopicConsumeOptions {
    /// As if they had been written after `cutaway consume`.
    pub(crate) fn into_options(self, broker: BrokerOptions, json: bool) -> ConsumeOptions {
        ConsumeOptions { topic: self.topic, broker, json, records: self.records }
    }
}

/// Which records, and how they are printed.
#[derive(Args, Clone, Debug)]
pub(crate) struct RecordOptions {
    /// As a member of this group, which shares the partitions among its members and goes on where it has come to: what was
    /// printed is committed. Ctrl-C commits and leaves.
    #[arg(short = 'G', long, value_name = "GROUP", conflicts_with = "partition", value_parser = group_name)]
    pub(crate) group: Option<String>,
    /// Where to begin: beginning, end, an offset, -N for the last N, or s@TIME for a time (RFC 3339, or milliseconds
    /// since 1970). In a group: where nothing is committed.
    #[arg(
        short, long, value_name = "OFFSET", default_value = "beginning", allow_hyphen_values = true, value_parser = Begin::parse
    )]
    pub(crate) offset: Begin,
    /// From the beginning, which is the default.
    #[arg(long, conflicts_with = "offset")]
    pub(crate) from_beginning: bool,
    /// Exit at the end instead of waiting for more.
    #[arg(short, long)]
    pub(crate) exit: bool,
    /// Exit after so many records.
    #[arg(short, long, alias = "max-messages", alias = "num", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// One partition; otherwise all.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: Option<i32>,
    /// How a record is printed: %k key, %s value, %h headers, %t topic, %p partition, %o offset, %T timestamp, %K and %S
    /// lengths, \n.
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    pub(crate) format: Option<Format>,
    /// Print the key in front of the value, with this between them.
    #[arg(short = 'K', long, value_name = "DELIMITER", value_parser = delimiter_bytes, conflicts_with = "format")]
    pub(crate) key_delimiter: Option<Delimiter>,
    /// Print null keys and values as NULL, to tell them from empty ones.
    #[arg(short = 'Z', long)]
    pub(crate) null: bool,
    /// A setting of the consumer, by Kafka's name: isolation.level, fetch.max.wait.ms, …
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    pub(crate) properties: Vec<String>,
    /// Do not say on stderr where partitions end.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

fn group_name(text: &str) -> Result<String, String> {
    let longest = usize::try_from(i16::MAX).unwrap_or_default();
    if text.len() > longest {
        return Err(format!("has {} bytes, and no request can hold more than {longest}", text.len()));
    }
    Ok(text.to_owned())
}

/// The bytes of a delimiter.
#[derive(Clone, Debug)]
pub(crate) struct Delimiter(pub(crate) Vec<u8>);

fn delimiter_bytes(text: &str) -> Result<Delimiter, String> {
    delimiter(text).map(Delimiter)
}
