//! What a client alters in the settings of a topic or a broker, and whether it may, by the rules of Kafka's
//! `ConfigurationControlManager` and `ConfigAdminManager` and in their words (KIP-226, KIP-339).

use std::collections::BTreeMap;

use super::catalogue::{self, UpdateMode};
use super::definition::{Allowed, Definition, Kind};
use super::limits::{MAX_ALTERED_KEYS, MAX_KEY_BYTES};
use super::settings::{Scope, Settings, SettingsError};
use super::{BrokerConfig, TopicConfig};

/// The longest value that Kafka's metadata records hold.
const LONGEST_VALUE: usize = i16::MAX as usize;

/// The one setting that a cluster begins with, see [`BrokerConfig::founding_alterations`].
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// What is done with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It gets the value.
    Set,
    /// It is as if it had never been set.
    Delete,
    /// The value's items are added to its list.
    Append,
    /// The value's items are taken from its list.
    Subtract,
}

/// One key, and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alteration {
    /// The key.
    pub key: String,
    /// What is done.
    pub operation: Operation,
    /// With this value.
    pub value: Option<String>,
}

/// Why settings are not altered; the sentences are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlterationError {
    /// INVALID_CONFIG (40).
    #[error("{0}")]
    InvalidConfig(String),
    /// INVALID_REQUEST (42).
    #[error("{0}")]
    InvalidRequest(String),
}

/// What a client wants of the settings of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alterations {
    /// These keys change, the others stay.
    Of(Vec<Alteration>),
    /// These settings take the place of all that there were.
    Replace(BTreeMap<String, String>),
}

impl TopicConfig {
    /// A topic's own settings after an alteration, and what comes of them over these defaults.
    pub fn altered(
        &self,
        own: &BTreeMap<String, String>,
        alterations: &Alterations,
    ) -> Result<(BTreeMap<String, String>, TopicConfig), AlterationError> {
        let altered = applied(own, alterations, &|alteration| {
            let definition = catalogue::topic_setting(&alteration.key);
            let verb = if alteration.operation == Operation::Append { "APPEND" } else { "SUBTRACT" };
            definition.filter(|definition| definition.kind == Kind::List).ok_or_else(|| {
                let key = &alteration.key;
                AlterationError::InvalidConfig(format!("Can't {verb} to key {key} because its type is not LIST."))
            })
        })?;
        let pairs: Vec<_> = altered.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        let config = self.with_overrides(&pairs).map_err(AlterationError::InvalidConfig)?;
        Ok((altered, config))
    }
}

impl BrokerConfig {
    /// What a new cluster sets for all its brokers, as Kafka does when it formats its storage.
    pub fn founding_alterations(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(MIN_INSYNC_REPLICAS.to_owned(), self.topic_defaults.min_insync_replicas.to_string())])
    }

    /// The settings of this broker, or of all brokers, after an alteration. `self` is what counts now, `start` what the
    /// broker was started with, to which a key that is deleted falls back.
    pub fn altered(
        &self,
        start: &BrokerConfig,
        scope: Scope,
        alterations: &Alterations,
    ) -> Result<BrokerConfig, AlterationError> {
        let altered = applied(&self.settings.altered(scope), alterations, &|alteration| {
            let key = &alteration.key;
            let verb = if alteration.operation == Operation::Append { "append" } else { "subtract" };
            let definition = catalogue::broker_setting(key)
                .ok_or_else(|| AlterationError::InvalidConfig(format!("Unknown config name: {key}")))?;
            Some(definition).filter(|definition| definition.kind == Kind::List).ok_or_else(|| {
                AlterationError::InvalidConfig(format!("Config value {verb} is not allowed for config key: {key}"))
            })
        })?;
        check_broker(scope, &altered)?;
        self.check_replicas_in_sync(scope, &altered)?;
        let settings = Settings::clone(&self.settings).with_altered(scope, &altered);
        start.with_alterations(settings).map_err(|error| AlterationError::InvalidRequest(error.to_string()))
    }

    /// What the broker was started with, and over it what was altered in these settings. Nothing else changes, so that
    /// a program which filled in fields by hand keeps them.
    pub fn with_alterations(&self, settings: Settings) -> Result<BrokerConfig, SettingsError> {
        let resolved = settings.resolve_without_notes()?;
        let mut config = self.clone();
        for (key, _) in Scope::ALL.into_iter().flat_map(|scope| settings.altered(scope)) {
            match key.as_str() {
                "producer.id.expiration.ms" => config.producer_id_expiration_ms = resolved.producer_id_expiration_ms,
                "log.segment.delete.delay.ms" => {
                    config.log_segment_delete_delay_ms = resolved.log_segment_delete_delay_ms;
                }
                _ => {}
            }
            if let Some(twin) = catalogue::topic_twin(&key) {
                config.topic_defaults.inherit(twin, &settings);
            }
        }
        config.settings = resolved.settings;
        Ok(config)
    }
}

