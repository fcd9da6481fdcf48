//! Tests of layers, of origins, and of what comes out of them.

use super::*;
use crate::config::Origin;

/// The settings of the `server.properties` that Kafka 4.3 ships for one KRaft node.
const STOCK: &str = "\
# a comment
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,\\
    SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
";

fn file(text: &str) -> Settings {
    Settings::default().with_file("server.properties", text.as_bytes()).expect("a properties file")
}

fn environment(settings: Settings, variable: &str, value: &str) -> Settings {
    settings.with_environment([(variable.to_owned(), value.to_owned())])
}

fn refusal(settings: &Settings) -> String {
    settings.resolve().expect_err("refused").to_string()
}

#[test]
fn without_configuration_a_broker_is_local_and_complete() {
    let config = BrokerConfig::default();
    assert_eq!(config.log_dir, PathBuf::from("./cutaway-data"));
    assert_eq!(config.node_id, 1);
    assert_eq!((config.listeners[0].host.as_str(), config.listeners[0].port), ("127.0.0.1", 9092));
    assert_eq!(config.topic_defaults, TopicConfig::default());
    assert_eq!(config.notes, Vec::<String>::new());
    assert_eq!((config.max_connections, config.queued_max_request_bytes), (4096, 256 * 1024 * 1024));
}

#[test]
fn a_stock_kraft_file_works_unchanged() {
    let config = file(STOCK).resolve().expect("a stock file");
    assert_eq!(config.log_dir, PathBuf::from("/tmp/kraft-combined-logs"));
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(
        config.notes[..2],
        [
            "without effect until Cutaway has the retention schedule: \
             log.retention.check.interval.ms, log.retention.hours",
            "understood, but without effect in one process: controller.quorum.voters, inter.broker.listener.name, \
             num.io.threads, num.network.threads, num.recovery.threads.per.data.dir, \
             share.coordinator.state.topic.min.isr, \
             share.coordinator.state.topic.replication.factor, socket.receive.buffer.bytes, \
             socket.send.buffer.bytes, transaction.state.log.min.isr, transaction.state.log.replication.factor",
        ]
    );
    assert_eq!(config.notes.len(), 4, "two more on listeners: {:#?}", config.notes);
}

#[test]
fn a_stronger_layer_wins_in_whatever_order_it_was_set() {
    let key = "num.partitions";
    type Layer = (fn(Settings) -> Settings, i32);
    let layers: [Layer; 4] = [
        (|settings| settings.with_file("f", b"num.partitions=2").expect("a file"), 2),
        (|settings| environment(settings, "KAFKA_NUM_PARTITIONS", "3"), 3),
        (|settings| settings.with_override("num.partitions=4").expect("an assignment"), 4),
        (|settings| settings.with_flag("--partitions", "num.partitions", 5), 5),
    ];
    let mut forwards = Settings::default();
    for (set, expected) in layers {
        forwards = set(forwards);
        assert_eq!(forwards.resolve().expect("legal").num_partitions, expected);
    }
    let backwards = layers.iter().rev().fold(Settings::default(), |settings, (set, _)| set(settings));
    assert_eq!(backwards.resolve().expect("legal").num_partitions, 5);
    let origins: Vec<String> = backwards.synonyms(key).iter().map(ToString::to_string).collect();
    assert_eq!(
        origins,
        [
            "num.partitions=5 (--partitions)",
            "num.partitions=4 (--override)",
            "num.partitions=3 (environment variable KAFKA_NUM_PARTITIONS)",
            "num.partitions=2 (f line 1)",
            "num.partitions=1 (default)",
        ]
    );
}

#[test]
fn the_last_line_of_a_file_counts() {
    let settings = file("num.partitions=2\nnum.partitions=3");
    assert_eq!(settings.resolve().expect("legal").num_partitions, 3);
    assert_eq!(
        settings.set_values("num.partitions")[0].origin,
        Origin::File { name: "server.properties".into(), line: 2 }
    );
}

#[test]
fn finer_keys_win_over_coarser_ones() {
    let retention = |text: &str| file(text).resolve().expect("legal").topic_defaults.retention_ms;
    assert_eq!(retention("log.retention.hours=1"), 3_600_000);
    assert_eq!(retention("log.retention.minutes=1\nlog.retention.hours=1"), 60_000);
    assert_eq!(retention("log.retention.ms=5\nlog.retention.minutes=1\nlog.retention.hours=1"), 5);
    assert_eq!(retention("log.retention.hours=-1"), -1);
    assert_eq!(retention("log.retention.ms=-7"), -1);
    let topic = |text: &str| file(text).resolve().expect("legal").topic_defaults;
    assert_eq!(topic("log.roll.hours=2").segment_ms, 7_200_000);
    assert_eq!(topic("log.roll.ms=9\nlog.roll.hours=2").segment_ms, 9);
    assert_eq!(topic("log.roll.jitter.hours=1").segment_jitter_ms, 3_600_000);
    assert_eq!(topic("log.flush.scheduler.interval.ms=7").flush_ms, 7);
    assert_eq!(topic("log.flush.scheduler.interval.ms=7\nlog.flush.interval.ms=8").flush_ms, 8);
}

