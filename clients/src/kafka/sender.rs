//! Sends events without waiting for each: a delivery report says later what became of it.
//!
//! One idempotent producer for the whole run. librdkafka batches, sends, and sends again what a lost broker did not
//! acknowledge, in order and once. Its queue is bounded: when it is full, the caller waits, stops reading its source, and
//! memory stays flat.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::health::Health;
use super::ledger::Ledger;
use super::topic::Topic;
use super::{config, fatal, setting_refused, words};
use crate::event::Event;
use crate::options::{BrokerOptions, not_ours};
use crate::talk::Pace;

/// What the contract of the demos asks for, and bounds for the memory.
const SETTINGS: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("partitioner", "murmur2"),
    // A broker that is gone is waited for, however long it takes; events are not thrown away meanwhile.
    ("message.timeout.ms", "0"),
    ("queue.buffering.max.messages", "50000"),
    ("queue.buffering.max.kbytes", "65536"),
];

/// Settings that would break the promise that nothing is lost.
const OURS: &[&str] = &["enable.idempotence", "bootstrap.servers", "message.timeout.ms", "transactional.id"];

/// What a record takes up in a batch besides its key and value, at most; and a batch before its records.
const OVERHEAD_BYTES: usize = 200;

/// What an event without a type is counted as.
pub const NO_KIND: &str = "(none)";

/// Whether an event was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It is on its way, or was refused for its size; the ledger knows.
    Taken,
    /// The queue is full: offer it again a little later.
    Full,
}

/// Gets the delivery reports, on the thread of librdkafka's that hands them out.
struct Reports {
    ledger: Mutex<Ledger>,
    health: Health,
    refusals: Mutex<Pace>,
    topic: String,
}

impl ClientContext for Reports {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, _: &str) {
        self.health.hear(&error);
    }
}

impl ProducerContext for Reports {
    /// The event's number in the ledger.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let Err((error, message)) = result else {
            self.health.answered();
            return self.ledger().acknowledge(number);
        };
        match error.rdkafka_error_code() {
            Some(code @ (RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord)) => {
                self.refuse(number, message_bytes(message), &words(code));
            }
            // We gave up waiting for it, which is told elsewhere.
            Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => {}
            code => {
                let why = code.map_or_else(|| error.to_string(), words);
                self.ledger().fail(format!("cannot send to the topic {}: {why}", self.topic));
            }
        }
    }
}

impl Reports {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, number: usize, size_bytes: usize, why: &str) {
        self.ledger().refuse(number);
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals
            .say(Instant::now(), format_args!("an event of {size_bytes} bytes is refused: {why}; going on without it"));
    }
}

fn message_bytes(message: &impl rdkafka::Message) -> usize {
    message.payload().map_or(0, <[u8]>::len)
}

/// Sends events to one topic.
pub struct Sender {
    producer: ThreadedProducer<Reports>,
    topic: Topic,
}

impl Sender {
    /// With the settings of the demos, those of this one, and those that were typed.
    ///
    /// # Errors
    /// When librdkafka does not take a setting.
    pub fn new(broker: &BrokerOptions, topic: Topic, demo: &[(&str, &str)]) -> anyhow::Result<Sender> {
        not_ours(&broker.settings, OURS)?;
        let mut config = config(broker, SETTINGS);
        let typed = |name: &str| broker.settings.iter().any(|(typed, _)| typed == name);
        for (name, value) in demo.iter().filter(|(name, _)| !typed(name)) {
            config.set(*name, *value);
        }
        if let Some(limit) = topic.max_message_bytes {
            // A batch that the topic does not take would take the small events in it along.
            let limit = limit.clamp(1000, 1_000_000_000);
            let batch = config.get("batch.size").and_then(|size| size.parse().ok()).unwrap_or(1_000_000);
            config.set("batch.size", limit.saturating_sub(OVERHEAD_BYTES).min(batch).to_string());
            if !typed("message.max.bytes") {
                config.set("message.max.bytes", limit.to_string());
            }
        }
        let reports = Reports {
            ledger: Mutex::default(),
            health: Health::new(&broker.broker, "events wait too, none is lost"),
            refusals: Mutex::new(Pace::new(1, Duration::from_secs(10))),
            topic: topic.name.clone(),
        };
        let producer = ThreadedProducer::from_config_and_context(&config, reports).map_err(setting_refused)?;
        Ok(Sender { producer, topic })
    }

    /// Sends an event, or says that there is no room for it at present.
    ///
    /// # Errors
    /// When nothing can be sent any more.
    pub fn offer(&self, event: &mut Event) -> anyhow::Result<Offered> {
        let reports = self.producer.context();
        let kind = event.kind.as_deref().unwrap_or(NO_KIND);
        let number = reports.ledger().begin(event.token.take(), event.identity, kind);
        let size_bytes = event.value.len() + event.key.as_deref().map_or(0, str::len);
        if self.topic.max_message_bytes.is_some_and(|limit| size_bytes + OVERHEAD_BYTES > limit) {
            let limit = self.topic.max_message_bytes.unwrap_or_default();
            reports.refuse(number, size_bytes, &format!("the topic takes {limit} (its max.message.bytes)"));
            return Ok(Offered::Taken);
        }
        let mut record = BaseRecord::with_opaque_to(&self.topic.name, number).payload(event.value.as_slice());
        if let Some(key) = event.key.as_deref() {
            record = record.key(key);
        }
        let Err((error, _)) = self.producer.send(record) else { return Ok(Offered::Taken) };
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => {
                event.token = reports.ledger().take_back();
                Ok(Offered::Full)
            }
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                reports.refuse(number, size_bytes, "it is larger than message.max.bytes");
                Ok(Offered::Taken)
            }
            _ => Err(fatal(self.producer.client())
                .unwrap_or_else(|| anyhow::anyhow!("cannot send to the topic {}: {error}", self.topic.name))),
        }
    }

    /// Fails when nothing can be sent any more.
    ///
    /// # Errors
    /// With the reason.
    pub fn check(&self) -> anyhow::Result<()> {
        if let Some(error) = fatal(self.producer.client()) {
            return Err(error);
        }
        match self.ledger().failure() {
            Some(why) => Err(anyhow::Error::msg(why.to_owned())),
            None => Ok(()),
        }
    }

    /// Whether no broker answers, as far as is known.
    pub fn is_broker_gone(&self) -> bool {
        self.producer.context().health.is_down()
    }

    /// What became of the events.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.producer.context().ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything has arrived, but no longer than that; the number of events that have not.
    pub async fn flush(&self, patience: Duration) -> u64 {
        /// Between two looks.
        const PAUSE: Duration = Duration::from_millis(10);
        let begun = Instant::now();
        loop {
            let in_flight = self.ledger().in_flight();
            if in_flight == 0 || begun.elapsed() >= patience || self.check().is_err() {
                return in_flight;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
