//! The run of a consumer: reads as a member of a group, counts in Redis, and only then says how far it is.
//!
//! ```text
//!   poll, 1 s ──► what is there ──► INCR ... in one pipeline ──► store the offsets ┄┄► commit, every 5 s
//!      ▲                                                               │
//!      └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! The order makes it *at least once*: a kill between the two last steps lets the next run read, and count, some records
//! again; the other way round some would never be counted. A clean end commits, so nothing is read twice.

mod kind;
mod progress;
mod report;
mod store;
mod watch;

use std::collections::BTreeMap;
use std::io::{BufWriter, Stdout, Write, stdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::kafka::{config, fatal, setting_refused};
use crate::options::{ConsumerOptions, not_ours};
use crate::source::{Backoff, Service};
use crate::stop::Stop;
use crate::talk::{Pace, counted, excerpt, say};
use progress::{Batch, Progress};
use report::Report;
use store::{Store, Unwritten};
use watch::Watch;

/// What the contract of the demos asks for.
const SETTINGS: &[(&str, &str)] = &[
    ("enable.auto.commit", "true"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    ("partition.assignment.strategy", "range"),
    ("session.timeout.ms", "45000"),
    ("heartbeat.interval.ms", "3000"),
    ("max.poll.interval.ms", "300000"),
    ("fetch.wait.max.ms", "500"),
    ("isolation.level", "read_committed"),
    ("group.protocol", "classic"),
    // A topic that appears is found within two seconds; where it ends is known to a second.
    ("topic.metadata.refresh.interval.ms", "2000"),
    ("statistics.interval.ms", "1000"),
    // Bounds for the memory: what is fetched ahead of what is counted.
    ("queued.min.messages", "20000"),
    ("queued.max.messages.kbytes", "32768"),
    // When that much is there, look again soon whether it is still enough: a second, the default, would be a pause.
    ("fetch.queue.backoff.ms", "20"),
];

/// Settings that the order of counting and storing depends on.
const OURS: &[&str] = &["enable.auto.offset.store", "bootstrap.servers", "group.id"];

/// How long a poll waits for a record.
const POLL_PATIENCE: Duration = Duration::from_secs(1);

/// How many records are counted together at most.
const BATCH_RECORDS: usize = 1000;

/// How long the last commit may take.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// What makes a demo of its own.
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    /// The program's name.
    pub program: &'static str,
    /// Whose events the topic holds.
    pub service: Service,
    /// The topic, unless another is given.
    pub topic: &'static str,
    /// The consumer group, unless another is given.
    pub group: &'static str,
}

/// Counts until somebody stops it, or what was asked for is done.
///
/// # Errors
/// When a setting is wrong, the broker turns us away, or Redis does not count.
pub async fn run(demo: Demo, options: ConsumerOptions, mut stop: Stop) -> anyhow::Result<()> {
    not_ours(&options.broker.settings, OURS)?;
    let topic = options.topic.clone().unwrap_or_else(|| demo.topic.to_owned());
    let group = options.group.clone().unwrap_or_else(|| demo.group.to_owned());
    let is_talkative = !options.ending.quiet && !options.ending.json;
    let mut settings = config(&options.broker, SETTINGS);
    settings.set("group.id", &group);
    let watch = Watch::new(&topic, &options.broker.broker, options.ending.quiet);
    let consumer: StreamConsumer<Watch> =
        StreamConsumer::from_config_and_context(&settings, watch).map_err(setting_refused)?;
    let store = Store::open(&options.redis).await?;
    consumer.subscribe(&[&topic])?;
    if !options.ending.quiet {
        let broker = &options.broker.broker;
        say(format_args!("% {} counts the records of {topic} at {broker}, as the group {group}", demo.program));
    }
    let mut run = Run {
        consumer: Arc::new(consumer),
        store,
        topic,
        service: demo.service,
        is_talkative,
        progress: Progress::default(),
        report: Report::new(demo.program, &options.ending),
        out: BufWriter::new(stdout()),
        complaints: Pace::new(1, Duration::from_secs(10)),
        last_record: Instant::now(),
        options,
    };
    let ended = run.go(&mut stop).await;
    run.end().await?;
    ended
}

struct Run {
    options: ConsumerOptions,
    consumer: Arc<StreamConsumer<Watch>>,
    store: Store,
    topic: String,
    service: Service,
    /// Prints a line for every record, and when there is none.
    is_talkative: bool,
    progress: Progress,
    report: Report,
    out: BufWriter<Stdout>,
    complaints: Pace,
    last_record: Instant,
}

impl Run {
    async fn go(&mut self, stop: &mut Stop) -> anyhow::Result<()> {
        let consumer = self.consumer.clone();
        while !self.is_done() {
            let polled = tokio::select! {
                () = stop.asked() => break,
                polled = tokio::time::timeout(POLL_PATIENCE, consumer.recv()) => polled,
            };
            match polled {
                Err(_) if self.is_talkative => say(format_args!("Waiting for records in {} ...", self.topic)),
                Err(_) => {}
                Ok(first) => {
                    self.take_all(&consumer, first)?;
                    self.count(stop).await?;
                }
            }
            let watch = consumer.context();
            let next = || watch.lag(&self.progress.next());
            self.report.progress(&self.progress, next, self.store.name())?;
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.is_limit_reached()
            || self.options.ending.idle_exit.is_some_and(|limit| self.last_record.elapsed() >= limit)
    }

    fn is_limit_reached(&self) -> bool {
        self.options.ending.limit.is_some_and(|limit| self.progress.read >= limit)
    }

    /// Takes a record and those that are there already.
    fn take_all(
        &mut self,
        consumer: &StreamConsumer<Watch>,
        first: Result<BorrowedMessage<'_>, KafkaError>,
    ) -> anyhow::Result<()> {
        self.take(first)?;
        for _ in 1..BATCH_RECORDS {
            if self.is_limit_reached() {
                break;
            }
            let Some(polled) = consumer.recv().now_or_never() else { break };
            self.take(polled)?;
        }
        self.out.flush()?;
        Ok(())
    }

    fn take(&mut self, polled: Result<BorrowedMessage<'_>, KafkaError>) -> anyhow::Result<()> {
        let record = match polled {
            Ok(record) => record,
            Err(error) => return self.judge(&error),
        };
        self.consumer.context().health.answered();
        self.last_record = Instant::now();
        let (partition, offset) = (record.partition(), record.offset());
        let time_ms = record.timestamp().to_millis().unwrap_or(i64::MIN);
        let is_again = self.progress.read(partition, offset, time_ms);
        let kind = kind::of(self.service, record.payload());
        if self.is_talkative {
            let kind = kind.as_ref().ok().and_then(Option::as_deref).map_or_else(|| "?".to_owned(), excerpt);
            writeln!(self.out, "{offset} --> {kind}")?;
        }
        match kind {
            _ if is_again => {}
            Ok(Some(kind)) => self.progress.batch.counts.add_one(&kind),
            Ok(None) => self.progress.uncounted += 1,
            Err(why) => {
                self.progress.uncounted += 1;
                let place = format!("{} [{partition}] offset {offset}", self.topic);
                self.complaints
                    .say(self.last_record, format_args!("the record {place} is no event: {why}; going on without it"));
            }
        }
        Ok(())
    }

    /// An error in place of a record.
    fn judge(&mut self, error: &KafkaError) -> anyhow::Result<()> {
        if let Some(error) = fatal(self.consumer.client()) {
            return Err(error);
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                self.consumer.context().topic_is_missing();
            }
            // Told by the watch, once.
            Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => {}
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::InvalidTopic
                | RDKafkaErrorCode::InvalidGroupId,
            ) => anyhow::bail!("cannot read the topic {}: {error}", self.topic),
            _ => self.complaints.say(Instant::now(), format_args!("{error}; going on")),
        }
        Ok(())
    }

    /// Writes the counts, then stores the offsets. While Redis is gone, waits for it and reads on only what was on its way.
    async fn count(&mut self, stop: &mut Stop) -> anyhow::Result<()> {
        let mut gone_since = None;
        let mut backoff = Backoff::default();
        loop {
            let batch = self.progress.take_batch();
            match self.store.add(&batch.counts).await {
                Ok(()) => {
                    self.is_written(batch);
                    break;
                }
                Err(Unwritten::Refused(error)) => {
                    self.progress.give_back(batch);
                    return Err(error);
                }
                Err(Unwritten::Gone(sentence)) => {
                    self.progress.give_back(batch);
                    if gone_since.is_none() {
                        say(format_args!("% {sentence}; reading pauses until it is back, no count is lost"));
                        gone_since = Some(Instant::now());
                    }
                }
            }
            if !self.keep_polling(backoff.pause(), stop).await? {
                return Ok(());
            }
        }
        if let Some(since) = gone_since {
            let assignment = self.consumer.assignment()?;
            self.consumer.resume(&assignment)?;
            say(format_args!("% Redis is back, after {:.1} s", since.elapsed().as_secs_f32()));
        }
        Ok(())
    }

    /// Stays a member of the group without reading on; false when the program is to end.
    async fn keep_polling(&mut self, pause: Duration, stop: &mut Stop) -> anyhow::Result<bool> {
        let consumer = self.consumer.clone();
        let wait = tokio::time::sleep(pause);
        tokio::pin!(wait);
        loop {
            // After a rebalance there may be partitions that do not pause yet.
            let assignment = consumer.assignment()?;
            if assignment.count() > 0 {
                consumer.pause(&assignment)?;
            }
            tokio::select! {
                () = stop.asked() => return Ok(false),
                () = &mut wait => return Ok(true),
                polled = consumer.recv() => self.take(polled)?,
            }
        }
    }

    fn is_written(&mut self, batch: Batch) {
        self.progress.written.add_all(&batch.counts);
        let mut offsets = TopicPartitionList::with_capacity(batch.next.len());
        for (partition, next) in batch.next {
            // Every offset that was read can be stored.
            let _ = offsets.add_partition_offset(&self.topic, partition, Offset::Offset(next));
        }
        // A partition that is somebody else's by now cannot be stored any more: its new owner reads those records again.
        let _ = self.consumer.store_offsets(&offsets);
    }

    /// Commits, leaves the group, and lists the counters.
    async fn end(self) -> anyhow::Result<()> {
        let Run { consumer, topic, progress, report, mut store, options, .. } = self;
        let unwritten = progress.batch.counts.total();
        if unwritten > 0 {
            let what = counted(unwritten, "record");
            say(format_args!("% {what} could not be counted; the next run reads them again"));
        }
        let lag = leave(consumer, topic, progress.next()).await;
        report.summary(&progress, lag, store.name())?;
        if !options.ending.json {
            store.list(&progress.written).await?;
        }
        Ok(())
    }
}

