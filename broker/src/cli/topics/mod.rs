//! `cutaway topics`: lists, creates, describes, alters and deletes topics of whichever broker `-b` names; `adopt` alone works
//! on a folder.

mod adopt;
mod alter;
mod create;
mod delete;
mod describe;
mod disk_place;
mod list;
mod options;
mod settings;

use std::process::ExitCode;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;

use super::client::{Client, Failure, name_of};
use super::nearest::did_you_mean;
use super::{consume, converse_until_interrupt, produce};

pub(crate) use options::TopicsOptions;
use options::{ListOptions, TopicsCommand};

/// How this program calls itself to brokers.
const CLIENT_ID: &str = "cutaway-topics";

/// How often a change is looked for, and the pause between two looks.
const SETTLE_LOOKS: u32 = 100;
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// Runs one of the commands; without one, topics are listed.
pub(crate) fn run(options: TopicsOptions) -> anyhow::Result<ExitCode> {
    let TopicsOptions { broker, json, command } = options;
    let command = match command {
        None => TopicsCommand::List(ListOptions::default()),
        Some(TopicsCommand::Consume(named)) => return consume::run(named.into_options(broker, json)),
        Some(TopicsCommand::Adopt(options)) => return adopt::run(&options, &broker, json),
        Some(TopicsCommand::Produce(named)) => return produce::run(named.into_options(broker, json)),
        Some(command) => command,
    };
    converse_until_interrupt(async {
        let mut client = Client::connect(&broker, CLIENT_ID).await?;
        match command {
            TopicsCommand::List(options) => list::run(&mut client, &options, json).await,
            TopicsCommand::Create(options) => create::run(&mut client, &options, json).await,
            TopicsCommand::Describe(options) => describe::run(&mut client, &options, json).await,
            TopicsCommand::Alter(options) => alter::run(&mut client, &options, json).await,
            TopicsCommand::Delete(options) => delete::run(&mut client, &options, json).await,
            TopicsCommand::Adopt(_) | TopicsCommand::Consume(_) | TopicsCommand::Produce(_) => Ok(ExitCode::SUCCESS),
        }
    })
}

/// Tells of each topic that something failed with, and turns them into an exit code.
fn outcome(failures: &[anyhow::Error]) -> ExitCode {
    failures.iter().for_each(super::tell_error);
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Waits until the broker that was asked knows of a change: in a cluster, and in Kafka's single node, the change is
/// decided elsewhere, and the next command should find it. One that takes longer is no failure.
async fn settle(client: &mut Client, name: &str, is_known: impl Fn(&MetadataResponseTopic) -> bool) {
    for _ in 0..SETTLE_LOOKS {
        let seen = client.topic(name, false).await;
        if seen.map_or(true, |topic| is_known(&topic)) {
            return;
        }
        client.clock().sleep(SETTLE_PAUSE).await;
    }
}

/// Says which topic is missing, and which was meant perhaps.
async fn missing(client: &mut Client, name: &str) -> anyhow::Error {
    let all = client.metadata(None, false).await.map(|answer| answer.topics).unwrap_or_default();
    let hint = match did_you_mean(name, all.iter().map(name_of)) {
        none if none.is_empty() => "; `cutaway topics list` shows which there are".to_owned(),
        hint => hint,
    };
    anyhow::anyhow!("there is no topic {name}{hint}")
}

/// The same for a failure that says so.
async fn told(client: &mut Client, name: &str, failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Refused { error: ResponseError::UnknownTopicOrPartition, .. } => missing(client, name).await,
        failure => failure.into(),
    }
}
