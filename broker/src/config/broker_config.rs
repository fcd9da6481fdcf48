//! The broker's settings, resolved: what the rooms above read.

use std::path::PathBuf;
use std::sync::Arc;

use super::catalogue;
use super::definition::Definition;
use super::limits::MAX_PARTITIONS;
use super::listener::{self, Listener, ListenerSettings, Listeners};
use super::nodes::Nodes;
use super::settings::{Entry, Origin, Settings, SettingsError};
use super::topic_config::TopicConfig;
use super::value::Value;

/// The broker's settings, resolved; each field is named after Kafka's key.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// `node.id`; of several nodes, that of the first.
    pub node_id: i32,
    /// `cutaway.nodes`.
    pub node_count: i32,
    /// `log.dirs`: the data folder.
    pub log_dir: PathBuf,
    /// `listeners` with their advertised addresses; at least one.
    pub listeners: Vec<Listener>,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`.
    pub default_replication_factor: i16,
    /// `auto.create.topics.enable`.
    pub auto_create_topics_enable: bool,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// `socket.request.max.bytes`.
    pub socket_request_max_bytes: i32,
    /// `queued.max.request.bytes`; not positive: no limit.
    pub queued_max_request_bytes: i64,
    /// `connections.max.idle.ms`; negative: never.
    pub connections_max_idle_ms: i64,
    /// `max.connections`.
    pub max_connections: i32,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub max_incremental_fetch_session_cache_slots: i32,
    /// `max.request.partition.size.limit`.
    pub max_request_partition_size_limit: i32,
    /// `log.segment.delete.delay.ms`.
    pub log_segment_delete_delay_ms: i64,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub log_flush_offset_checkpoint_interval_ms: i64,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    /// `transaction.max.timeout.ms`.
    pub transaction_max_timeout_ms: i32,
    /// Groups and their offsets.
    pub groups: GroupConfig,
    /// What a topic has that sets nothing of its own.
    pub topic_defaults: TopicConfig,
    /// What was set, and where: for DescribeConfigs.
    pub settings: Arc<Settings>,
    /// What people should know of what they set: one sentence each.
    pub notes: Vec<String>,
}

/// How groups behave, and how their offsets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i32,
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout_ms: i32,
    /// `group.max.size`.
    pub max_size: i32,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: i32,
    /// `offsets.retention.minutes`.
    pub offsets_retention_minutes: i32,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// `offsets.topic.num.partitions`.
    pub offsets_topic_num_partitions: i32,
    /// `offsets.topic.replication.factor`.
    pub offsets_topic_replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub offsets_topic_segment_bytes: i32,
}

impl Default for BrokerConfig {
    /// What `cutaway` has without any configuration.
    fn default() -> BrokerConfig {
        Settings::default().resolve().expect("a test resolves the defaults")
    }
}

impl BrokerConfig {
    /// The nodes that this process shows itself as.
    pub fn nodes(&self) -> Nodes {
        Nodes::new(self.node_id, self.node_count)
    }

    /// What is set for one of the nodes: of several, each has an id and listeners of its own.
    pub fn settings_of(&self, node: i32) -> Arc<Settings> {
        if self.nodes().is_single() {
            return Arc::clone(&self.settings);
        }
        let own: Vec<&Listener> = self.listeners.iter().filter(|listener| listener.node == node).collect();
        let joined = |one: fn(&Listener) -> String| own.iter().map(|it| one(it)).collect::<Vec<_>>().join(",");
        let mut values = vec![("node.id", node.to_string()), ("listeners", joined(Listener::bound))];
        if !self.settings.set_values("advertised.listeners").is_empty() {
            values.push(("advertised.listeners", joined(Listener::advertised)));
        }
        Arc::new(self.settings.of_node(&values))
    }

    /// What is legal, and will surprise whoever set it once clients come.
    fn consequences(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if usize::try_from(self.num_partitions).map_or(true, |count| count > MAX_PARTITIONS) {
            let count = self.num_partitions;
            notes.push(format!(
                "num.partitions={count} is more than one broker takes ({MAX_PARTITIONS}), so topics must say how many they want"
            ));
        }
        let (factor, count) = (self.default_replication_factor, self.node_count);
        if i32::from(factor) > count {
            let nodes = if count == 1 { "one node".to_owned() } else { format!("{count} nodes") };
            notes.push(format!(
                "default.replication.factor={factor} cannot be had on {nodes}, so topics are only created with a factor \
                 of their own that can"
            ));
        }
        if self.max_connections == 0 {
            notes.push("max.connections=0 would keep everybody out; one client at a time is let in".to_owned());
        }
        notes
    }
}

impl Settings {
    /// Reads every setting; the error holds a sentence for each that cannot be used.
    pub fn resolve(&self) -> Result<BrokerConfig, SettingsError> {
        let mut config = self.resolve_without_notes()?;
        let mut notes = self.notes();
        notes.append(&mut config.notes);
        notes.extend(config.consequences());
        Ok(BrokerConfig { notes, ..config })
    }

    /// As [`Settings::resolve`], without what people should know of it, which takes longer to find than the rest.
    pub(super) fn resolve_without_notes(&self) -> Result<BrokerConfig, SettingsError> {
        let mut reader = Reader { settings: self, sentences: Vec::new() };
        let config = reader.broker_config();
        reader.check_whole(&config);
        if reader.sentences.is_empty() { Ok(config) } else { Err(SettingsError { sentences: reader.sentences }) }
    }
}

/// Reads values and collects what is wrong with them, so that all mistakes are shown at once.
struct Reader<'a> {
    settings: &'a Settings,
    sentences: Vec<String>,
}

impl Reader<'_> {
    fn broker_config(&mut self) -> BrokerConfig {
        self.check_values();
        let nodes = Nodes::new(self.node_id(), self.int("cutaway.nodes"));
        let listeners = self.listeners(nodes);
        BrokerConfig {
            node_id: nodes.first(),
            node_count: nodes.count(),
            log_dir: self.log_dir(),
            listeners: listeners.listeners,
            num_partitions: self.int("num.partitions"),
            default_replication_factor: self.short("default.replication.factor"),
            auto_create_topics_enable: self.boolean("auto.create.topics.enable"),
            delete_topic_enable: self.boolean("delete.topic.enable"),
            socket_request_max_bytes: self.int("socket.request.max.bytes"),
            queued_max_request_bytes: self.whole("queued.max.request.bytes"),
            connections_max_idle_ms: self.whole("connections.max.idle.ms"),
            max_connections: self.int("max.connections"),
            fetch_max_bytes: self.int("fetch.max.bytes"),
            max_incremental_fetch_session_cache_slots: self.int("max.incremental.fetch.session.cache.slots"),
            max_request_partition_size_limit: self.int("max.request.partition.size.limit"),
            log_segment_delete_delay_ms: self.whole("log.segment.delete.delay.ms"),
            log_flush_offset_checkpoint_interval_ms: self.whole("log.flush.offset.checkpoint.interval.ms"),
            producer_id_expiration_ms: self.whole("producer.id.expiration.ms"),
            transaction_max_timeout_ms: self.int("transaction.max.timeout.ms"),
            groups: self.groups(),
            topic_defaults: self.topic_defaults(),
            settings: Arc::new(self.settings.clone()),
            notes: listeners.notes,
        }
    }

    fn groups(&self) -> GroupConfig {
        GroupConfig {
            initial_rebalance_delay_ms: self.int("group.initial.rebalance.delay.ms"),
            min_session_timeout_ms: self.int("group.min.session.timeout.ms"),
            max_session_timeout_ms: self.int("group.max.session.timeout.ms"),
            max_size: self.int("group.max.size"),
            offset_metadata_max_bytes: self.int("offset.metadata.max.bytes"),
            offsets_retention_minutes: self.int("offsets.retention.minutes"),
            offsets_retention_check_interval_ms: self.whole("offsets.retention.check.interval.ms"),
            offsets_topic_num_partitions: self.int("offsets.topic.num.partitions"),
            offsets_topic_replication_factor: self.short("offsets.topic.replication.factor"),
            offsets_topic_segment_bytes: self.int("offsets.topic.segment.bytes"),
        }
    }

    /// Checks everything that was set, also what has no effect here: the file may move to a real Kafka some day.
    fn check_values(&mut self) {
        for definition in catalogue::broker_settings().chain(catalogue::known_settings()) {
            let Some(entry) = self.settings.set_values(definition.name).into_iter().next() else { continue };
            if definition.parse(&entry.value).is_err() {
                self.sentences.push(format!("{entry}: {}", definition.requirement()));
            }
        }
    }

    /// Rules about several keys at once.
    fn check_whole(&mut self, config: &BrokerConfig) {
        let queued = config.queued_max_request_bytes;
        if queued > 0 && queued < i64::from(config.socket_request_max_bytes) {
            self.refuse(
                "queued.max.request.bytes",
                format!("must be at least socket.request.max.bytes, which is {}", config.socket_request_max_bytes),
            );
        }
        let topics = &config.topic_defaults;
        if topics.min_compaction_lag_ms > topics.max_compaction_lag_ms {
            self.refuse(
                "log.cleaner.min.compaction.lag.ms",
                "must not be greater than log.cleaner.max.compaction.lag.ms".into(),
            );
        }
        if config.node_id.checked_add(config.node_count - 1).is_none() {
            self.refuse("node.id", format!("leaves no ids for {} nodes", config.node_count));
        }
        if self.list("process.roles") == ["controller"] {
            self.refuse("process.roles", "must contain broker: Cutaway is a broker and its own controller".into());
        }
    }

    fn node_id(&mut self) -> i32 {
        let node = self.settings.set_values("node.id").into_iter().next();
        let broker = self.settings.set_values("broker.id").into_iter().next();
        match (node, broker) {
            (Some(node), Some(broker)) if node.value.trim() != broker.value.trim() => {
                self.sentences.push(format!("{broker}: is the old name of node.id and must equal {node}; remove one"));
                0
            }
            (None, Some(broker)) if broker.value.trim() != "-1" => {
                let id = self.int("broker.id");
                if id < 0 {
                    self.sentences.push(format!("{broker}: must be a whole number of at least 0"));
                }
                id
            }
            _ => self.int("node.id"),
        }
    }

    fn log_dir(&mut self) -> PathBuf {
        let key = if self.settings.set_values("log.dirs").is_empty() { "log.dir" } else { "log.dirs" };
        let mut folders = self.list(key);
        match folders.pop() {
            Some(folder) if folders.is_empty() => PathBuf::from(folder),
            Some(_) => {
                let count = folders.len() + 1;
                self.refuse(key, format!("names {count} folders; Cutaway keeps all data in one, so name one"));
                PathBuf::new()
            }
            // An empty list was refused when all values were checked.
            None => PathBuf::new(),
        }
    }

    fn listeners(&mut self, nodes: Nodes) -> Listeners {
        let mut listeners = self.entry("listeners").expect("listeners have a default");
        if !nodes.is_single() && listeners.origin == Origin::Default {
            listeners.value = listener::of_nodes_by_default(nodes);
        }
        let advertised = self.entry("advertised.listeners");
        // Who says with a flag where to listen does not want clients sent to where a file says.
        let is_flag = matches!(listeners.origin, Origin::Flag { .. });
        let (passed_over, advertised) = match advertised {
            Some(entry) if is_flag && entry.origin < listeners.origin => (Some(entry), None),
            other => (None, other),
        };
        let note = passed_over
            .map(|entry| format!("{entry} is passed over, because {} says where to listen", listeners.origin));
        let settings = ListenerSettings {
            listeners,
            advertised,
            protocol_map: self.entry("listener.security.protocol.map").expect("the map has a default"),
            controllers: self.list("controller.listener.names").iter().map(|name| name.to_uppercase()).collect(),
            allow_insecure: self.boolean("cutaway.allow.insecure.listeners"),
            nodes,
        };
        let mut found = listener::read(&settings).unwrap_or_else(|sentence| {
            self.sentences.push(sentence);
            Listeners::default()
        });
        found.notes.extend(note);
        found
    }

    /// The catalogue's defaults of topics with what the broker's keys say over them.
    fn topic_defaults(&self) -> TopicConfig {
        let mut config = TopicConfig::default();
        for definition in catalogue::topic_settings() {
            config.inherit(definition, self.settings);
        }
        config
    }

    /// What counts for a key: the strongest that was set, else the default.
    fn entry(&self, key: &str) -> Option<Entry> {
        self.settings.synonyms(key).into_iter().next()
    }

    /// The value that counts for a key; the default in place of one that cannot be read, which was refused already.
    fn value(&self, key: &str) -> Option<Value> {
        let definition = catalogue::broker_setting(key).expect("only keys of the catalogue are read");
        let set = self.entry(key).and_then(|entry| definition.parse(&entry.value).ok());
        set.or_else(|| definition.parse(definition.default?).ok())
    }

    fn whole(&self, key: &str) -> i64 {
        match self.value(key) {
            Some(Value::Whole(number)) => number,
            _ => panic!("{key} is a whole number with a default"),
        }
    }

    fn int(&self, key: &str) -> i32 {
        i32::try_from(self.whole(key)).expect("the definition says INT, so a larger number was refused")
    }

    fn short(&self, key: &str) -> i16 {
        i16::try_from(self.whole(key)).expect("the definition ends at the largest SHORT")
    }

    fn boolean(&self, key: &str) -> bool {
        self.value(key) == Some(Value::Boolean(true))
    }

    fn list(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }

    fn refuse(&mut self, key: &str, why: String) {
        let entry = self.entry(key).map_or_else(|| key.to_owned(), |entry| entry.to_string());
        self.sentences.push(format!("{entry}: {why}"));
    }
}

/// A value in the topic's unit: hours times 3 600 000 are milliseconds. As in Kafka, every negative retention is -1.
pub(super) fn scaled(definition: &Definition, value: &str, factor: i64) -> String {
    match value.trim().parse::<i64>() {
        Ok(number) if definition.name == "retention.ms" => number.saturating_mul(factor).max(-1).to_string(),
        Ok(number) => number.saturating_mul(factor).to_string(),
        Err(_) => value.to_owned(),
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
