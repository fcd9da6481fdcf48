//! One topic's settings, resolved.

use std::collections::BTreeMap;

use super::broker_config::scaled;
use super::catalogue;
use super::definition::Definition;
use super::settings::Settings;
use super::value::Value;

/// `compression.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer sent it.
    Producer,
    /// None.
    Uncompressed,
    /// gzip.
    Gzip,
    /// snappy.
    Snappy,
    /// lz4.
    Lz4,
    /// zstd.
    Zstd,
}

/// `message.timestamp.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The time that the sender gave.
    CreateTime,
    /// The broker's time when it appended.
    LogAppendTime,
}

/// One topic's settings, resolved over the broker's defaults; each field is named after Kafka's topic key.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy` names `compact`.
    pub cleanup_policy_compact: bool,
    /// `cleanup.policy` names `delete`.
    pub cleanup_policy_delete: bool,
    /// `compression.type`.
    pub compression_type: CompressionType,
    /// `compression.gzip.level`; -1 for the codec's own default.
    pub compression_gzip_level: i32,
    /// `compression.lz4.level`.
    pub compression_lz4_level: i32,
    /// `compression.zstd.level`.
    pub compression_zstd_level: i32,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `flush.messages`; `i64::MAX` for never.
    pub flush_messages: i64,
    /// `flush.ms`; `i64::MAX` for never.
    pub flush_ms: i64,
    /// `index.interval.bytes`.
    pub index_interval_bytes: i32,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `max.message.bytes`.
    pub max_message_bytes: i32,
    /// `message.timestamp.after.max.ms`.
    pub message_timestamp_after_max_ms: i64,
    /// `message.timestamp.before.max.ms`.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `retention.bytes`; negative for no limit.
    pub retention_bytes: i64,
    /// `retention.ms`; -1 for no limit.
    pub retention_ms: i64,
    /// `segment.bytes`, or `internal.segment.bytes` where that is set.
    pub segment_bytes: i32,
    /// `segment.index.bytes`.
    pub segment_index_bytes: i32,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.ms`.
    pub segment_ms: i64,
}

impl Default for TopicConfig {
    /// The catalogue's defaults: what a topic has when neither it nor the broker sets anything.
    fn default() -> TopicConfig {
        let mut config = TopicConfig::blank();
        for definition in catalogue::topic_settings() {
            if let Some(default) = definition.default {
                let value = definition.parse(default).expect("a test parses every default of the catalogue");
                config.set(definition.name, &value);
            }
        }
        config
    }
}

impl TopicConfig {
    /// The defaults with a topic's own settings over them; the error is Kafka's sentence.
    pub fn with_overrides(&self, overrides: &[(String, Option<String>)]) -> Result<TopicConfig, String> {
        if let Some((name, _)) = overrides.iter().find(|(name, _)| catalogue::topic_setting(name).is_none()) {
            return Err(format!("Unknown topic config name: {name}"));
        }
        let nulls: Vec<&str> =
            overrides.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
        if !nulls.is_empty() {
            return Err(format!("Null value not supported for topic configs: {}", nulls.join(",")));
        }
        let mut config = self.clone();
        // Both segment sizes share a field, and the internal one wins in whatever order they come.
        let (internal, usual): (Vec<_>, Vec<_>) =
            overrides.iter().partition(|(name, _)| name == "internal.segment.bytes");
        for (name, value) in usual.into_iter().chain(internal) {
            config.apply(name, value.as_deref().unwrap_or_default())?;
        }
        config.check_lags()?;
        Ok(config)
    }

    /// The defaults with a topic's own settings over them, which were accepted once. All of them count, also where a
    /// default was altered since so that two do not go together any more; a value that this version does not take is
    /// left out, with a sentence.
    pub fn with_own(&self, own: &BTreeMap<String, String>) -> (TopicConfig, Vec<String>) {
        let mut config = self.clone();
        // The internal segment size wins over the usual one, which comes behind it by name.
        let internal = own.get_key_value("internal.segment.bytes");
        let sentences = own.iter().chain(internal).filter_map(|(key, value)| config.apply(key, value).err()).collect();
        (config, sentences)
    }

    /// Takes what the broker's settings give for a key, if they give anything.
    pub(super) fn inherit(&mut self, definition: &Definition, settings: &Settings) {
        if let Some((entry, factor)) = settings.topic_default(definition) {
            // A value that cannot be read was refused when all values were checked.
            let _ = self.apply(definition.name, &scaled(definition, &entry.value, factor));
        }
    }

    /// Reads one value by its definition and puts it in its field.
    pub(super) fn apply(&mut self, name: &str, raw: &str) -> Result<(), String> {
        let definition = catalogue::topic_setting(name).ok_or_else(|| format!("Unknown topic config name: {name}"))?;
        let value = definition.parse(raw)?;
        if (name, &value) == ("remote.storage.enable", &Value::Boolean(true)) {
            return Err("Tiered Storage functionality is disabled in the broker. \
                        Topic cannot be configured with remote log storage."
                .into());
        }
        self.set(name, &value);
        Ok(())
    }

    /// Kafka's only rule about two topic keys at once.
    fn check_lags(&self) -> Result<(), String> {
        if self.min_compaction_lag_ms > self.max_compaction_lag_ms {
            return Err(format!(
                "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
                self.min_compaction_lag_ms, self.max_compaction_lag_ms
            ));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &Value) {
        match value {
            Value::Whole(number) => self.set_whole(name, *number),
            Value::Double(number) if name == "min.cleanable.dirty.ratio" => self.min_cleanable_dirty_ratio = *number,
            Value::List(words) if name == "cleanup.policy" => {
                self.cleanup_policy_compact = words.iter().any(|word| word == "compact");
                self.cleanup_policy_delete = words.iter().any(|word| word == "delete");
            }
            Value::Text(word) if name == "compression.type" => self.compression_type = compression_type(word),
            Value::Text(word) if name == "message.timestamp.type" => {
                self.message_timestamp_type = match word.as_str() {
                    "LogAppendTime" => TimestampType::LogAppendTime,
                    _ => TimestampType::CreateTime,
                }
            }
            // The rest is understood and without effect here.
            _ => {}
        }
    }

    fn set_whole(&mut self, name: &str, number: i64) {
        let narrow = || i32::try_from(number).expect("the definition says INT, so a larger number was refused");
        match name {
            "compression.gzip.level" => self.compression_gzip_level = narrow(),
            "compression.lz4.level" => self.compression_lz4_level = narrow(),
            "compression.zstd.level" => self.compression_zstd_level = narrow(),
            "delete.retention.ms" => self.delete_retention_ms = number,
            "file.delete.delay.ms" => self.file_delete_delay_ms = number,
            "flush.messages" => self.flush_messages = number,
            "flush.ms" => self.flush_ms = number,
            "index.interval.bytes" => self.index_interval_bytes = narrow(),
            "max.compaction.lag.ms" => self.max_compaction_lag_ms = number,
            "max.message.bytes" => self.max_message_bytes = narrow(),
            "message.timestamp.after.max.ms" => self.message_timestamp_after_max_ms = number,
            "message.timestamp.before.max.ms" => self.message_timestamp_before_max_ms = number,
            "min.compaction.lag.ms" => self.min_compaction_lag_ms = number,
            "min.insync.replicas" => self.min_insync_replicas = narrow(),
            "retention.bytes" => self.retention_bytes = number,
            "retention.ms" => self.retention_ms = number,
            "segment.bytes" | "internal.segment.bytes" => self.segment_bytes = narrow(),
            "segment.index.bytes" => self.segment_index_bytes = narrow(),
            "segment.jitter.ms" => self.segment_jitter_ms = number,
            "segment.ms" => self.segment_ms = number,
            _ => {}
        }
    }

    /// A value of the type for the catalogue's defaults to be written over; a test checks that each one is.
    fn blank() -> TopicConfig {
        TopicConfig {
            cleanup_policy_compact: false,
            cleanup_policy_delete: false,
            compression_type: CompressionType::Uncompressed,
            compression_gzip_level: 0,
            compression_lz4_level: 0,
            compression_zstd_level: 0,
            delete_retention_ms: 0,
            file_delete_delay_ms: 0,
            flush_messages: 0,
            flush_ms: 0,
            index_interval_bytes: 0,
            max_compaction_lag_ms: 0,
            max_message_bytes: 0,
            message_timestamp_after_max_ms: 0,
            message_timestamp_before_max_ms: 0,
            message_timestamp_type: TimestampType::LogAppendTime,
            min_cleanable_dirty_ratio: 0.0,
            min_compaction_lag_ms: 0,
            min_insync_replicas: 0,
            retention_bytes: 0,
            retention_ms: 0,
            segment_bytes: 0,
            segment_index_bytes: 0,
            segment_jitter_ms: 0,
            segment_ms: 0,
        }
    }
}

fn compression_type(word: &str) -> CompressionType {
    match word {
        "uncompressed" => CompressionType::Uncompressed,
        "gzip" => CompressionType::Gzip,
        "snappy" => CompressionType::Snappy,
        "lz4" => CompressionType::Lz4,
        "zstd" => CompressionType::Zstd,
        _ => CompressionType::Producer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn override_with(pairs: &[(&str, Option<&str>)]) -> Result<TopicConfig, String> {
        let owned: Vec<(String, Option<String>)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
        TopicConfig::default().with_overrides(&owned)
    }

    #[test]
    fn defaults_are_those_that_kafka_prints() {
        let config = TopicConfig::default();
        assert!(config.cleanup_policy_delete && !config.cleanup_policy_compact);
        assert_eq!(config.compression_type, CompressionType::Producer);
        assert_eq!(config.message_timestamp_type, TimestampType::CreateTime);
        assert_eq!((config.segment_bytes, config.segment_index_bytes), (1_073_741_824, 10_485_760));
        assert_eq!((config.retention_ms, config.retention_bytes), (604_800_000, -1));
        assert_eq!((config.max_message_bytes, config.index_interval_bytes), (1_048_588, 4096));
        assert_eq!((config.flush_messages, config.flush_ms), (i64::MAX, 1000));
        assert_eq!((config.segment_ms, config.segment_jitter_ms), (604_800_000, 0));
        assert_eq!(config.message_timestamp_before_max_ms, i64::MAX);
        assert_eq!(config.message_timestamp_after_max_ms, 3_600_000);
        assert_eq!((config.min_insync_replicas, config.min_cleanable_dirty_ratio), (1, 0.5));
        assert_eq!((config.compression_gzip_level, config.compression_lz4_level), (-1, 9));
        assert_eq!((config.compression_zstd_level, config.file_delete_delay_ms), (3, 60_000));
        assert_eq!((config.delete_retention_ms, config.min_compaction_lag_ms), (86_400_000, 0));
        assert_eq!(config.max_compaction_lag_ms, i64::MAX);
    }

    /// A key, a value, and Kafka's sentence about it.
    const REFUSALS: &[(&str, &str, &str)] = &[
        ("foo.bar", "1", "Unknown topic config name: foo.bar"),
        ("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        ("segment.bytes", "abc", "Invalid value abc for configuration segment.bytes: Not a number of type INT"),
        (
            "segment.bytes",
            "9999999999",
            "Invalid value 9999999999 for configuration segment.bytes: Not a number of type INT",
        ),
        ("segment.bytes", "100", "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576"),
        (
            "cleanup.policy",
            "bogus",
            "Invalid value bogus for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        ("cleanup.policy", "delete,", "Configuration 'cleanup.policy' values must not be empty."),
        (
            "compression.type",
            "brotli",
            "Invalid value brotli for configuration compression.type: String must be one of: \
             uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            "min.cleanable.dirty.ratio",
            "2",
            "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "preallocate",
            "yes",
            "Invalid value yes for configuration preallocate: Expected value to be either true or false",
        ),
        (
            "compression.gzip.level",
            "0",
            "Invalid value 0 for configuration compression.gzip.level: \
             Value must be between 1 and 9 or equal to -1",
        ),
        ("min.insync.replicas", "0", "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"),
        (
            "remote.storage.enable",
            "true",
            "Tiered Storage functionality is disabled in the broker. \
             Topic cannot be configured with remote log storage.",
        ),
    ];

    #[test]
    fn refusals_are_kafkas_sentences() {
        for (name, value, expected) in REFUSALS {
            assert_eq!(override_with(&[(name, Some(value))]), Err((*expected).to_owned()));
        }
        assert_eq!(
            override_with(&[("retention.ms", None)]),
            Err("Null value not supported for topic configs: retention.ms".into())
        );
        assert_eq!(
            override_with(&[("min.compaction.lag.ms", Some("9")), ("max.compaction.lag.ms", Some("5"))]),
            Err("conflict topic config setting min.compaction.lag.ms (9) > max.compaction.lag.ms (5)".into())
        );
    }

    #[test]
    fn a_topics_own_settings_lie_over_the_defaults() {
        let config = override_with(&[("cleanup.policy", Some("compact, delete")), ("retention.ms", Some(" 60000 "))])
            .expect("legal settings");
        assert!(config.cleanup_policy_compact && config.cleanup_policy_delete);
        assert_eq!(config.retention_ms, 60_000);
        let neither = override_with(&[("cleanup.policy", Some(""))]).expect("legal since 4.2");
        assert!(!neither.cleanup_policy_compact && !neither.cleanup_policy_delete);
    }

    #[test]
    fn the_internal_segment_size_wins_in_either_order() {
        let (small, large) = (("internal.segment.bytes", Some("4096")), ("segment.bytes", Some("2097152")));
        for pairs in [[small, large], [large, small]] {
            assert_eq!(override_with(&pairs).expect("legal").segment_bytes, 4096);
        }
    }
}
