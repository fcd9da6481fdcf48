//! What Kafka itself says of its broker's settings: the table of facts, generated from its jars.
//!
//! A setting that has a row of ours is told about by that row; the facts add when it may change, and stand in for
//! those settings that have none. A test holds rows and facts against each other.

use std::sync::OnceLock;

use super::super::definition::{Allowed, Definition, Kind};

/// When a setting may change, with Kafka's words for it (KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateMode {
    /// With a restart only.
    ReadOnly,
    /// While the broker runs, for each broker by itself.
    PerBroker,
    /// While the broker runs, for one broker or for all.
    ClusterWide,
    /// As [`UpdateMode::ClusterWide`], and never in a file.
    DynamicOnly,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    /// The setting as Kafka defines it; what it is for is not among the facts.
    pub(super) definition: Definition,
    pub(super) mode: UpdateMode,
    /// Kafka does not tell clients of it.
    pub(super) is_internal: bool,
}

/// Every fact, in the order of the names.
pub(super) fn facts() -> &'static [Fact] {
    static FACTS: OnceLock<Vec<Fact>> = OnceLock::new();
    FACTS.get_or_init(|| {
        let lines = include_str!("kafka-4.3.1.settings").lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| fact(line).unwrap_or_else(|| panic!("a test reads every line of the table: {line}"))).collect()
    })
}

/// The fact about a setting.
pub(super) fn fact_about(name: &str) -> Option<&'static Fact> {
    let facts = facts();
    facts.binary_search_by(|fact| fact.definition.name.cmp(name)).ok().map(|index| &facts[index])
}

fn fact(line: &'static str) -> Option<Fact> {
    let (line, default) = match line.split_once(" =") {
        Some((line, default)) => (line, Some(default)),
        None => (line, None),
    };
    let mut words = line.split(' ');
    let (name, kind) = (words.next()?, Kind::named(words.next()?)?);
    let mode = match words.next()? {
        "read-only" => UpdateMode::ReadOnly,
        "per-broker" => UpdateMode::PerBroker,
        "cluster-wide" => UpdateMode::ClusterWide,
        "dynamic-only" => UpdateMode::DynamicOnly,
        _ => return None,
    };
    let definition = Definition::known_only(kind, name, default).takes(allowed(kind, words.next()?)?);
    Some(Fact { definition, mode, is_internal: words.next() == Some("internal") })
}

fn allowed(kind: Kind, text: &'static str) -> Option<Allowed> {
    match (text, text.split_once("..")) {
        ("any" | "checked", _) => Some(Allowed::Any),
        (_, Some((from, ""))) => Some(Allowed::AtLeast(from.parse().ok()?)),
        (_, Some((from, to))) => match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) => Some(Allowed::Between(from, to)),
            // A bound with a fraction; Kafka has one, on a setting that is internal.
            _ => Some(Allowed::Any),
        },
        (words, None) => {
            let words = words.split('|').collect::<Vec<_>>().leak();
            Some(if kind == Kind::List { Allowed::EachOf(words) } else { Allowed::OneOf(words) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read_and_searched() {
        assert!(facts().is_sorted_by_key(|fact| fact.definition.name));
        let threads = fact_about("num.io.threads").expect("Kafka has it");
        assert_eq!((threads.definition.kind, threads.definition.default), (Kind::Int, Some("8")));
        assert_eq!((threads.definition.allowed, threads.mode), (Allowed::AtLeast(1), UpdateMode::ClusterWide));
        assert_eq!(
            fact_about("log.dirs").map(|fact| (fact.mode, fact.definition.default)),
            Some((UpdateMode::ReadOnly, None))
        );
        assert!(fact_about("unstable.api.versions.enable").is_some_and(|fact| fact.is_internal));
        assert!(
            fact_about("leader.replication.throttled.rate").is_some_and(|fact| fact.mode == UpdateMode::DynamicOnly)
        );
        assert!(fact_about("zookeeper.connect").is_none());
    }
}
