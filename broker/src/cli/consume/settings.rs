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
    /// In a group: the member's own name, how long it may be silent, how often it says that it lives and commits.
    pub(super) instance: Option<String>,
    pub(super) session_timeout_ms: i32,
    pub(super) heartbeat_interval_ms: u64,
    pub(super) auto_commit_interval_ms: u64,
}

const TABLE: [Property<ConsumerSettings>; 10] = [
    ("auto.commit.interval.ms", &[], |it, value| {
        set(&mut it.auto_commit_interval_ms, number(value, 0, i32::MAX.into()))
    }),
    ("client.id", &[], |it, value| set(&mut it.client_id, Ok(value.to_owned()))),
    ("fetch.max.bytes", &[], |it, value| set(&mut it.max_bytes, number(value, 0, i32::MAX.into()))),
    ("fetch.max.wait.ms", &["fetch.wait.max.ms"], |it, value| {
        set(&mut it.max_wait_ms, number(value, 0, i32::MAX.into()))
    }),
    ("fetch.min.bytes", &[], |it, value| set(&mut it.min_bytes, number(value, 0, i32::MAX.into()))),
    ("group.instance.id", &[], |it, value| set(&mut it.instance, Ok(Some(value.to_owned())))),
    ("heartbeat.interval.ms", &[], |it, value| set(&mut it.heartbeat_interval_ms, number(value, 1, i32::MAX.into()))),
    ("isolation.level", &[], |it, value| set(&mut it.committed, isolation(value))),
    ("max.partition.fetch.bytes", &["fetch.message.max.bytes"], |it, value| {
        set(&mut it.partition_max_bytes, number(value, 0, i32::MAX.into()))
    }),
    ("session.timeout.ms", &[], |it, value| set(&mut it.session_timeout_ms, number(value, 1, i32::MAX.into()))),
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
            instance: None,
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 3_000,
            auto_commit_interval_ms: 5_000,
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
