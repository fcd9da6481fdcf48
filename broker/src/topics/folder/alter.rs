//! Alters settings of topics and of the broker while it runs: one commit to the metadata, then everything that obeys
//! the settings is told. A crash leaves them as they were before or as they are after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{DataFolder, log_options};
use crate::config::{Alterations, BrokerConfig, Scope, TopicConfig};
use crate::journal::Event;
use crate::names::{Principal, TopicName};
use crate::storage::metadata::TopicState;
use crate::topics::{Partition, Topic, TopicError};

impl DataFolder {
    /// Alters a topic's own settings, or with `validate_only` says whether they may be altered so. Blocks.
    pub(in crate::topics) fn alter_topic(
        &self,
        by: &Principal,
        name: &str,
        alterations: &Alterations,
        validate_only: bool,
    ) -> Result<(), TopicError> {
        let mut changes = self.changes();
        if changes.stopped {
            return Err(self.stopping("alter a topic in").into());
        }
        self.check_in_place()?;
        if name.is_empty() {
            return Err(TopicError::InvalidRequest("Default topic resources are not allowed.".into()));
        }
        TopicName::parse(name).map_err(|error| TopicError::InvalidName(error.to_string()))?;
        let config = self.config.now();
        let topic = self.registry.get(name);
        let own = topic.as_ref().map(|topic| topic.overrides.clone()).unwrap_or_default();
        // Kafka looks at the settings first, and whether there is such a topic last.
        let (altered, topic_config) = config.topic_defaults.altered(&own, alterations)?;
        let topic = topic.ok_or_else(|| TopicError::NoSuchTopic(name.to_owned()))?;
        if validate_only || altered == topic.overrides {
            return Ok(());
        }
        // The metadata must not call live what an extension left half done.
        self.finish_namesakes(&mut changes, &topic.name)?;
        let mut record = topic.record(TopicState::Live);
        let keys = changed_keys(&topic.overrides, &altered);
        record.overrides = altered;
        self.metadata.put_topic(&record)?;
        self.put_in_force(&topic, record.overrides, topic_config, &config);
        self.journal.record(|| Event::SettingsAltered { of: format!("topic {name}"), keys, by: by.to_string() });
        Ok(())
    }

    /// Alters settings of this broker or of all brokers. Blocks.
    pub(in crate::topics) fn alter_broker(
        &self,
        by: &Principal,
        scope: Scope,
        alterations: &Alterations,
        validate_only: bool,
    ) -> Result<(), TopicError> {
        let changes = self.changes();
        if changes.stopped {
            return Err(self.stopping("alter settings in").into());
        }
        self.check_in_place()?;
        let config = Arc::new(self.config.altered(scope, alterations)?);
        if validate_only {
            return Ok(());
        }
        let (before, after) = (self.config.now().settings.altered(scope), config.settings.altered(scope));
        let keys = changed_keys(&before, &after);
        if keys.is_empty() {
            return Ok(());
        }
        self.metadata.put_altered(scope, &after)?;
        self.config.replace(Arc::clone(&config));
        for topic in self.registry.list() {
            // What the topic sets itself was looked at when it was opened.
            let (topic_config, _) = config.topic_defaults.with_own(&topic.overrides);
            self.put_in_force(&topic, topic.overrides.clone(), topic_config, &config);
        }
        let of = match scope {
            Scope::Cluster => "all brokers".to_owned(),
            Scope::Broker => format!("broker {}", config.node_id),
        };
        self.journal.record(|| Event::SettingsAltered { of, keys, by: by.to_string() });
        Ok(())
    }

    /// Tells a topic's logs of its settings, and puts a topic that has them in the place of the one that had others.
    fn put_in_force(
        &self,
        topic: &Topic,
        overrides: BTreeMap<String, String>,
        topic_config: TopicConfig,
        config: &BrokerConfig,
    ) {
        let obey = |partition: &Partition, now: &TopicConfig| {
            partition.reconfigure(now, log_options(now, config, topic.adopted));
        };
        self.registry.replace(&Arc::new(topic.with_settings(overrides, topic_config, obey)));
    }
}

/// The keys whose values differ, or that only one of the two has.
fn changed_keys(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}
