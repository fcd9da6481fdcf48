//! Environment variables as the apache/kafka image reads them, so that a compose file can swap the images.
//!
//! `KAFKA_` is cut off, the rest is put in lower case, and `_`, `__` and `___` become `.`, `_` and `-`. The image
//! writes them into a `server.properties`. It also derives `listeners` from `advertised.listeners` when only those
//! are given. Cutaway's own keys are read the same way from variables that begin with `CUTAWAY_`.

use super::catalogue;
use super::settings::{Entry, Origin};

/// Variables that begin with `KAFKA_` and are no broker settings. The first eleven are those that the image's
/// `KafkaDockerWrapper` leaves out; then what its scripts and the shell scripts read; then what programs around a
/// broker use to find it.
const NOT_SETTINGS: &[&str] = &[
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JMX_PORT",
    "KAFKA_CLUSTER_ID",
    "KAFKA_DEBUG",
    "KAFKA_HOME",
    "KAFKA_BROKER",
    "KAFKA_BROKERS",
    "KAFKA_BOOTSTRAP_SERVERS",
];

/// The settings among some environment variables.
pub(super) fn entries(variables: impl IntoIterator<Item = (String, String)>) -> Vec<Entry> {
    let mut found: Vec<Entry> = variables
        .into_iter()
        .filter_map(|(variable, value)| {
            Some(Entry { key: key(&variable)?, value, origin: Origin::Environment { variable } })
        })
        .collect();
    // The environment has no order of its own.
    found.sort_by(|a, b| a.origin.cmp(&b.origin));
    derive_listeners(&mut found);
    found
}

/// The key that a variable sets.
fn key(variable: &str) -> Option<String> {
    if NOT_SETTINGS.contains(&variable) {
        return None;
    }
    if variable.starts_with("CUTAWAY_") {
        // Tests and scripts have variables of this form too, so only those that are settings are read.
        return Some(as_key(variable)).filter(|key| catalogue::broker_setting(key).is_some());
    }
    let name = variable.strip_prefix("KAFKA_")?;
    (!name.is_empty()).then(|| as_key(name))
}

fn as_key(name: &str) -> String {
    name.to_lowercase().replace('_', ".").replace("...", "-").replace("..", "_")
}

/// The variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    let (prefix, name) = match key.strip_prefix("cutaway.") {
        Some(name) => ("CUTAWAY_", name),
        None => ("KAFKA_", key),
    };
    format!("{prefix}{}", name.replace('_', "__").replace('-', "___").replace('.', "_").to_uppercase())
}

/// The image listens on every interface at the advertised ports when it is not told where to listen.
fn derive_listeners(found: &mut Vec<Entry>) {
    let value = |key: &str| found.iter().find(|entry| entry.key == key).map(|entry| entry.value.trim());
    let only_controller = value("process.roles") == Some("controller");
    if value("listeners").is_some_and(|listeners| !listeners.is_empty()) || only_controller {
        return;
    }
    let Some(advertised) = found.iter().find(|entry| entry.key == "advertised.listeners") else { return };
    let listeners: Vec<String> = advertised.value.split(',').map(everywhere).collect();
    let derived = Entry { key: "listeners".into(), value: listeners.join(","), origin: advertised.origin.clone() };
    found.push(derived);
}

/// `NAME://host:port` with an address that means every interface.
fn everywhere(advertised: &str) -> String {
    match (advertised.find("://"), advertised.rfind(':')) {
        (Some(scheme), Some(port)) if port > scheme => {
            format!("{}://0.0.0.0{}", &advertised[..scheme], &advertised[port..])
        }
        _ => advertised.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        entries(owned).into_iter().map(|entry| (entry.key, entry.value)).collect()
    }

    #[test]
    fn underscores_become_dots_underscores_and_dashes() {
        for (variable, expected) in [
            ("KAFKA_LOG_SEGMENT_BYTES", "log.segment.bytes"),
            ("KAFKA_LISTENER_NAME_MY__OWN_SSL", "listener.name.my_own.ssl"),
            ("KAFKA_A___B", "a-b"),
            ("CUTAWAY_ALLOW_INSECURE_LISTENERS", "cutaway.allow.insecure.listeners"),
        ] {
            assert_eq!(key(variable).as_deref(), Some(expected));
            assert_eq!(super::variable(expected), variable);
        }
    }

    #[test]
    fn what_is_no_setting_is_left_alone() {
        for variable in [
            "KAFKA_HEAP_OPTS",
            "KAFKA_OPTS",
            "KAFKA_BROKER",
            "KAFKA_BOOTSTRAP_SERVERS",
            "KAFKA_",
            "PATH",
            "CUTAWAY_SEED",
        ] {
            assert_eq!(key(variable), None, "{variable}");
        }
    }

    #[test]
    fn listeners_follow_the_advertised_ones_unless_given() {
        let advertised = ("KAFKA_ADVERTISED_LISTENERS", "A://here:9092,B://[::1]:9093");
        let all = read(&[advertised]);
        assert!(all.contains(&("listeners".into(), "A://0.0.0.0:9092,B://0.0.0.0:9093".into())), "{all:?}");
        let all = read(&[advertised, ("KAFKA_LISTENERS", "A://:1")]);
        assert_eq!(all.iter().filter(|(key, _)| key == "listeners").count(), 1);
    }
}
