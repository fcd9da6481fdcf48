//! Sends events and measures: how many are on their way, how many arrived, how long each took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use tokio::sync::Notify;

use super::latency::Latency;
use crate::event::Event;
use crate::kafka::health::Health;
use crate::kafka::{config, fatal, setting_refused};
use crate::options::BrokerOptions;
use crate::talk::Pace;

const SETTINGS: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("partitioner", "murmur2"),
    ("message.timeout.ms", "0"),
    ("queue.buffering.max.messages", "20000"),
    ("statistics.interval.ms", "1000"),
];

/// How long a full client is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// What librdkafka says of its batches and requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Requests {
    /// Mean over the last seconds.
    pub(super) records_per_batch: i64,
    /// Since the beginning, of all kinds.
    pub(super) count: i64,
}

struct Reports {
    begun: Instant,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    latency: Mutex<Latency>,
    requests: Mutex<Requests>,
    /// A report came.
    news: Notify,
    health: Health,
    complaints: Mutex<Pace>,
    topic: String,
}

impl ClientContext for Reports {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, _: &str) {
        self.health.hear(&error);
    }

    fn stats(&self, statistics: Statistics) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = statistics.topics.get(&self.topic).map_or(0, |topic| topic.batchcnt.avg);
        if batches > 0 {
            requests.records_per_batch = batches;
        }
        requests.count = statistics.tx;
    }
}

impl ProducerContext for Reports {
    /// When the event was sent, in microseconds after the beginning.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent_us: usize) {
        match result {
            Ok(_) => {
                self.health.answered();
                let took = self.begun.elapsed().saturating_sub(Duration::from_micros(sent_us as u64));
                self.latency.lock().unwrap_or_else(PoisonError::into_inner).add(took);
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => self.fail(error),
        }
        self.news.notify_one();
    }
}

impl Reports {
    fn fail(&self, error: &KafkaError) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let purged = [RDKafkaErrorCode::PurgeQueue, RDKafkaErrorCode::PurgeInflight];
        if error.rdkafka_error_code().is_some_and(|code| purged.contains(&code)) {
            return;
        }
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.say(Instant::now(), format_args!("an event was not sent: {error}; going on without it"));
    }

    fn settled(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }
}

/// Sends events to one topic.
pub(super) struct Delivery {
    producer: ThreadedProducer<Reports>,
    topic: String,
    sent: AtomicU64,
}

impl Delivery {
    pub(super) fn new(broker: &BrokerOptions, topic: &str, plan: &[(&str, &str)]) -> anyhow::Result<Delivery> {
        let settings: Vec<_> = SETTINGS.iter().chain(plan).copied().collect();
        let reports = Reports {
            begun: Instant::now(),
            acknowledged: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            latency: Mutex::default(),
            requests: Mutex::default(),
            news: Notify::new(),
            health: Health::new(&broker.broker, "events wait where the technique lets them"),
            complaints: Mutex::new(Pace::new(1, Duration::from_secs(10))),
            topic: topic.to_owned(),
        };
        let producer = ThreadedProducer::from_config_and_context(&config(broker, &settings), reports);
        let producer = producer.map_err(setting_refused)?;
        Ok(Delivery { producer, topic: topic.to_owned(), sent: AtomicU64::new(0) })
    }

    /// Hands an event over; waits only while the client's own queue is full.
    pub(super) async fn send(&self, event: &Event) {
        let reports = self.producer.context();
        loop {
            let now_us = usize::try_from(reports.begun.elapsed().as_micros()).unwrap_or(usize::MAX);
            let mut record = BaseRecord::with_opaque_to(&self.topic, now_us).payload(event.value.as_slice());
            if let Some(key) = event.key.as_deref() {
                record = record.key(key);
            }
            match self.producer.send(record) {
                Ok(()) => break,
                Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {}
                Err((error, _)) => {
                    reports.fail(&error);
                    break;
                }
            }
            tokio::time::sleep(FULL_PAUSE).await;
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until everything has arrived that was sent.
    pub(super) async fn settle(&self) {
        let reports = self.producer.context();
        loop {
            let news = reports.news.notified();
            if reports.settled() >= self.sent.load(Ordering::Relaxed) {
                return;
            }
            news.await;
        }
    }

    /// Fails when nothing can be sent any more.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        fatal(self.producer.client()).map_or(Ok(()), Err)
    }

    /// How many arrived, and how many never will.
    pub(super) fn counts(&self) -> (u64, u64) {
        let reports = self.producer.context();
        (reports.acknowledged.load(Ordering::Relaxed), reports.failed.load(Ordering::Relaxed))
    }

    /// The time from a send to its report that half of all, and 99 of 100, did not exceed, in milliseconds.
    pub(super) fn latency_ms(&self) -> (Option<f64>, Option<f64>) {
        let latency = self.producer.context().latency.lock().unwrap_or_else(PoisonError::into_inner);
        (latency.percentile_ms(50), latency.percentile_ms(99))
    }

    /// What librdkafka says of its batches and requests.
    pub(super) fn requests(&self) -> Requests {
        *self.producer.context().requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