#[test]
fn a_finer_key_of_a_weaker_layer_still_wins_and_says_so() {
    // As in Kafka: which key counts is decided before which layer.
    let config = file("log.roll.ms=5").with("log.roll.hours", 1).resolve().expect("legal");
    assert_eq!(config.topic_defaults.segment_ms, 5);
    assert_eq!(
        config.notes,
        [
            "log.roll.hours=1 (--override): has no effect, because log.roll.ms=5 (server.properties line 1) counts instead"
        ]
    );
}

#[test]
fn every_topic_default_comes_from_its_broker_key() {
    let config = file(
        "log.cleanup.policy=compact\ncompression.type=zstd\nlog.flush.interval.messages=3\n\
         log.index.interval.bytes=5\nmessage.max.bytes=6\nlog.message.timestamp.after.max.ms=7\n\
         log.message.timestamp.before.max.ms=8\nlog.message.timestamp.type=LogAppendTime\nmin.insync.replicas=2\n\
         log.retention.bytes=9\nlog.segment.bytes=1048577\nlog.index.size.max.bytes=10\n\
         log.segment.delete.delay.ms=11\nlog.cleaner.delete.retention.ms=12\nlog.cleaner.min.compaction.lag.ms=13\n\
         log.cleaner.max.compaction.lag.ms=14\nlog.cleaner.min.cleanable.ratio=0.25",
    )
    .resolve()
    .expect("legal");
    let topic = config.topic_defaults;
    assert!(topic.cleanup_policy_compact && !topic.cleanup_policy_delete);
    assert_eq!(topic.compression_type, crate::config::CompressionType::Zstd);
    assert_eq!((topic.flush_messages, topic.index_interval_bytes, topic.max_message_bytes), (3, 5, 6));
    assert_eq!((topic.message_timestamp_after_max_ms, topic.message_timestamp_before_max_ms), (7, 8));
    assert_eq!(topic.message_timestamp_type, crate::config::TimestampType::LogAppendTime);
    assert_eq!((topic.min_insync_replicas, topic.retention_bytes, topic.segment_bytes), (2, 9, 1_048_577));
    assert_eq!((topic.segment_index_bytes, topic.file_delete_delay_ms), (10, 11));
    assert_eq!((topic.delete_retention_ms, topic.min_compaction_lag_ms, topic.max_compaction_lag_ms), (12, 13, 14));
    assert_eq!((topic.min_cleanable_dirty_ratio, config.log_segment_delete_delay_ms), (0.25, 11));
}

/// A file, and the beginning of the sentence that refuses it.
const REFUSALS: &[(&str, &str)] = &[
    (
        "log.segment.bytes=abc",
        "log.segment.bytes=abc (server.properties line 1): must be a whole number of bytes of at least 1048576 and at most 2147483647",
    ),
    (
        "\n\nlog.segment.bytes=5",
        "log.segment.bytes=5 (server.properties line 3): must be a whole number of bytes of at least 1048576 and at most 2147483647",
    ),
    (
        "log.retention.ms=0",
        "log.retention.ms=0 (server.properties line 1): must be a whole number of milliseconds other than 0, negative for no limit",
    ),
    (
        "auto.create.topics.enable=yes",
        "auto.create.topics.enable=yes (server.properties line 1): must be true or false",
    ),
    (
        "log.cleanup.policy=purge",
        "log.cleanup.policy=purge (server.properties line 1): must be a list separated by commas, each one of compact, delete",
    ),
    (
        "compression.type=brotli",
        "compression.type=brotli (server.properties line 1): must be one of uncompressed, zstd, lz4, snappy, gzip, producer",
    ),
    (
        "log.cleaner.min.cleanable.ratio=2",
        "log.cleaner.min.cleanable.ratio=2 (server.properties line 1): must be a number from 0 to 1",
    ),
    (
        "compression.gzip.level=0",
        "compression.gzip.level=0 (server.properties line 1): must be a whole number from 1 to 9, or -1 for the codec's default",
    ),
    (
        "log.dirs=/a,/b",
        "log.dirs=/a,/b (server.properties line 1): names 2 folders; Cutaway keeps all data in one, so name one",
    ),
    ("log.dirs=", "log.dirs= (server.properties line 1): must be a list separated by commas, none empty"),
    (
        "process.roles=controller",
        "process.roles=controller (server.properties line 1): must contain broker: Cutaway is a broker and its own controller",
    ),
    (
        "node.id=1\nbroker.id=2",
        "broker.id=2 (server.properties line 2): is the old name of node.id and must equal node.id=1 (server.properties line 1); remove one",
    ),
    ("broker.id=-3", "broker.id=-3 (server.properties line 1): must be a whole number of at least 0"),
    (
        "queued.max.request.bytes=10",
        "queued.max.request.bytes=10 (server.properties line 1): must be at least socket.request.max.bytes, which is 104857600",
    ),
    (
        "log.cleaner.min.compaction.lag.ms=9\nlog.cleaner.max.compaction.lag.ms=8",
        "log.cleaner.min.compaction.lag.ms=9 (server.properties line 1): must not be greater than log.cleaner.max.compaction.lag.ms",
    ),
    ("num.partitions=\\u00zz", "server.properties line 1: is not a line of a properties file"),
];

