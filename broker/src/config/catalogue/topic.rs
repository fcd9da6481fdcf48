//! The settings that a topic may have of its own, each with the broker's keys that give its default.

use super::super::definition::{Allowed, Definition, Kind, boolean, double, int, list, long, string, unset};
use super::log::{CLEANUP_POLICIES, COMPRESSION_TYPES, MIN_SEGMENT_BYTES, ONE_COPY, ONE_LEVEL, TIMESTAMP_TYPES};

const HOUR_MS: i64 = 60 * 60 * 1000;
const CLEANER: &str = "the log cleaner";
const RETENTION: &str = "the retention schedule";
const NO_TIERS: &str = "there is no tiered storage";
const NO_REPLICAS: &str = "there is no replication between machines";

/// The rows, in the order of their names.
pub(super) const ROWS: &[Definition] = &[
    list("cleanup.policy", "delete", "Whether old segments are deleted, compacted, or both.")
        .takes(Allowed::EachOf(CLEANUP_POLICIES))
        .not_yet(RETENTION)
        .given_by(&[("log.cleanup.policy", 1)]),
    int("compression.gzip.level", "-1", "How hard gzip tries.")
        .takes(Allowed::GzipLevel)
        .given_by(&[("compression.gzip.level", 1)]),
    int("compression.lz4.level", "9", "How hard lz4 tries.")
        .takes(Allowed::Between(1, 17))
        .without_effect(ONE_LEVEL)
        .given_by(&[("compression.lz4.level", 1)]),
    string("compression.type", "producer", "The codec of stored batches; `producer` keeps what was sent.")
        .takes(Allowed::OneOf(COMPRESSION_TYPES))
        .given_by(&[("compression.type", 1)]),
    int("compression.zstd.level", "3", "How hard zstd tries.")
        .takes(Allowed::Between(-131_072, 22))
        .given_by(&[("compression.zstd.level", 1)]),
    long("delete.retention.ms", "86400000", "How long tombstones stay.")
        .at_least(0)
        .not_yet(CLEANER)
        .given_by(&[("log.cleaner.delete.retention.ms", 1)]),
    long("file.delete.delay.ms", "60000", "How long a deleted segment stays on disk.")
        .at_least(0)
        .not_yet(RETENTION)
        .given_by(&[("log.segment.delete.delay.ms", 1)]),
    long("flush.messages", "9223372036854775807", "Flushes to the disk after this many records.")
        .at_least(1)
        .given_by(&[("log.flush.interval.messages", 1)]),
    long("flush.ms", "1000", "The longest that a record stays unflushed.")
        .at_least(0)
        .given_by(&[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)])
        .differs(Some("9223372036854775807"), "no replica holds a second copy"),
    list("follower.replication.throttled.replicas", "", "Followers whose copying is slowed down.")
        .takes(Allowed::ThrottledReplicas)
        .without_effect(NO_REPLICAS),
    int("index.interval.bytes", "4096", "Bytes between two entries of an offset index.")
        .at_least(0)
        .given_by(&[("log.index.interval.bytes", 1)]),
    unset(Kind::Int, "internal.segment.bytes", "Takes the place of `segment.bytes` and may be smaller: for lessons.")
        .at_least(1),
    list("leader.replication.throttled.replicas", "", "Leaders whose copying is slowed down.")
        .takes(Allowed::ThrottledReplicas)
        .without_effect(NO_REPLICAS),
    long("local.retention.bytes", "-2", "Size of the local part of a tiered log.")
        .at_least(-2)
        .without_effect(NO_TIERS)
        .given_by(&[("log.local.retention.bytes", 1)]),
    long("local.retention.ms", "-2", "Retention of the local part of a tiered log.")
        .at_least(-2)
        .without_effect(NO_TIERS)
        .given_by(&[("log.local.retention.ms", 1)]),
    long("max.compaction.lag.ms", "9223372036854775807", "After which a log is cleaned in any case.")
        .at_least(1)
        .not_yet(CLEANER)
        .given_by(&[("log.cleaner.max.compaction.lag.ms", 1)]),
    int("max.message.bytes", "1048588", "The largest record batch, after compression.")
        .at_least(0)
        .given_by(&[("message.max.bytes", 1)]),
    long("message.timestamp.after.max.ms", "3600000", "How far a record's time may lie ahead.")
        .at_least(0)
        .given_by(&[("log.message.timestamp.after.max.ms", 1)]),
    long("message.timestamp.before.max.ms", "9223372036854775807", "How far a record's time may lie behind.")
        .at_least(0)
        .given_by(&[("log.message.timestamp.before.max.ms", 1)]),
    string("message.timestamp.type", "CreateTime", "Whether records keep their sender's time or get the broker's.")
        .takes(Allowed::OneOf(TIMESTAMP_TYPES))
        .given_by(&[("log.message.timestamp.type", 1)]),
    double("min.cleanable.dirty.ratio", "0.5", "The share of dirty bytes from which a log is cleaned.")
        .takes(Allowed::Between(0, 1))
        .not_yet(CLEANER)
        .given_by(&[("log.cleaner.min.cleanable.ratio", 1)]),
    long("min.compaction.lag.ms", "0", "How long a record is safe from compaction.")
        .at_least(0)
        .not_yet(CLEANER)
        .given_by(&[("log.cleaner.min.compaction.lag.ms", 1)]),
    int("min.insync.replicas", "1", "Replicas that must have a record before acks=all is answered.")
        .at_least(1)
        .without_effect(ONE_COPY)
        .given_by(&[("min.insync.replicas", 1)]),
    boolean("preallocate", "false", "Reserves the space of a segment when it is made.")
        .without_effect("segments grow as they are written")
        .given_by(&[("log.preallocate", 1)]),
    boolean("remote.log.copy.disable", "false", "Stops copying to remote storage.").without_effect(NO_TIERS),
    boolean("remote.log.delete.on.disable", "false", "Deletes remote data when tiering ends.").without_effect(NO_TIERS),
    boolean("remote.storage.enable", "false", "Tiered storage.").without_effect(NO_TIERS),
    long("retention.bytes", "-1", "A partition larger than this loses its oldest segments; -1 for no limit.")
        .not_yet(RETENTION)
        .given_by(&[("log.retention.bytes", 1)]),
    long("retention.ms", "604800000", "Segments whose newest record is older than this are deleted; -1 for never.")
        .at_least(-1)
        .not_yet(RETENTION)
        .given_by(&[("log.retention.ms", 1), ("log.retention.minutes", 60 * 1000), ("log.retention.hours", HOUR_MS)]),
    int("segment.bytes", "1073741824", "A segment that would grow beyond this is rolled.")
        .at_least(MIN_SEGMENT_BYTES)
        .given_by(&[("log.segment.bytes", 1)]),
    int("segment.index.bytes", "10485760", "The largest offset index; a full one rolls its segment.")
        .at_least(4)
        .given_by(&[("log.index.size.max.bytes", 1)]),
    long("segment.jitter.ms", "0", "Rolls are brought forward by up to this, so that not all come at once.")
        .at_least(0)
        .given_by(&[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR_MS)]),
    long("segment.ms", "604800000", "A segment whose first record is older than this is rolled.")
        .at_least(1)
        .given_by(&[("log.roll.ms", 1), ("log.roll.hours", HOUR_MS)]),
    boolean("unclean.leader.election.enable", "false", "Lets a replica that lost records become leader.")
        .without_effect(NO_REPLICAS)
        .given_by(&[("unclean.leader.election.enable", 1)]),
];
