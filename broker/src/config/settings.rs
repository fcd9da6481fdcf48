//! What was set, where, and which of it counts.
//!
//! Layers, the weakest first: defaults, `server.properties`, environment, `--override`, flags, and what clients altered
//! while the broker ran. Nothing is forgotten: what was set more weakly stays beside what counts, because DescribeConfigs reports it as a synonym.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use java_properties::{LineContent, PropertiesIter};

use super::catalogue;
use super::definition::{Definition, Effect, Kind};
use super::effective::Source;
use super::environment;
use super::limits::MAX_NODES;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In a file.
    File {
        /// The file as it was named.
        name: String,
        /// Its line, from 1.
        line: usize,
    },
    /// In the environment.
    Environment {
        /// The variable.
        variable: String,
    },
    /// With `--override`, or by the program that embeds the broker.
    Override,
    /// With a flag of the command line.
    Flag {
        /// The flag with its dashes.
        flag: &'static str,
    },
    /// By a client, while the broker ran.
    Altered(Scope),
}

/// For whom a client alters the settings of brokers (KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// For all brokers of the cluster.
    Cluster,
    /// For this broker; this counts more.
    Broker,
}

impl Scope {
    /// The one that counts more comes last.
    pub const ALL: [Scope; 2] = [Scope::Cluster, Scope::Broker];
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { name, line } => write!(f, "{name} line {line}"),
            Origin::Environment { variable } => write!(f, "environment variable {variable}"),
            Origin::Override => f.write_str("--override"),
            Origin::Flag { flag } => f.write_str(flag),
            Origin::Altered(Scope::Cluster) => f.write_str("altered for all brokers"),
            Origin::Altered(Scope::Broker) => f.write_str("altered for this broker"),
        }
    }
}

/// One value that was set, or a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The broker's key.
    pub key: String,
    /// The value as it was written.
    pub value: String,
    /// Where.
    pub origin: Origin,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match catalogue::broker_setting(&self.key) {
            Some(Definition { kind: Kind::Password, .. }) => write!(f, "{}=[hidden] ({})", self.key, self.origin),
            _ => write!(f, "{}={} ({})", self.key, self.value, self.origin),
        }
    }
}

/// Why settings cannot be used: one sentence for each mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", sentences.join("\n"))]
pub struct SettingsError {
    /// The sentences, in the order in which the mistakes were found.
    pub sentences: Vec<String>,
}

/// Everything that was set, in all layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// In the order in which it was set.
    entries: Vec<Entry>,
}

impl Settings {
    /// Sets one key, stronger than files and environment, weaker than flags.
    #[must_use]
    pub fn with(self, key: &str, value: impl fmt::Display) -> Settings {
        self.with_entry(key, value.to_string(), Origin::Override)
    }

    /// Sets one key with a flag.
    #[must_use]
    pub fn with_flag(self, flag: &'static str, key: &str, value: impl fmt::Display) -> Settings {
        self.with_entry(key, value.to_string(), Origin::Flag { flag })
    }

