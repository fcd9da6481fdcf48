//! The producer's settings: `-X` and `-z` over defaults that suit a command line.

use std::time::Duration;

use cutaway::storage::batch::Compression;

use super::options::RecordOptions;
use crate::cli::properties::{self, Property, number, set};

/// Settings of a producer.
#[derive(Clone, Debug)]
pub(crate) struct ProducerSettings {
    /// -1: all replicas in sync have a record before it counts as sent; 1: the leader; 0: nobody is asked.
    pub(super) acks: i16,
    /// The size of a full batch, before it is compressed.
    pub(super) batch_bytes: usize,
    pub(super) client_id: String,
    pub(super) compression: Compression,
    /// How long sending is tried.
    pub(super) delivery_timeout: Duration,
    /// `None`: yes if acks is -1.
    pub(super) idempotence: Option<bool>,
    /// How long a batch waits for more records.
    pub(super) linger: Duration,
    pub(super) request_timeout_ms: i32,
}

const TABLE: [Property<ProducerSettings>; 8] = [
    ("acks", &["request.required.acks"], |it, value| set(&mut it.acks, acks(value))),
    ("batch.size", &[], |it, value| set(&mut it.batch_bytes, number(value, 0, 1 << 30))),
    ("client.id", &[], |it, value| set(&mut it.client_id, Ok(value.to_owned()))),
    ("compression.type", &["compression.codec"], |it, value| set(&mut it.compression, codec(value))),
    ("delivery.timeout.ms", &["message.timeout.ms"], |it, value| set(&mut it.delivery_timeout, duration(value))),
    ("enable.idempotence", &[], |it, value| set(&mut it.idempotence, boolean(value).map(Some))),
    ("linger.ms", &["queue.buffering.max.ms"], |it, value| set(&mut it.linger, duration(value))),
    ("request.timeout.ms", &[], |it, value| set(&mut it.request_timeout_ms, number(value, 1, i32::MAX.into()))),
];

impl Default for ProducerSettings {
    fn default() -> ProducerSettings {
        ProducerSettings {
            acks: -1,
            // Below Kafka's limit of a batch (max.message.bytes, 1048588), as librdkafka has it.
            batch_bytes: 1_000_000,
            client_id: "cutaway-produce".to_owned(),
            compression: Compression::None,
            delivery_timeout: Duration::from_secs(120),
            idempotence: None,
            linger: Duration::from_millis(5),
            request_timeout_ms: 30_000,
        }
    }
}

impl ProducerSettings {
    /// What the options make of the defaults.
    pub(super) fn read(options: &RecordOptions) -> anyhow::Result<ProducerSettings> {
        let mut settings = properties::read(ProducerSettings::default(), &TABLE, &options.properties)?;
        if let Some(name) = &options.compression {
            settings.compression = codec(name).map_err(|wanted| anyhow::anyhow!("-z {name}: must be {wanted}"))?;
        }
        if settings.acks != -1 && settings.idempotence == Some(true) {
            anyhow::bail!("-X enable.idempotence=true: needs acks=all, so that no retry can be lost");
        }
        Ok(settings)
    }

    /// Whether the broker is to recognize what is sent twice.
    pub(super) fn is_idempotent(&self) -> bool {
        self.idempotence.unwrap_or(true) && self.acks == -1
    }
}

fn acks(text: &str) -> Result<i16, String> {
    match text {
        "all" | "-1" => Ok(-1),
        "1" => Ok(1),
        "0" => Ok(0),
        _ => Err("all, 1 or 0".into()),
    }
}

fn codec(text: &str) -> Result<Compression, String> {
    let found = Compression::ALL.into_iter().find(|codec| codec.name() == text);
    found.ok_or_else(|| format!("one of {}", Compression::ALL.map(Compression::name).join(", ")))
}

fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "true or false".into())
}

fn duration(text: &str) -> Result<Duration, String> {
    Ok(Duration::from_millis(number::<u64>(text, 0, i32::MAX.into())?))
}
