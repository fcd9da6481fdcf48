//! What can be written after `cutaway topics`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::arguments::FolderOptions;
use crate::cli::client::BrokerOptions;
use crate::cli::consume::TopicConsumeOptions;
use crate::cli::produce::TopicProduceOptions;

const ADOPT_HELP: &str = "\
Both brokers must be stopped. Every batch is checked on the way. All topics are
taken over or none, also when this command is killed. What brokers keep for
themselves (__consumer_offsets and the like) is left out.

Examples:
  cutaway topics adopt /var/lib/kafka/data/orders-0 /var/lib/kafka/data/orders-1
  cutaway topics adopt /var/lib/kafka/data --topic-config retention.ms=-1
  cutaway                                    # serves them
";

/// Which broker, how to answer, and what to do.
#[derive(Args, Clone, Debug)]
pub(crate) struct TopicsOptions {
    #[command(flatten)]
    pub(crate) broker: BrokerOptions,
    /// As JSON, one value a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<TopicsCommand>,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// List the topics; the same as no command.
    #[command(alias = "ls")]
    List(ListOptions),
    /// Create topics.
    Create(CreateOptions),
    /// Show a topic: partitions, leaders, offsets, sizes, settings and who set them, where it is on disk.
    Describe(DescribeOptions),
    /// Add partitions to a topic, or change its settings.
    Alter(AlterOptions),
    /// Take over topics that a real Kafka wrote, from its folders on disk.
    #[command(after_help = ADOPT_HELP)]
    Adopt(AdoptOptions),
    /// Delete topics with all their records.
    Delete(DeleteOptions),
    /// As `cutaway consume`.
    #[command(hide = true)]
    Consume(Box<TopicConsumeOptions>),
    /// As `cutaway produce`.
    #[command(hide = true)]
    Produce(Box<TopicProduceOptions>),
}

/// What to list.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ListOptions {
    /// Also those that the broker keeps for itself.
    #[arg(long, short)]
    pub(crate) internal: bool,
}

/// What to create.
#[derive(Args, Clone, Debug)]
pub(crate) struct CreateOptions {
    /// Their names.
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// How many partitions each has; the broker's num.partitions if not given.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) partitions: Option<i32>,
    /// On how many brokers each record is kept; the broker's default.replication.factor if not given, or -1.
    #[arg(
        long, short, alias = "replicas", value_name = "N", allow_negative_numbers = true, value_parser = replication_factor
    )]
    pub(crate) replication_factor: Option<i16>,
    /// A setting; may be given again.
    #[arg(long, short, alias = "topic-config", value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) config: Vec<(String, String)>,
    /// Leave a topic that there is as it is.
    #[arg(long)]
    pub(crate) if_not_exists: bool,
}

/// What to describe.
#[derive(Args, Clone, Debug)]
pub(crate) struct DescribeOptions {
    /// Their names.
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
}

/// What to alter.
#[derive(Args, Clone, Debug)]
pub(crate) struct AlterOptions {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// How many partitions it has afterwards. Keys then lie in other partitions than before.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(1..), required_unless_present_any = ["config", "unset"])]
    pub(crate) partitions: Option<i32>,
    /// A setting; may be given again.
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) config: Vec<(String, String)>,
    /// A setting that shall have its default again; may be given again.
    #[arg(long, alias = "delete-config", value_name = "KEY")]
    pub(crate) unset: Vec<String>,
}

/// What to take over.
#[derive(Args, Clone, Debug)]
pub(crate) struct AdoptOptions {
    /// Folders of partitions, such as orders-0, or a broker's folder with such in it (its log.dirs). They are copied, and
    /// only read.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// A setting for each of the topics; may be given again. Those that they had are in Kafka's metadata, which is not
    /// read.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) topic_config: Vec<(String, String)>,
    /// End transactions that are still open by aborting them: nobody else will, and consumers with
    /// isolation.level=read_committed get nothing behind the first one.
    #[arg(long)]
    pub(crate) abort_open_transactions: bool,
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
}

/// What to delete.
#[derive(Args, Clone, Debug)]
pub(crate) struct DeleteOptions {
    /// Their names.
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("must be KEY=VALUE, as in retention.ms=3600000".into()),
    }
}

/// A replication factor; -1 asks for the broker's own, as in Kafka.
fn replication_factor(text: &str) -> Result<i16, String> {
    match text.parse() {
        Ok(factor @ (-1 | 1..)) => Ok(factor),
        _ => Err("must be 1 or more, or -1 for the broker's default.replication.factor".to_owned()),
    }
}