#[test]
fn refusals_are_sentences_with_key_value_place_and_rule() {
    for (text, expected) in REFUSALS {
        let outcome = Settings::default().with_file("server.properties", text.as_bytes()).and_then(|s| s.resolve());
        let sentence = outcome.expect_err(text).to_string();
        assert!(sentence.starts_with(expected), "{sentence}");
    }
}

#[test]
fn all_mistakes_are_shown_at_once() {
    let sentences = file("num.partitions=0\nlisteners=x\nlog.roll.ms=0").resolve().expect_err("refused").sentences;
    assert_eq!(sentences.len(), 3, "{sentences:#?}");
}

#[test]
fn refusals_name_variable_override_and_flag() {
    let from_environment = environment(Settings::default(), "KAFKA_NUM_PARTITIONS", "x");
    assert!(refusal(&from_environment).starts_with("num.partitions=x (environment variable KAFKA_NUM_PARTITIONS): "));
    assert!(refusal(&Settings::default().with("num.partitions", "x")).starts_with("num.partitions=x (--override): "));
    let flag = Settings::default().with_flag("--listen", "listeners", "x");
    assert!(refusal(&flag).starts_with("listeners=x (--listen): "));
    let assignment = Settings::default().with_override("num.partitions").expect_err("no value").to_string();
    assert!(assignment.starts_with("--override num.partitions: must be KEY=VALUE"), "{assignment}");
}

#[test]
fn every_layer_names_the_key_that_was_meant() {
    let settings = Settings::default().with_file("f", b"num.partition=3").expect("lines");
    let settings = settings.with_environment([("KAFKA_LOG_SEGMNT_BYTES".to_owned(), "5000000".to_owned())]);
    let settings = settings.with_override("retention.ms=5").expect("an assignment");
    let ignored = "Kafka has no such broker setting, and it is ignored; did you mean";
    assert_eq!(
        settings.notes(),
        [
            format!("num.partition=3 (f line 1): {ignored} num.partitions?"),
            format!(
                "log.segmnt.bytes=5000000 (environment variable KAFKA_LOG_SEGMNT_BYTES): {ignored} \
                 KAFKA_LOG_SEGMENT_BYTES (log.segment.bytes)?"
            ),
            format!("retention.ms=5 (--override): {ignored} log.retention.ms?"),
        ]
    );
}

#[test]
fn unknown_and_idle_keys_are_noted() {
    let config = file(
        "log.segmnt.bytes=1\nzookeeper.connect=z\ngroup.coordinator.rebalance.protocols=classic\nnum.io.threads=4\n\
         metrics.num.samples=2\nssl.keystore.password=secret",
    )
    .resolve()
    .expect("notes, not refusals");
    assert_eq!(
        config.notes,
        [
            "log.segmnt.bytes=1 (server.properties line 1): Kafka has no such broker setting, \
             and it is ignored; did you mean log.segment.bytes?",
            "zookeeper.connect=z (server.properties line 2): Kafka has no such broker setting, and it is ignored",
            "without effect until Cutaway has TLS: ssl.keystore.password",
            "without effect until Cutaway has consumer groups of the new protocol: group.coordinator.rebalance.protocols",
            "understood, but without effect in one process: metrics.num.samples, num.io.threads",
        ]
    );
}

#[test]
fn the_old_names_of_keys_work() {
    assert_eq!(file("broker.id=7").resolve().expect("legal").node_id, 7);
    assert_eq!(file("log.dir=/x").resolve().expect("legal").log_dir, PathBuf::from("/x"));
    assert_eq!(file("log.dir=/x\nlog.dirs=/y").resolve().expect("legal").log_dir, PathBuf::from("/y"));
}

#[test]
fn passwords_are_not_shown() {
    let entry = &file("ssl.keystore.password=secret").synonyms("ssl.keystore.password")[0];
    assert_eq!(entry.to_string(), "ssl.keystore.password=[hidden] (server.properties line 1)");
}

#[test]
fn what_will_surprise_once_clients_come_is_noted_at_the_start() {
    for (key, value, told) in [
        ("num.partitions", "1000000", "more than one broker takes (10000)"),
        ("default.replication.factor", "3", "cannot be had on one node"),
        ("max.connections", "0", "one client at a time"),
    ] {
        let notes = Settings::default().with(key, value).resolve().expect("legal").notes;
        assert!(
            notes.iter().any(|note| note.starts_with(&format!("{key}={value} ")) && note.contains(told)),
            "{notes:?}"
        );
    }
    assert_eq!(Settings::default().resolve().expect("legal").notes, Vec::<String>::new());
}
