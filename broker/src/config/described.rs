//! Settings as DescribeConfigs tells of them: value, source, and every value that was passed over (KIP-226).
//!
//! The rules are those of Kafka's `ConfigHelper`, odd ones included: a value that a topic has from a key whose unit is
//! another (`log.roll.hours`) has no synonyms, and counts as a default.

use std::collections::BTreeMap;

use super::catalogue;
use super::definition::{Definition, Kind};
use super::effective::{EffectiveSetting, Source};
use super::settings::{Scope, Settings};

/// One setting of a topic or a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its type; `None` for a key that nobody knows.
    pub kind: Option<Kind>,
    /// Its value; `None` when it is not set, or not to be shown.
    pub value: Option<String>,
    /// Who gave it.
    pub source: Source,
    /// It can be altered only with a restart.
    pub is_read_only: bool,
    /// Its value is not to be shown.
    pub is_sensitive: bool,
    /// Every value that bears on it, the one that counts first.
    pub synonyms: Vec<Synonym>,
    /// What it is for, and what it does here.
    pub documentation: Option<String>,
}

/// A value of a key that bears on a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The key.
    pub name: String,
    /// Its value; `None` when it is not to be shown.
    pub value: Option<String>,
    /// Who gave it.
    pub source: Source,
}

impl Settings {
    /// Every setting of a topic with these settings of its own.
    pub fn described_topic(&self, own: &BTreeMap<String, String>) -> Vec<Described> {
        let described = |setting: EffectiveSetting| {
            let definition = setting.definition;
            let value = definition.normalized(&setting.value);
            let name = definition.name;
            let own = own.contains_key(name).then(|| Synonym {
                name: name.to_owned(),
                value: Some(value.clone()),
                source: Source::Topic,
            });
            let of_broker = definition.broker_keys.first().map(|(key, _)| self.broker_synonyms(key));
            Described::new(name, Some(definition), Some(value), own.into_iter().chain(of_broker.into_iter().flatten()))
        };
        self.effective(own).into_iter().map(described).collect()
    }

    /// Every setting of this broker, those included that were set though nobody knows them.
    pub fn described_broker(&self) -> Vec<Described> {
        let known = catalogue::told_settings().map(|definition| definition.name);
        let mut names: Vec<&str> = known.chain(self.keys()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| self.described_key(name)).collect()
    }

    /// What clients set for all brokers while they ran.
    pub fn described_cluster(&self) -> Vec<Described> {
        let described = |(name, _): (String, String)| {
            let mut described = self.described_key(&name);
            described.synonyms.retain(|synonym| synonym.source == Source::AlteredCluster);
            described.source = Source::AlteredCluster;
            described.value = described.synonyms.first().and_then(|synonym| synonym.value.clone());
            described
        };
        self.altered(Scope::Cluster).into_iter().map(described).collect()
    }

    fn described_key(&self, name: &str) -> Described {
        let definition = catalogue::broker_setting(name);
        let value = self.synonyms(name).into_iter().next().map(|entry| entry.value);
        let value = match definition {
            Some(definition) => value.map(|value| definition.normalized(&value)),
            None => value,
        };
        let mut described = Described::new(name, definition, value, self.broker_synonyms(name));
        described.is_read_only = !catalogue::may_be_altered(name);
        described
    }

    /// What bears on a broker's key: source by source, the keys that give way to one another in their order. What
    /// stands before the key itself is not about it.
    fn broker_synonyms(&self, name: &str) -> Vec<Synonym> {
        let names = catalogue::broker_synonyms(name);
        let pairs = Source::OF_BROKERS.into_iter().flat_map(|source| names.iter().map(move |name| (source, *name)));
        let synonym = |(source, name): (Source, &str)| {
            let entry = self.entry_from(name, source)?;
            Some(Synonym { name: name.to_owned(), value: Some(entry.value), source })
        };
        pairs.filter_map(synonym).skip_while(|synonym| synonym.name != name).collect()
    }
}

impl Described {
    fn new(
        name: &str,
        definition: Option<&Definition>,
        value: Option<String>,
        synonyms: impl IntoIterator<Item = Synonym>,
    ) -> Described {
        // Kafka shows nothing of which it does not know that it may be shown.
        let is_sensitive = definition.is_none_or(|definition| definition.kind == Kind::Password);
        let shown = |value: Option<String>| value.filter(|_| !is_sensitive);
        let synonyms: Vec<Synonym> =
            synonyms.into_iter().map(|synonym| Synonym { value: shown(synonym.value), ..synonym }).collect();
        Described {
            name: name.to_owned(),
            kind: definition.map(|definition| definition.kind),
            value: shown(value),
            source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
            is_read_only: false,
            is_sensitive,
            synonyms,
            documentation: definition.and_then(Definition::documentation),
        }
    }
}