    /// Sets `key=value` as given after `--override`.
    pub fn with_override(self, assignment: &str) -> Result<Settings, SettingsError> {
        match assignment.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(self.with(key.trim(), value.trim())),
            _ => Err(SettingsError {
                sentences: vec![format!("--override {assignment}: must be KEY=VALUE, as in log.segment.bytes=1048576")],
            }),
        }
    }

    /// Reads `server.properties`; `name` is how sentences call it. As in Java, the text is ISO 8859-1 with `\u` escapes.
    pub fn with_file(mut self, name: &str, text: &[u8]) -> Result<Settings, SettingsError> {
        for line in PropertiesIter::new(text) {
            let line = line.map_err(|error| unreadable(name, &error))?;
            let origin = Origin::File { name: name.to_owned(), line: line.line_number() };
            if let LineContent::KVPair(key, value) = line.consume_content() {
                self = self.with_entry(&key, value, origin);
            }
        }
        Ok(self)
    }

    /// Reads environment variables as the apache/kafka image does.
    #[must_use]
    pub fn with_environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Settings {
        self.entries.extend(environment::entries(variables));
        self
    }

    fn with_entry(mut self, key: &str, value: String, origin: Origin) -> Settings {
        self.entries.push(Entry { key: key.to_owned(), value, origin });
        self
    }

    /// What was set for a key, the strongest first; the default is not among it.
    pub fn set_values(&self, key: &str) -> Vec<&Entry> {
        // A later line, variable or option of the same layer counts more; a stable sort keeps that order.
        let mut found: Vec<&Entry> = self.entries.iter().rev().filter(|entry| entry.key == key).collect();
        found.sort_by_key(|entry| std::cmp::Reverse(layer(&entry.origin)));
        found
    }

    /// How many nodes are wanted; 1 where that cannot be read, which is refused when all is resolved.
    pub fn node_count(&self) -> i32 {
        let set = self.set_values("cutaway.nodes").first().and_then(|entry| entry.value.trim().parse().ok());
        set.filter(|count| (1..=MAX_NODES).contains(count)).unwrap_or(1)
    }

    /// The same with one node's own values for some keys, as if they were set where the number of nodes was.
    pub(super) fn of_node(&self, own: &[(&str, String)]) -> Settings {
        let origin = self.synonyms("cutaway.nodes").into_iter().next().map_or(Origin::Default, |entry| entry.origin);
        let mut settings = self.clone();
        settings.entries.retain(|entry| !own.iter().any(|(key, _)| *key == entry.key));
        own.iter().fold(settings, |settings, (key, value)| settings.with_entry(key, value.clone(), origin.clone()))
    }

    /// Every value that bears on a broker's key, the one that counts first, its default last: what DescribeConfigs
    /// calls synonyms.
    pub fn synonyms(&self, key: &str) -> Vec<Entry> {
        let mut found: Vec<Entry> = self.set_values(key).into_iter().cloned().collect();
        if let Some(default) = catalogue::broker_setting(key).and_then(|definition| definition.default) {
            found.push(Entry { key: key.to_owned(), value: default.to_owned(), origin: Origin::Default });
        }
        found
    }

    /// The entry that counts among a topic's broker keys and the number of the topic's units in one of its own: the
    /// strongest key of the strongest source, else the strongest that has a default.
    pub fn topic_default(&self, definition: &Definition) -> Option<(Entry, i64)> {
        let from = |source: Source| {
            definition.broker_keys.iter().find_map(|(key, factor)| Some((self.entry_from(key, source)?, *factor)))
        };
        Source::OF_BROKERS.into_iter().find_map(from)
    }

    /// What one source says of a broker's key.
    pub(super) fn entry_from(&self, key: &str, source: Source) -> Option<Entry> {
        self.synonyms(key).into_iter().find(|entry| Source::of(&entry.origin) == source)
    }

    /// Puts other alterations of a scope in the place of those that there are.
    #[must_use]
    pub fn with_altered(mut self, scope: Scope, values: &BTreeMap<String, String>) -> Settings {
        let origin = Origin::Altered(scope);
        self.entries.retain(|entry| entry.origin != origin);
        let entries = values.iter().map(|(key, value)| (key.clone(), value.clone()));
        self.entries.extend(entries.map(|(key, value)| Entry { key, value, origin: origin.clone() }));
        self
    }

    /// What was altered in a scope.
    pub fn altered(&self, scope: Scope) -> BTreeMap<String, String> {
        let altered = self.entries.iter().filter(|entry| entry.origin == Origin::Altered(scope));
        altered.map(|entry| (entry.key.clone(), entry.value.clone())).collect()
    }

    /// The keys that were set.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// What people should know of what they set: keys that nobody knows, keys that change nothing here.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut waiting: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut idle: BTreeSet<&str> = BTreeSet::new();
        // Who alters settings is told by the answer.
        let set_at_start = self.entries.iter().filter(|entry| !matches!(entry.origin, Origin::Altered(_)));
        for entry in set_at_start {
            match catalogue::broker_setting(&entry.key).map(|definition| definition.effect) {
                Some(Effect::InForce) => {}
                Some(Effect::Unless(key)) => match (self.superseded(entry, key), twin_effect(&entry.key)) {
                    (Some(note), _) => notes.push(note),
                    (None, Some(Effect::NotYet(feature))) => _ = waiting.entry(feature).or_default().insert(&entry.key),
                    (None, _) => {}
                },
                Some(Effect::NotYet(feature)) => _ = waiting.entry(feature).or_default().insert(&entry.key),
                Some(Effect::Without(_) | Effect::Unused) => _ = idle.insert(&entry.key),
                None if catalogue::has_known_prefix(&entry.key) => _ = idle.insert(&entry.key),
                None => notes.push(unknown(entry)),
            }
        }
        notes.extend(
            waiting
                .into_iter()
                .map(|(feature, keys)| format!("without effect until Cutaway has {feature}: {}", joined(&keys))),
        );
        if !idle.is_empty() {
            notes.push(format!("understood, but without effect in one process: {}", joined(&idle)));
        }
        notes
    }

    /// The note on a key that gives way to a stronger one which was set too.
    fn superseded(&self, entry: &Entry, key: &str) -> Option<String> {
        let twin = catalogue::topic_twin(&entry.key).map_or(&[][..], |twin| twin.broker_keys);
        let stronger = twin.iter().map(|(name, _)| *name).take_while(|name| *name != entry.key);
        let stronger = stronger.chain([key]).find_map(|name| self.set_values(name).into_iter().next())?;
        Some(format!("{entry}: has no effect, because {stronger} counts instead"))
    }
}

fn twin_effect(broker_key: &str) -> Option<Effect> {
    catalogue::topic_twin(broker_key).map(|twin| twin.effect)
}

fn joined(keys: &BTreeSet<&str>) -> String {
    keys.iter().copied().collect::<Vec<_>>().join(", ")
}

/// The place of an origin in the order of layers.
fn layer(origin: &Origin) -> u8 {
    match origin {
        Origin::Default => 0,
        Origin::File { .. } => 1,
        Origin::Environment { .. } => 2,
        Origin::Override => 3,
        Origin::Flag { .. } => 4,
        Origin::Altered(Scope::Cluster) => 5,
        Origin::Altered(Scope::Broker) => 6,
    }
}

fn unknown(entry: &Entry) -> String {
    let advice = match (catalogue::nearest(&entry.key), &entry.origin) {
        (Some(name), Origin::Environment { .. }) => format!("; did you mean {} ({name})?", environment::variable(name)),
        (Some(name), _) => format!("; did you mean {name}?"),
        (None, _) => String::new(),
    };
    format!("{entry}: Kafka has no such broker setting, and it is ignored{advice}")
}

fn unreadable(name: &str, error: &java_properties::PropertiesError) -> SettingsError {
    let place = error.line_number().map(|line| format!(" line {line}")).unwrap_or_default();
    SettingsError { sentences: vec![format!("{name}{place}: is not a line of a properties file: {error}")] }
}