impl BrokerConfig {
    /// Kafka 4 keeps this setting for the whole cluster, so that it knows which replicas may become leader (KIP-966).
    fn check_replicas_in_sync(&self, scope: Scope, altered: &BTreeMap<String, String>) -> Result<(), AlterationError> {
        let was_set = self.settings.altered(scope).contains_key(MIN_INSYNC_REPLICAS);
        match (scope, altered.contains_key(MIN_INSYNC_REPLICAS)) {
            (Scope::Broker, true) => Err(AlterationError::InvalidConfig(
                "Broker-level min.insync.replicas cannot be altered while ELR is enabled.".into(),
            )),
            (Scope::Cluster, false) if was_set => Err(AlterationError::InvalidConfig(
                "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.".into(),
            )),
            _ => Ok(()),
        }
    }
}

/// The settings after an alteration. Only keys that `list` knows as lists have items that can be added or taken.
fn applied(
    settings: &BTreeMap<String, String>,
    alterations: &Alterations,
    list: &dyn Fn(&Alteration) -> Result<&'static Definition, AlterationError>,
) -> Result<BTreeMap<String, String>, AlterationError> {
    let alterations = match alterations {
        Alterations::Replace(settings) => return check_lengths(settings.clone()),
        Alterations::Of(alterations) => alterations,
    };
    let mut altered = settings.clone();
    for alteration in alterations {
        let value = alteration.value.clone().unwrap_or_default();
        let value = match alteration.operation {
            Operation::Delete => None,
            Operation::Set => Some(value),
            Operation::Append | Operation::Subtract => {
                let default = list(alteration)?.default.unwrap_or_default();
                let present = altered.get(&alteration.key).map_or(default, String::as_str);
                Some(with_items(present, alteration.operation, &value))
            }
        };
        match value {
            Some(value) => altered.insert(alteration.key.clone(), value),
            None => altered.remove(&alteration.key),
        };
    }
    check_lengths(altered)
}

fn with_items(present: &str, operation: Operation, value: &str) -> String {
    let mut items: Vec<&str> = present.split(',').filter(|item| !item.is_empty()).collect();
    // As Java splits: what is empty at the end is no item.
    for item in value.trim_end_matches(',').split(',') {
        let place = items.iter().position(|present| *present == item);
        match (operation, place) {
            (Operation::Append, None) => items.push(item),
            (Operation::Subtract, Some(place)) => _ = items.remove(place),
            _ => {}
        }
    }
    items.join(",")
}

