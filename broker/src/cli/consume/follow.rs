//! Fetches from every leader at once, and goes on when leaders move, brokers restart or offsets are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Stdout, Write};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::LOOK_PAUSE;
use super::format::{Place, Printer};
use super::options::ConsumeOptions;
use super::progress::Progress;
use super::settings::ConsumerSettings;
use crate::cli::client::{Client, Connection, EARLIEST, Failure, LATEST, PATIENCE, check, topic_name};
use crate::cli::output::written;
use crate::cli::say;

/// Versions of Fetch that name topics; later ones give their ids. Version 4 brings isolation.
const VERSIONS: std::ops::RangeInclusive<i16> = 4..=12;

/// How often somebody looks whether there are more partitions, or other leaders.
const REFRESH_PAUSE: Duration = Duration::from_secs(5);

/// How much is printed at a time.
const OUTPUT_BYTES: usize = 256 * 1024;

/// Why there is nothing more to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// As many records as were asked for, or the end.
    Done,
    /// The topic was deleted.
    TopicGone,
    /// Nothing yet: the caller wanted a pause, and calls again.
    Paused,
}

/// What came of one fetch: from which node, and its connection.
type Fetched = (i32, Connection, Result<FetchResponse, Failure>);

/// Follows some partitions of one topic.
pub(super) struct Follower<'a> {
    client: &'a mut Client,
    options: &'a ConsumeOptions,
    settings: ConsumerSettings,
    partitions: BTreeMap<i32, Progress>,
    leaders: BTreeMap<i32, i32>,
    printer: Printer,
    out: BufWriter<Stdout>,
    /// How many records are still to be printed; `None` for all.
    left: Option<u64>,
    /// Counts fetches, so that each begins with another partition: the first get the most.
    turn: usize,
    fetches: JoinSet<Fetched>,
    fetching: BTreeSet<i32>,
    /// Since when nothing works.
    trouble: Option<Instant>,
    /// When somebody looked for more partitions and other leaders last.
    looked: Instant,
    /// Partitions that come later are read too.
    takes_new: bool,
    /// How many partitions there were at the last look; `None` before it, and when the topic is gone.
    partition_count: Option<usize>,
    /// The topic's id, from a broker that tells it: another topic of the name is not the one that is followed.
    topic_id: Option<Uuid>,
    is_gone: bool,
}

