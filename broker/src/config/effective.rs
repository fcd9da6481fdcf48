//! What counts for one topic: each of its settings with its value and its source, as clients are told.
//!
//! This is for showing; what the broker obeys is a [`TopicConfig`](super::TopicConfig), made of the same layers.

use std::collections::BTreeMap;

use super::broker_config::scaled;
use super::catalogue;
use super::definition::Definition;
use super::settings::{Origin, Settings};

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

/// Who gave a topic's setting its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The topic itself.
    Topic,
    /// The broker, in one of its keys.
    Broker(Origin),
    /// Nobody.
    Default,
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
                Some((scaled(definition, &entry.value, factor), Source::Broker(entry.origin)))
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
            found.map(|setting| (setting.value.as_str(), setting.source.clone()))
        };
        assert_eq!(of("cleanup.policy"), Some(("delete", Source::Topic)));
        assert_eq!(of("retention.ms"), Some(("7200000", Source::Broker(Origin::Override))));
        assert_eq!(of("segment.bytes"), Some(("1073741824", Source::Default)));
        assert_eq!(of("internal.segment.bytes"), None);
        assert!(effective.is_sorted_by_key(|setting| setting.definition.name));
    }
}