/// Commits and leaves the group; how many records are left, as far as can be known.
async fn leave(consumer: Arc<StreamConsumer<Watch>>, topic: String, next: BTreeMap<i32, i64>) -> Option<i64> {
    let known = consumer.context().lag(&next);
    // All of these wait for the broker, which may be gone.
    let leaving = tokio::task::spawn_blocking(move || {
        let ends = next.iter().map(|(partition, next)| {
            let (_, end) = consumer.fetch_watermarks(&topic, *partition, POLL_PATIENCE).ok()?;
            Some((end - next).max(0))
        });
        let lag = ends.sum::<Option<i64>>().filter(|_| !next.is_empty());
        (consumer.commit_consumer_state(CommitMode::Sync), lag)
        // The consumer is dropped here: it leaves the group.
    });
    match tokio::time::timeout(COMMIT_PATIENCE, leaving).await {
        Ok(Ok((committed, lag))) => {
            let nothing_to_commit = Some(RDKafkaErrorCode::NoOffset);
            if let Err(error) = committed
                && error.rdkafka_error_code() != nothing_to_commit
            {
                say(format_args!("% the last offsets were not committed ({error}); some records are read again"));
            }
            lag.or(known)
        }
        _ => {
            say("% the broker did not take the last offsets in time; some records are read again");
            known
        }
    }
}