fn check_lengths(settings: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, AlterationError> {
    if settings.len() > MAX_ALTERED_KEYS {
        return Err(AlterationError::InvalidConfig(format!(
            "{} keys would be set; this broker keeps at most {MAX_ALTERED_KEYS} for each topic, and for brokers.",
            settings.len()
        )));
    }
    if let Some(key) = settings.keys().find(|key| key.len() > MAX_KEY_BYTES) {
        return Err(AlterationError::InvalidConfig(format!(
            "A key of {} bytes is longer than {MAX_KEY_BYTES}, the most that this broker keeps.",
            key.len()
        )));
    }
    if settings.values().all(|value| value.len() <= LONGEST_VALUE) {
        return Ok(settings);
    }
    Err(AlterationError::InvalidConfig(format!(
        "The configuration value cannot be added because it exceeds the maximum value size of {LONGEST_VALUE} bytes."
    )))
}

/// Keys and certificates: each listener has its own.
fn is_of_a_listener(key: &str) -> bool {
    ["ssl.keystore.", "ssl.truststore.", "ssl.key.password"].iter().any(|prefix| key.starts_with(prefix))
}

/// Kafka's `DynamicBrokerConfig.validateConfigs`.
fn check_broker(scope: Scope, settings: &BTreeMap<String, String>) -> Result<(), AlterationError> {
    let refuse = |sentence: String| Err(AlterationError::InvalidRequest(sentence));
    let named = |is_wrong: &dyn Fn(&str) -> bool| {
        let wrong: Vec<&str> = settings.keys().map(String::as_str).filter(|key| is_wrong(key)).collect();
        (!wrong.is_empty()).then(|| format!("[{}]", wrong.join(", ")))
    };
    let is_fixed = |key: &str| catalogue::broker_setting(key).is_some() && !catalogue::may_be_altered(key);
    if let Some(keys) = named(&is_fixed) {
        return refuse(format!("Cannot update these configs dynamically: {keys}"));
    }
    if let Some(keys) = named(&is_of_a_listener) {
        return refuse(format!(
            "These security configs can be dynamically updated only per-listener using the listener prefix: {keys}"
        ));
    }
    for (key, value) in settings {
        // That a retention is not 0 is no rule about one value in Kafka, but about what counts in the end.
        let definition = catalogue::broker_setting(key);
        if let Some(definition) = definition.filter(|definition| definition.allowed != Allowed::NotZero || value != "0")
        {
            definition.parse(value).map_err(AlterationError::InvalidRequest)?;
        }
    }
    match named(&|key| catalogue::update_mode(key) == UpdateMode::PerBroker || key.starts_with("listener.name.")) {
        Some(keys) if scope == Scope::Cluster => {
            refuse(format!("Cannot update these configs at default cluster level, broker id must be specified: {keys}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alteration(operation: Operation, key: &str, value: &str) -> Alterations {
        Alterations::Of(vec![Alteration { key: key.into(), operation, value: Some(value.into()) }])
    }

    fn topic(own: &[(&str, &str)], alterations: &Alterations) -> Result<BTreeMap<String, String>, AlterationError> {
        let own = own.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        TopicConfig::default().altered(&own, alterations).map(|(altered, _)| altered)
    }

    fn pairs(altered: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
        altered.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    #[test]
    fn a_topics_settings_are_set_deleted_and_replaced() {
        let own = [("retention.ms", "1000"), ("segment.bytes", "2097152")];
        let set = topic(&own, &alteration(Operation::Set, "retention.ms", "5")).expect("legal");
        assert_eq!(pairs(&set), [("retention.ms", "5"), ("segment.bytes", "2097152")]);
        let deleted = topic(&own, &alteration(Operation::Delete, "retention.ms", "")).expect("legal");
        assert_eq!(pairs(&deleted), [("segment.bytes", "2097152")]);
        let replaced = topic(&own, &Alterations::Replace(BTreeMap::from([("flush.ms".into(), "9".into())])));
        assert_eq!(pairs(&replaced.expect("legal")), [("flush.ms", "9")]);
        let deleted = topic(&own, &alteration(Operation::Delete, "no.such", "")).expect("Kafka lets it pass");
        assert_eq!(pairs(&deleted), own);
    }

    #[test]
    fn items_are_added_to_a_list_and_taken_from_it() {
        let appended = topic(&[], &alteration(Operation::Append, "cleanup.policy", "compact,delete")).expect("legal");
        assert_eq!(pairs(&appended), [("cleanup.policy", "delete,compact")]);
        let own = [("cleanup.policy", "delete,compact")];
        let taken = topic(&own, &alteration(Operation::Subtract, "cleanup.policy", "delete,other")).expect("legal");
        assert_eq!(pairs(&taken), [("cleanup.policy", "compact")]);
        assert_eq!(
            topic(&[], &alteration(Operation::Append, "retention.ms", "1")),
            Err(AlterationError::InvalidConfig(
                "Can't APPEND to key retention.ms because its type is not LIST.".into()
            ))
        );
    }

    #[test]
    fn what_cannot_be_is_refused_whole() {
        let refused = topic(&[], &alteration(Operation::Set, "no.such", "1"));
        assert_eq!(refused, Err(AlterationError::InvalidConfig("Unknown topic config name: no.such".into())));
        let long = "x".repeat(LONGEST_VALUE + 1);
        let refused = topic(&[], &alteration(Operation::Set, "compression.type", &long));
        assert!(refused.is_err_and(|error| error.to_string().contains("maximum value size of 32767 bytes")));
    }

    fn broker(scope: Scope, key: &str, value: &str) -> Result<BrokerConfig, String> {
        let altered =
            BrokerConfig::default().altered(&BrokerConfig::default(), scope, &alteration(Operation::Set, key, value));
        altered.map_err(|error| error.to_string())
    }

    #[test]
    fn a_brokers_settings_count_at_once() {
        let config =
            broker(Scope::Cluster, "log.retention.hours", "1").map(|config| config.topic_defaults.retention_ms);
        assert_eq!(config, Err("Cannot update these configs dynamically: [log.retention.hours]".into()));
        let config = broker(Scope::Cluster, "log.retention.ms", "60000").expect("legal");
        assert_eq!(config.topic_defaults.retention_ms, 60_000);
        let config = config
            .altered(&BrokerConfig::default(), Scope::Broker, &alteration(Operation::Set, "log.retention.ms", "5"))
            .expect("legal");
        assert_eq!(config.topic_defaults.retention_ms, 5);
        let config = config
            .altered(&BrokerConfig::default(), Scope::Broker, &alteration(Operation::Delete, "log.retention.ms", ""))
            .expect("legal");
        assert_eq!(config.topic_defaults.retention_ms, 60_000);
        assert_eq!(pairs(&config.settings.altered(Scope::Cluster)), [("log.retention.ms", "60000")]);
        assert!(broker(Scope::Broker, "foo", "bar").is_ok(), "Kafka takes keys that it does not know");
    }

    #[test]
    fn keys_that_nobody_knows_are_bounded() {
        let many = (0..=MAX_ALTERED_KEYS).map(|number| (format!("unknown.{number}"), "x".to_owned())).collect();
        let start = BrokerConfig::default();
        assert!(start.altered(&start, Scope::Broker, &Alterations::Replace(many)).is_err());
        assert!(broker(Scope::Broker, &"k".repeat(MAX_KEY_BYTES), "x").is_ok());
        assert!(broker(Scope::Broker, &"k".repeat(MAX_KEY_BYTES + 1), "x").is_err());
        assert!(broker(Scope::Cluster, "listener.name.x.ssl.keystore.type", "x").is_err());
    }

    #[test]
    fn what_was_filled_in_by_hand_stays() {
        let start = BrokerConfig { max_connections: 7, ..BrokerConfig::default() };
        let altered = start.altered(&start, Scope::Broker, &alteration(Operation::Set, "log.retention.ms", "5"));
        let altered = altered.expect("legal");
        assert_eq!((altered.max_connections, altered.topic_defaults.retention_ms), (7, 5));
    }

    #[test]
    fn replicas_in_sync_are_the_clusters() {
        let refused = broker(Scope::Broker, "min.insync.replicas", "2").map(|_| ());
        assert_eq!(refused, Err("Broker-level min.insync.replicas cannot be altered while ELR is enabled.".into()));
        let altered = broker(Scope::Cluster, "min.insync.replicas", "2").expect("legal");
        let refused = altered.altered(
            &BrokerConfig::default(),
            Scope::Cluster,
            &alteration(Operation::Delete, "min.insync.replicas", ""),
        );
        assert!(refused.is_err_and(|error| error.to_string().starts_with("Cluster-level")));
    }

    #[test]
    fn what_a_broker_may_not_change_is_refused() {
        for (scope, key, value, sentence) in [
            (Scope::Broker, "log.dirs", "/x", "Cannot update these configs dynamically: [log.dirs]"),
            (Scope::Broker, "max.connections", "1", "Cannot update these configs dynamically: [max.connections]"),
            (
                Scope::Broker,
                "log.retention.ms",
                "abc",
                "Invalid value abc for configuration log.retention.ms: Not a number of type LONG",
            ),
            (
                Scope::Cluster,
                "sasl.kerberos.kinit.cmd",
                "/x",
                "Cannot update these configs at default cluster level, broker id must be specified: \
                 [sasl.kerberos.kinit.cmd]",
            ),
            (
                Scope::Broker,
                "ssl.keystore.type",
                "x",
                "These security configs can be dynamically updated only per-listener using the listener prefix: \
                 [ssl.keystore.type]",
            ),
        ] {
            assert_eq!(broker(scope, key, value).map(|_| ()), Err(sentence.to_owned()));
        }
    }
}
