//! Every setting there is, as rows of tables by theme.

mod cluster;
mod facts;
mod log;
mod network;
mod topic;

use super::definition::Definition;
use facts::{Fact, fact_about, facts};

pub use facts::UpdateMode;

/// Prefixes of Kafka's keys that carry a name of the user's own.
const PREFIXES: &[&str] = &["listener.name.", "config.providers.", "rlmm.config.", "rsm.config."];

/// What may be altered while a Kafka runs, and takes a restart here.
const NEEDS_RESTART: &[&str] = &["listener.security.protocol.map", "listeners", "max.connections"];

/// How alike two names must be for one to be offered instead of the other; 1 is equal.
const LIKENESS: f64 = 0.75;

/// Every setting of the broker that has a row of its own.
pub fn broker_settings() -> impl Iterator<Item = &'static Definition> {
    [network::ROWS, log::ROWS, cluster::ROWS].into_iter().flatten()
}

/// Those settings of a Kafka broker of which only Kafka's facts are known.
pub fn known_settings() -> impl Iterator<Item = &'static Definition> {
    facts().iter().map(|fact| &fact.definition).filter(|definition| row(definition.name).is_none())
}

/// Every setting that a topic may have of its own.
pub fn topic_settings() -> impl Iterator<Item = &'static Definition> {
    topic::ROWS.iter()
}

/// The definition of a key of the broker: our row, or else what Kafka says.
pub fn broker_setting(name: &str) -> Option<&'static Definition> {
    row(name).or_else(|| fact_about(name).map(|fact| &fact.definition))
}

/// When a broker's key may change. Keys that Kafka does not know change with a restart.
pub fn update_mode(name: &str) -> UpdateMode {
    fact_about(name).map_or(UpdateMode::ReadOnly, |fact| fact.mode)
}

/// Whether a broker's key may be altered while the broker runs.
pub fn may_be_altered(name: &str) -> bool {
    update_mode(name) != UpdateMode::ReadOnly && !NEEDS_RESTART.contains(&name)
}

/// A broker's key and those that give way to it or to which it gives way, the strongest first.
pub fn broker_synonyms(name: &str) -> Vec<&str> {
    match topic_twin(name) {
        // Kafka knows this one only from the other side.
        Some(twin) if name != "log.flush.scheduler.interval.ms" => {
            twin.broker_keys.iter().map(|(key, _)| *key).collect()
        }
        _ => vec![name],
    }
}

/// The keys that clients are told of when they ask for all of a broker's, in the order of their names.
pub fn told_settings() -> impl Iterator<Item = &'static Definition> {
    let is_told = |fact: &&Fact| !fact.is_internal && fact.mode != UpdateMode::DynamicOnly;
    facts().iter().filter(is_told).filter_map(|fact| broker_setting(fact.definition.name))
}

fn row(name: &str) -> Option<&'static Definition> {
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

/// Whether a name begins like those of Kafka's keys that end with a name of the user's own.
pub fn has_known_prefix(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The name most like one that nobody knows, if any is alike. Who writes a topic's key means the broker's of the same
/// meaning; case and the kind of separator are no difference.
pub fn nearest(name: &str) -> Option<&'static str> {
    let plain = name.trim().to_lowercase().replace(['_', '-'], ".");
    if let Some((key, _)) = topic_setting(&plain).and_then(|definition| definition.broker_keys.first()) {
        return Some(key);
    }
    let known = broker_settings().chain(known_settings()).map(|definition| definition.name);
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
    use crate::config::definition::{Allowed, Effect};

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
        assert!(topic::ROWS.is_sorted_by_key(|definition| definition.name));
    }

    #[test]
    fn rows_say_what_kafka_says() {
        let disagreement = |row: &Definition| {
            let fact = fact_about(row.name).map(|fact| fact.definition)?;
            let default = row.difference.map_or(row.default, |difference| difference.kafka_default);
            let allowed = if fact.allowed == Allowed::Any { row.allowed } else { fact.allowed };
            let agrees = (row.kind, default, row.allowed) == (fact.kind, fact.default, allowed);
            (!agrees).then(|| format!("{row:?} is not {fact:?}"))
        };
        let disagreements: Vec<String> = broker_settings().filter_map(disagreement).collect();
        assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
        // What the broker itself does not define: two keys of ours, and two of Kafka's authorizer.
        let others = broker_settings().map(|row| row.name).filter(|name| fact_about(name).is_none());
        let of_elsewhere =
            ["cutaway.allow.insecure.listeners", "cutaway.nodes", "super.users", "allow.everyone.if.no.acl.found"];
        assert!(others.eq(of_elsewhere));
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
