//! What counts for one topic: each of its settings with its value and its source, as clients are told.
//!
//! This is for showing; what the broker obeys is a [`TopicConfig`](super::TopicConfig), made of the same layers.

use std::collections::BTreeMap;

use super::broker_config::scaled;
use super::catalogue;
use super::definition::Definition;
use super::settings::{Origin, Scope, Settings};

/// One setting of a topic as it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// Which.
    pub definition: &'static Definition,
    /// The value as it was written.
    pub value: String,
    /// Whose.
    pub source: Source,
}

/// Who gave a setting its value, as Kafka tells it apart (`DescribeConfigsResponse.ConfigSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The topic itself.
    Topic,
    /// A client, for this broker, while it ran.
    AlteredBroker,
    /// A client, for all brokers, while they ran.
    AlteredCluster,
    /// A file, the environment or the command line.
    Static,
    /// Nobody.
    Default,
}

impl Source {
    /// Those that give a broker's key its value, the strongest first.
    pub(super) const OF_BROKERS: [Source; 4] =
        [Source::AlteredBroker, Source::AlteredCluster, Source::Static, Source::Default];

    /// The source that a broker's key was set by.
    pub fn of(origin: &Origin) -> Source {
        match origin {
            Origin::Altered(Scope::Broker) => Source::AlteredBroker,
            Origin::Altered(Scope::Cluster) => Source::AlteredCluster,
            Origin::Default => Source::Default,
            _ => Source::Static,
        }
    }
}

impl Settings {
    /// Every setting of a topic with these settings of its own, in the order of their names. One that has no default,
    /// and that nobody set, is not among them.
    pub fn effective(&self, own: &BTreeMap<String, String>) -> Vec<EffectiveSetting> {
        let effective = |definition: &'static Definition| {
            let (value, source) = match own.get(definition.name) {
                Some(value) => (value.clone(), Source::Topic),
                None => self.inherited(definition)?,
            };
            Some(EffectiveSetting { definition, value, source })
        };
        catalogue::topic_settings().filter_map(effective).collect()
    }

    fn inherited(&self, definition: &Definition) -> Option<(String, Source)> {
        match self.topic_default(definition) {
            Some((entry, factor)) if entry.origin != Origin::Default => {
                Some((scaled(definition, &entry.value, factor), Source::of(&entry.origin)))
            }
            _ => Some((definition.default?.to_owned(), Source::Default)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_counts_before_the_broker_and_the_broker_before_the_default() {
        let settings = Settings::default().with("log.retention.hours", 2).with("log.cleanup.policy", "compact");
        let own = BTreeMap::from([("cleanup.policy".to_owned(), "delete".to_owned())]);
        let effective = settings.effective(&own);
        let of = |name: &str| {
            let found = effective.iter().find(|setting| setting.definition.name == name);
            found.map(|setting| (setting.value.as_str(), setting.source))
        };
        assert_eq!(of("cleanup.policy"), Some(("delete", Source::Topic)));
        assert_eq!(of("retention.ms"), Some(("7200000", Source::Static)));
        assert_eq!(of("segment.bytes"), Some(("1073741824", Source::Default)));
        assert_eq!(of("internal.segment.bytes"), None);
        assert!(effective.is_sorted_by_key(|setting| setting.definition.name));
    }

    #[test]
    fn what_clients_altered_counts_before_what_was_set_whatever_the_key() {
        let settings = Settings::default().with("log.retention.ms", 1000);
        let altered = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let retention = |settings: &Settings| {
            let effective = settings.effective(&BTreeMap::new());
            let found = effective.into_iter().find(|setting| setting.definition.name == "retention.ms");
            found.map(|setting| (setting.value, setting.source))
        };
        let for_all = settings.with_altered(Scope::Cluster, &altered("log.retention.hours", "1"));
        assert_eq!(retention(&for_all), Some(("3600000".into(), Source::AlteredCluster)));
        let for_one = for_all.clone().with_altered(Scope::Broker, &altered("log.retention.minutes", "1"));
        assert_eq!(retention(&for_one), Some(("60000".into(), Source::AlteredBroker)));
        let none = for_one.with_altered(Scope::Broker, &BTreeMap::new()).with_altered(Scope::Cluster, &BTreeMap::new());
        assert_eq!(retention(&none), Some(("1000".into(), Source::Static)));
    }
}
