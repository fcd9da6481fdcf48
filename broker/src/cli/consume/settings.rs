//! The consumer's settings: `-X` over defaults.

use crate::cli::properties::{self, Property, number, set};

/// Settings of a consumer.
#[derive(Clone, Debug)]
pub(super) struct ConsumerSettings {
    pub(super) client_id: String,
    /// How much an answer holds at most, and how much of one partition.
    pub(super) max_bytes: i32,
    pub(super) partition_max_bytes: i32,
    /// How long the broker waits for records, and for how many bytes.
    pub(super) max_wait_ms: i32,
    pub(super) min_bytes: i32,
    /// Without records of transactions that are open or were aborted.
    pub(super) committed: bool,
}

const TABLE: [Property<ConsumerSettings>; 6] = [
    ("client.id", &[], |it, value| set(&mut it.client_id, Ok(value.to_owned()))),
    ("fetch.max.bytes", &[], |it, value| set(&mut it.max_bytes, number(value, 0, i32::MAX.into()))),
    ("fetch.max.wait.ms", &["fetch.wait.max.ms"], |it, value| {
        set(&mut it.max_wait_ms, number(value, 0, i32::MAX.into()))
    }),
    ("fetch.min.bytes", &[], |it, value| set(&mut it.min_bytes, number(value, 0, i32::MAX.into()))),
    ("isolation.level", &[], |it, value| set(&mut it.committed, isolation(value))),
    ("max.partition.fetch.bytes", &["fetch.message.max.bytes"], |it, value| {
        set(&mut it.partition_max_bytes, number(value, 0, i32::MAX.into()))
    }),
];

impl Default for ConsumerSettings {
    fn default() -> ConsumerSettings {
        ConsumerSettings {
            client_id: "cutaway-consume".to_owned(),
            max_bytes: 52_428_800,
            partition_max_bytes: 4 * 1024 * 1024,
            max_wait_ms: 500,
            min_bytes: 1,
            // As librdkafka, and so kcat; Java's default is the other.
            committed: true,
        }
    }
}

impl ConsumerSettings {
    /// What the assignments make of the defaults.
    pub(super) fn read(assignments: &[String]) -> anyhow::Result<ConsumerSettings> {
        properties::read(ConsumerSettings::default(), &TABLE, assignments)
    }
}

fn isolation(text: &str) -> Result<bool, String> {
    match text {
        "read_committed" => Ok(true),
        "read_uncommitted" => Ok(false),
        _ => Err("read_committed or read_uncommitted".into()),
    }
}