impl<'a> Follower<'a> {
    /// From these offsets on.
    pub(super) fn new(
        client: &'a mut Client,
        options: &'a ConsumeOptions,
        settings: ConsumerSettings,
        offsets: BTreeMap<i32, i64>,
        left: Option<u64>,
    ) -> Follower<'a> {
        let looked = client.clock().instant();
        Follower {
            client,
            options,
            settings,
            partitions: offsets.into_iter().map(|(partition, next)| (partition, Progress::at(next))).collect(),
            leaders: BTreeMap::new(),
            printer: Printer::new(options),
            out: BufWriter::with_capacity(OUTPUT_BYTES, io::stdout()),
            left,
            turn: 0,
            fetches: JoinSet::new(),
            fetching: BTreeSet::new(),
            trouble: None,
            looked,
            takes_new: options.records.partition.is_none(),
            partition_count: None,
            topic_id: None,
            is_gone: false,
        }
    }

    /// Partitions that come later are somebody else's matter.
    pub(super) fn of_these_alone(mut self) -> Follower<'a> {
        self.takes_new = false;
        self
    }

    /// The offsets of the next records to read, by partition.
    pub(super) fn next(&self) -> BTreeMap<i32, i64> {
        self.partitions.iter().map(|(partition, progress)| (*partition, progress.next)).collect()
    }

    /// How many partitions the topic had when somebody looked last.
    pub(super) fn partition_count(&self) -> Option<usize> {
        self.partition_count
    }

    /// How many records are still to be printed.
    pub(super) fn left(&self) -> Option<u64> {
        self.left
    }

    /// Fetches and prints, until `wants_pause` does.
    pub(super) async fn run(&mut self, wants_pause: impl Fn() -> bool) -> anyhow::Result<Ended> {
        let clock = self.client.clock().clone();
        while !self.is_done() {
            if wants_pause() {
                return Ok(Ended::Paused);
            }
            if clock.elapsed_since(self.looked) >= REFRESH_PAUSE {
                self.looked = clock.instant();
                self.leaders.clear();
            }
            if let Err(failure) = self.fetch_from_idle_leaders().await {
                let since = *self.trouble.get_or_insert_with(|| {
                    say(format_args!("% {failure}; trying again"));
                    clock.instant()
                });
                // Whoever wants the end must not wait for ever for a broker that is gone.
                let is_hopeless = self.options.records.exit && clock.elapsed_since(since) >= PATIENCE;
                if is_hopeless || !failure.is_passing() {
                    return Err(failure.into());
                }
                self.leaders.clear();
                clock.sleep(LOOK_PAUSE).await;
                continue;
            }
            if self.is_gone {
                return Ok(Ended::TopicGone);
            }
            if self.fetches.is_empty() {
                // There is nothing to read at present.
                clock.sleep(LOOK_PAUSE).await;
            }
            let Some(Ok((leader, connection, answer))) = self.fetches.join_next().await else { continue };
            self.fetching.remove(&leader);
            let judged = match answer {
                Ok(answer) => {
                    self.client.put_back(leader, connection);
                    self.take(leader, answer).await
                }
                Err(failure) => Err(failure.into()),
            };
            written(self.out.flush())?;
            match judged {
                Ok(()) if self.trouble.take().is_some() => say("% Goes on"),
                Ok(()) => {}
                Err(error) => match error.downcast::<Failure>() {
                    Ok(failure) if failure.is_passing() => {
                        self.leaders.clear();
                        clock.sleep(LOOK_PAUSE).await;
                    }
                    Ok(failure) => return Err(failure.into()),
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(Ended::Done)
    }

    fn is_done(&self) -> bool {
        let is_at_end = || self.partitions.values().all(|partition| partition.is_at_end);
        self.left == Some(0) || self.options.records.exit && is_at_end()
    }

    /// Sends a fetch to every leader that has none to answer.
    async fn fetch_from_idle_leaders(&mut self) -> Result<(), Failure> {
        if self.leaders.is_empty() {
            self.find_leaders().await?;
        }
        let mut wanted: BTreeMap<i32, Vec<FetchPartition>> = BTreeMap::new();
        for (partition, progress) in &self.partitions {
            let Some(leader) = self.leaders.get(partition) else { continue };
            let is_read = self.options.records.exit && progress.is_at_end;
            if !is_read && !self.fetching.contains(leader) {
                let asked = FetchPartition::default()
                    .with_partition(*partition)
                    .with_fetch_offset(progress.next)
                    .with_partition_max_bytes(self.settings.partition_max_bytes);
                wanted.entry(*leader).or_default().push(asked);
            }
        }
        for (leader, mut partitions) in wanted {
            self.turn = self.turn.wrapping_add(1);
            let first = self.turn % partitions.len();
            partitions.rotate_left(first);
            let mut connection = self.client.take_connection(leader).await?;
            let request = self.request(partitions);
            let limit = PATIENCE + Duration::from_millis(self.settings.max_wait_ms.unsigned_abs().into());
            self.fetching.insert(leader);
            self.fetches.spawn(async move {
                let answer = connection.ask(VERSIONS, &request, limit).await;
                (leader, connection, answer)
            });
        }
        Ok(())
    }

    fn request(&self, partitions: Vec<FetchPartition>) -> FetchRequest {
        let topic = FetchTopic::default().with_topic(topic_name(&self.options.topic)).with_partitions(partitions);
        FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(self.settings.max_wait_ms)
            .with_min_bytes(self.settings.min_bytes)
            .with_max_bytes(self.settings.max_bytes)
            .with_isolation_level(self.settings.committed.into())
            // No session: each request says all that is wanted.
            .with_session_epoch(-1)
            .with_topics(vec![topic])
    }

    /// Looks where the partitions are led, and for more of them; nothing is found when the topic is gone.
    async fn find_leaders(&mut self) -> Result<(), Failure> {
        let topic = self.client.topic(&self.options.topic, false).await?;
        let id = Some(topic.topic_id).filter(|id| !id.is_nil());
        let is_another = id.is_some() && *self.topic_id.get_or_insert(topic.topic_id) != topic.topic_id;
        self.is_gone = is_another || topic.error_code == ResponseError::UnknownTopicOrPartition.code();
        if self.is_gone {
            return Ok(());
        }
        let what = format!("cannot consume {}", self.options.topic);
        check(&what, topic.error_code, None)?;
        self.partition_count = Some(topic.partitions.len());
        if self.takes_new {
            for it in &topic.partitions {
                // All records of a partition that was not there before are new.
                self.partitions.entry(it.partition_index).or_insert_with(|| Progress::at(0));
            }
        }
        let asked = topic.partitions.iter().filter(|it| self.partitions.contains_key(&it.partition_index));
        self.leaders = asked.map(|it| (it.partition_index, it.leader_id.0)).collect();
        match !self.leaders.is_empty() && self.leaders.values().all(|leader| *leader < 0) {
            true => check(&what, ResponseError::LeaderNotAvailable.code(), None),
            false => Ok(()),
        }
    }

    /// Prints what an answer holds.
    async fn take(&mut self, leader: i32, answer: FetchResponse) -> anyhow::Result<()> {
        check(&format!("cannot consume {}", self.options.topic), answer.error_code, None)?;
        for data in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            let what = format!("cannot consume {} [{}]", self.options.topic, data.partition_index);
            match check(&what, data.error_code, None) {
                Ok(()) => self.print(leader, &data)?,
                Err(Failure::Refused { error: ResponseError::OffsetOutOfRange, .. }) => {
                    self.move_into_range(data.partition_index).await?;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(())
    }

    fn print(&mut self, broker: i32, data: &PartitionData) -> anyhow::Result<()> {
        // What is not printed any more was not read either: in a group the next one gets it.
        if self.left == Some(0) {
            return Ok(());
        }
        let Some(progress) = self.partitions.get_mut(&data.partition_index) else { return Ok(()) };
        let before = progress.next;
        let records = data.records.clone().unwrap_or_default();
        let aborted = data.aborted_transactions.as_deref().unwrap_or_default();
        let (topic, partition) = (self.options.topic.as_str(), data.partition_index);
        let (printer, out, left) = (&self.printer, &mut self.out, &mut self.left);
        progress.read(records, aborted, |header, record| {
            let place = Place { topic, partition, broker, is_append_time: header.is_log_append_time() };
            written(printer.print(out, place, &record))?;
            *left = left.map(|left| left - 1);
            Ok(*left != Some(0))
        })?;
        let end = if self.settings.committed { data.last_stable_offset } else { data.high_watermark };
        if progress.next < end {
            progress.is_at_end = false;
        } else if !progress.is_at_end || progress.next > before {
            progress.is_at_end = true;
            // What was printed must stand before what is said of it.
            written(self.out.flush())?;
            if !self.options.records.quiet && *left != Some(0) {
                let exiting = if self.options.records.exit { ": exiting" } else { "" };
                say(format_args!("% Reached end of topic {topic} [{partition}] at offset {}{exiting}", progress.next));
            }
        }
        Ok(())
    }

    /// The offset is not there any more, or not yet: goes on at the nearest that is.
    async fn move_into_range(&mut self, partition: i32) -> anyhow::Result<()> {
        let mut topic = self.client.topic(&self.options.topic, false).await?;
        topic.partitions.retain(|it| it.partition_index == partition);
        let committed = self.settings.committed;
        let mut ends = [0; 2];
        for (end, time) in ends.iter_mut().zip([EARLIEST, LATEST]) {
            let mut offsets = self.client.offsets(&topic, time, committed).await?;
            *end = offsets.remove(&partition).unwrap_or(Ok(0))?;
        }
        let Some(progress) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let nearest = progress.next.clamp(ends[0], ends[1].max(ends[0]));
        say(format_args!(
            "% {} [{partition}] has no offset {}: its records are {} to {}; going on at {nearest}",
            self.options.topic,
            progress.next,
            ends[0],
            ends[1] - 1
        ));
        progress.next = nearest;
        Ok(())
    }
}
