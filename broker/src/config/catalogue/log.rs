//! The broker's settings of logs: where they are, and what topics get that set nothing of their own.

use super::super::definition::{Allowed, Definition, Kind, boolean, double, int, list, long, string, unset};

const CLEANER: &str = "the log cleaner";
const RETENTION: &str = "the retention schedule";
pub(super) const ONE_LEVEL: &str = "the lz4 library knows one level";
pub(super) const ONE_COPY: &str = "Kafka asks for no more replicas than a topic has, and here all are always in sync";
const NO_TIERS: &str = "there is no tiered storage";

/// Codecs that `compression.type` takes, in the order in which Kafka lists them.
pub(super) const COMPRESSION_TYPES: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
/// Timestamp types.
pub(super) const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];
/// Clean-up policies.
pub(super) const CLEANUP_POLICIES: &[&str] = &["compact", "delete"];
/// The smallest segment that Kafka 4.1 and later allow.
pub(super) const MIN_SEGMENT_BYTES: i64 = 1024 * 1024;

/// The rows, as a newcomer would ask for them.
pub(super) const ROWS: &[Definition] = &[
    unset(Kind::List, "log.dirs", "The folder that holds all data; `log.dir` counts if this is not set.")
        .takes(Allowed::SomeOf),
    list("log.dir", "./cutaway-data", "The folder that holds all data.")
        .takes(Allowed::SomeOf)
        .unless("log.dirs")
        .differs(Some("/tmp/kafka-logs"), "data belongs where it is seen, not where the next reboot deletes it"),
    int("num.partitions", "1", "Partitions of a topic whose creator does not say how many.").at_least(1),
    boolean("auto.create.topics.enable", "true", "Creates a topic when a client asks for its metadata."),
    boolean("delete.topic.enable", "true", "Lets clients delete topics."),
    int("message.max.bytes", "1048588", "The largest record batch, after compression.").at_least(0),
    string("compression.type", "producer", "The codec of stored batches; `producer` keeps what was sent.")
        .takes(Allowed::OneOf(COMPRESSION_TYPES)),
    int("compression.gzip.level", "-1", "How hard gzip tries.").takes(Allowed::GzipLevel),
    int("compression.lz4.level", "9", "How hard lz4 tries.").takes(Allowed::Between(1, 17)).without_effect(ONE_LEVEL),
    int("compression.zstd.level", "3", "How hard zstd tries.").takes(Allowed::Between(-131_072, 22)),
    int("log.segment.bytes", "1073741824", "A segment that would grow beyond this is rolled.")
        .at_least(MIN_SEGMENT_BYTES),
    unset(Kind::Long, "log.roll.ms", "A segment whose first record is older than this is rolled.").at_least(1),
    int("log.roll.hours", "168", "The same in hours.").at_least(1).unless("log.roll.ms"),
    unset(Kind::Long, "log.roll.jitter.ms", "Rolls are brought forward by up to this, so that not all come at once.")
        .at_least(0),
    int("log.roll.jitter.hours", "0", "The same in hours.").at_least(0).unless("log.roll.jitter.ms"),
    int("log.index.interval.bytes", "4096", "Bytes between two entries of an offset index.").at_least(0),
    int("log.index.size.max.bytes", "10485760", "The largest offset index; a full one rolls its segment.").at_least(4),
    unset(Kind::Long, "log.retention.ms", "Segments whose newest record is older than this are deleted.")
        .takes(Allowed::NotZero)
        .not_yet(RETENTION),
    unset(Kind::Int, "log.retention.minutes", "The same in minutes.")
        .takes(Allowed::NotZero)
        .unless("log.retention.ms"),
    int("log.retention.hours", "168", "The same in hours.").takes(Allowed::NotZero).unless("log.retention.minutes"),
    long("log.retention.bytes", "-1", "A partition larger than this loses its oldest segments; -1 for no limit.")
        .not_yet(RETENTION),
    long("log.retention.check.interval.ms", "300000", "How often retention is applied.").at_least(1).not_yet(RETENTION),
    list("log.cleanup.policy", "delete", "Whether old segments are deleted, compacted, or both.")
        .takes(Allowed::EachOf(CLEANUP_POLICIES))
        .not_yet(RETENTION),
    long("log.flush.interval.messages", "9223372036854775807", "Flushes to the disk after this many records.")
        .at_least(1),
    long("log.flush.interval.ms", "1000", "The longest that a record stays unflushed.").at_least(0).differs(
        None,
        "no replica holds a second copy, so a power cut may cost one second and not everything unflushed",
    ),
    long("log.flush.scheduler.interval.ms", "9223372036854775807", "The same, where the key above is not set.")
        .at_least(0)
        .unless("log.flush.interval.ms"),
    int("log.flush.offset.checkpoint.interval.ms", "60000", "How often recovery points are written down.").at_least(0),
    int("log.flush.start.offset.checkpoint.interval.ms", "60000", "How often log start offsets are written down.")
        .at_least(0)
        .without_effect("log start offsets are written down together with the recovery points"),
    long("log.segment.delete.delay.ms", "60000", "How long a deleted segment or topic stays on disk.").at_least(0),
    string("log.message.timestamp.type", "CreateTime", "Whether records keep their sender's time or get the broker's.")
        .takes(Allowed::OneOf(TIMESTAMP_TYPES)),
    long("log.message.timestamp.before.max.ms", "9223372036854775807", "How far a record's time may lie behind.")
        .at_least(0),
    long("log.message.timestamp.after.max.ms", "3600000", "How far a record's time may lie ahead.").at_least(0),
    int("min.insync.replicas", "1", "Replicas that must have a record before acks=all is answered.")
        .at_least(1)
        .without_effect(ONE_COPY),
    int(
        "producer.id.expiration.ms",
        "86400000",
        "An idempotent producer that is silent this long is forgotten; looked for every ten minutes.",
    )
    .at_least(1),
    boolean("log.preallocate", "false", "Reserves the space of a segment when it is made.")
        .without_effect("segments grow as they are written"),
    boolean("log.cleaner.enable", "true", "Runs the log cleaner.").not_yet(CLEANER),
    int("log.cleaner.threads", "1", "Cleaner threads.").at_least(0).not_yet(CLEANER),
    double("log.cleaner.min.cleanable.ratio", "0.5", "The share of dirty bytes from which a log is cleaned.")
        .takes(Allowed::Between(0, 1))
        .not_yet(CLEANER),
    long("log.cleaner.delete.retention.ms", "86400000", "How long tombstones stay.").at_least(0).not_yet(CLEANER),
    long("log.cleaner.min.compaction.lag.ms", "0", "How long a record is safe from compaction.")
        .at_least(0)
        .not_yet(CLEANER),
    long("log.cleaner.max.compaction.lag.ms", "9223372036854775807", "After which a log is cleaned in any case.")
        .at_least(1)
        .not_yet(CLEANER),
    long("log.cleaner.backoff.ms", "15000", "How long the cleaner sleeps when there is nothing to do.")
        .at_least(0)
        .not_yet(CLEANER),
    long("log.cleaner.dedupe.buffer.size", "134217728", "Memory for the map of keys while cleaning.").not_yet(CLEANER),
    int("log.cleaner.io.buffer.size", "524288", "Memory for reading and writing while cleaning.")
        .at_least(0)
        .not_yet(CLEANER),
    double("log.cleaner.io.buffer.load.factor", "0.9", "How full the map of keys may become.").not_yet(CLEANER),
    double("log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308", "The cleaner's speed limit.")
        .not_yet(CLEANER),
    long("log.local.retention.ms", "-2", "Retention of the local part of a tiered log.")
        .at_least(-2)
        .without_effect(NO_TIERS),
    long("log.local.retention.bytes", "-2", "Size of the local part of a tiered log.")
        .at_least(-2)
        .without_effect(NO_TIERS),
    int("num.recovery.threads.per.data.dir", "2", "Threads that recover logs at start.")
        .at_least(1)
        .without_effect("a few threads, as many as are worth it, open and recover the logs"),
];
