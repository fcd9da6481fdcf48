//! Every setting there is, as rows of tables by theme.

mod cluster;
mod log;
mod names;
mod network;
mod topic;

use super::definition::Definition;

/// Prefixes of Kafka's keys that carry a name of the user's own.
const PREFIXES: &[&str] = &["listener.name.", "config.providers.", "rlmm.config.", "rsm.config."];

/// How alike two names must be for one to be offered instead of the other; 1 is equal.
const LIKENESS: f64 = 0.75;

/// Every setting of the broker that has a definition.
pub fn broker_settings() -> impl Iterator<Item = &'static Definition> {
    [network::ROWS, log::ROWS, cluster::ROWS].into_iter().flatten()
}

/// Every setting that a topic may have of its own.
pub fn topic_settings() -> impl Iterator<Item = &'static Definition> {
    topic::ROWS.iter()
}

/// The definition of a key of the broker.
pub fn broker_setting(name: &str) -> Option<&'static Definition> {
    broker_settings().find(|definition| definition.name == name)
}

/// The definition of a key of a topic.
pub fn topic_setting(name: &str) -> Option<&'static Definition> {
    topic_settings().find(|definition| definition.name == name)
}

/// The topic's key whose default a broker's key gives.
pub fn topic_twin(broker_key: &str) -> Option<&'static Definition> {
    topic_settings().find(|definition| definition.broker_keys.iter().any(|(key, _)| *key == broker_key))
}

/// Whether Kafka has a broker key of this name that has no definition here.
pub fn is_known_by_name_only(name: &str) -> bool {
    names::NAMES.binary_search(&name).is_ok() || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The name most like one that nobody knows, if any is alike. Who writes a topic's key means the broker's of the same
/// meaning; case and the kind of separator are no difference.
pub fn nearest(name: &str) -> Option<&'static str> {
    let plain = name.trim().to_lowercase().replace(['_', '-'], ".");
    if let Some((key, _)) = topic_setting(&plain).and_then(|definition| definition.broker_keys.first()) {
        return Some(key);
    }
    let known = broker_settings().map(|definition| definition.name).chain(names::NAMES.iter().copied());
    let likeness = |candidate: &str| strsim::normalized_damerau_levenshtein(&plain, candidate);
    known
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(alike, _)| *alike >= LIKENESS)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::definition::Effect;

    #[test]
    fn every_default_is_a_value_that_the_setting_takes() {
        for definition in broker_settings().chain(topic_settings()) {
            if let Some(default) = definition.default {
                assert!(definition.parse(default).is_ok() || definition.name == "broker.id", "{}", definition.name);
            }
        }
    }

    #[test]
    fn names_stand_once_and_refer_to_names_that_exist() {
        let mut all: Vec<&str> = broker_settings().map(|definition| definition.name).collect();
        all.extend(names::NAMES);
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
        for definition in broker_settings().chain(topic_settings()) {
            if let Effect::Unless(key) = definition.effect {
                assert!(broker_setting(key).is_some(), "{key}");
            }
            for (key, _) in definition.broker_keys {
                assert!(broker_setting(key).is_some(), "{key}");
            }
        }
        assert!(names::NAMES.is_sorted());
        assert!(topic::ROWS.is_sorted_by_key(|definition| definition.name));
    }

    #[test]
    fn a_slip_of_the_pen_finds_its_key() {
        assert_eq!(nearest("log.segmnt.bytes"), Some("log.segment.bytes"));
        assert_eq!(nearest("log.retention.msec"), Some("log.retention.ms"));
        assert_eq!(nearest("LOG_SEGMENT_BYTES"), Some("log.segment.bytes"));
        assert_eq!(nearest("num.partition"), Some("num.partitions"));
        assert_eq!(nearest("zookeeper.connect"), None);
        assert_eq!(nearest("log"), None);
    }

    #[test]
    fn a_topics_key_finds_the_brokers() {
        assert_eq!(nearest("segment.bytes"), Some("log.segment.bytes"));
        assert_eq!(nearest("max.message.bytes"), Some("message.max.bytes"));
        assert_eq!(nearest("retention.ms"), Some("log.retention.ms"));
    }

    #[test]
    fn topic_keys_and_broker_keys_know_each_other() {
        assert_eq!(topic_twin("log.retention.hours").map(|twin| twin.name), Some("retention.ms"));
        assert_eq!(topic_twin("node.id"), None);
    }
}
