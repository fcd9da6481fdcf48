//! `cutaway consume`: prints the records of a topic, from the beginning, and waits for more.
//!
//! Without a [`group`] it commits nothing: reading removes nothing, and the next run begins anew. [`begin`] finds
//! the first offsets, [`follow`] fetches from the leaders and says what happens on the way, [`progress`] picks the
//! records that are new and committed, [`mod@format`] prints them.

mod begin;
mod follow;
mod format;
mod group;
mod options;
mod progress;
mod settings;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;

use super::client::{Client, Failure, PATIENCE, check, name_of};
use super::nearest::did_you_mean;
use super::{Mistake, converse_until_interrupt, converse_until_stopped, say};
use begin::Begin;
use follow::{Ended, Follower};
pub(crate) use options::{ConsumeArguments, ConsumeOptions, TopicConsumeOptions};
use settings::ConsumerSettings;

/// Between two looks for a topic, or for a broker that is away.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// Prints records until there is a reason to stop.
pub(crate) fn run(options: ConsumeOptions) -> anyhow::Result<ExitCode> {
    let settings = ConsumerSettings::read(&options.records.properties).map_err(Mistake::usage)?;
    if let Some(group) = &options.records.group {
        return converse_until_stopped(|stop| group::run(&options, &settings, group, stop));
    }
    converse_until_interrupt(async {
        let mut client = Client::connect(&options.broker, &settings.client_id).await?;
        let mut begin = options.records.offset;
        let mut left = options.records.count;
        loop {
            let topic = wait_for_topic(&mut client, &options).await?;
            let offsets = first_offsets(&mut client, &options, &settings, topic, begin).await?;
            let mut follower = Follower::new(&mut client, &options, settings.clone(), offsets, left);
            match follower.run(|| false).await? {
                Ended::Done => return Ok(ExitCode::SUCCESS),
                Ended::TopicGone | Ended::Paused => left = follower.left(),
            }
            say(format_args!("% Topic {} is gone", options.topic));
            // A topic of the same name is another topic, all of which is new.
            begin = Begin::Beginning;
        }
    })
}

/// The topic, once it is there. With `-e` there is nothing to wait for.
async fn wait_for_topic(client: &mut Client, options: &ConsumeOptions) -> anyhow::Result<MetadataResponseTopic> {
    let name = &options.topic;
    let clock = client.clock().clone();
    let start = clock.instant();
    let mut is_told = false;
    loop {
        let topic = client.topic(name, false).await;
        let judged = topic.and_then(|topic| {
            check(&format!("cannot consume {name}"), topic.error_code, None)?;
            Ok(topic)
        });
        let missing = ResponseError::UnknownTopicOrPartition;
        match judged {
            Ok(topic) => return Ok(topic),
            Err(Failure::Refused { error, .. }) if error == missing && options.records.exit => {
                bail!("there is no topic {name}{}", hint(client, name).await);
            }
            Err(failure) if !failure.is_passing() => return Err(failure.into()),
            Err(failure) if options.records.exit && clock.elapsed_since(start) >= PATIENCE => {
                return Err(failure.into());
            }
            Err(_) if is_told => {}
            Err(Failure::Refused { error, .. }) if error == missing => {
                let hint = hint(client, name).await;
                say(format_args!("% There is no topic {name} yet; waiting for it{hint}"));
            }
            Err(failure) => say(format_args!("% {failure}; trying again")),
        }
        is_told = true;
        clock.sleep(LOOK_PAUSE).await;
    }
}

async fn hint(client: &mut Client, name: &str) -> String {
    let all = client.metadata(None, false).await.map(|answer| answer.topics).unwrap_or_default();
    match did_you_mean(name, all.iter().map(name_of)) {
        none if none.is_empty() => format!("; make it with: cutaway topics create {name}"),
        hint => hint,
    }
}

/// Where reading begins in each partition that was asked for.
async fn first_offsets(
    client: &mut Client,
    options: &ConsumeOptions,
    settings: &ConsumerSettings,
    mut topic: MetadataResponseTopic,
    begin: Begin,
) -> anyhow::Result<BTreeMap<i32, i64>> {
    if let Some(partition) = options.records.partition {
        let last = topic.partitions.iter().map(|it| it.partition_index).max().unwrap_or(0);
        topic.partitions.retain(|it| it.partition_index == partition);
        if topic.partitions.is_empty() {
            bail!("{} has no partition {partition}: they are 0 to {last}", options.topic);
        }
    }
    let clock = client.clock().clone();
    let start = clock.instant();
    loop {
        match begin.offsets(client, &topic, settings.committed).await {
            Ok(offsets) => return Ok(offsets),
            // A leader that is being elected has no offsets yet.
            Err(failure) if failure.is_passing() && clock.elapsed_since(start) < PATIENCE => {
                clock.sleep(LOOK_PAUSE).await;
                let partitions: Vec<i32> = topic.partitions.iter().map(|it| it.partition_index).collect();
                topic = wait_for_topic(client, options).await?;
                topic.partitions.retain(|it| partitions.contains(&it.partition_index));
            }
            Err(failure) => return Err(failure.into()),
        }
    }
}
