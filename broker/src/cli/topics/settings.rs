//! A topic's settings as a broker describes them: what is not the default, and who set it.

use cutaway::config::catalogue;
use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;

use crate::cli::client::{Client, Failure, check, text};
use crate::cli::nearest::nearest;

/// `ConfigResource.Type.TOPIC`.
pub(super) const TOPIC_RESOURCE: i8 = 2;
/// `ConfigResource.Type.BROKER`.
const BROKER_RESOURCE: i8 = 4;

// `DescribeConfigsResponse.ConfigSource`.
const OF_TOPIC: i8 = 1;
const ALTERED_BROKER: i8 = 2;
const ALTERED_CLUSTER: i8 = 3;
const STATIC: i8 = 4;
const DEFAULT: i8 = 5;

/// One setting that is not the default.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Setting {
    /// Its key.
    pub(super) key: String,
    /// Its value; `None` where the broker does not show it.
    pub(super) value: Option<String>,
    /// Who set it.
    pub(super) set_by: String,
    /// What it would be otherwise, by Kafka's or the broker's defaults.
    pub(super) default: Option<String>,
    /// The topic itself has it.
    #[serde(skip)]
    is_of_topic: bool,
}

/// Whether the brokers are nodes that one Cutaway shows itself as, over one copy of the data: none other has such a setting.
pub(super) async fn are_nodes_simulated(client: &mut Client, brokers: &[MetadataResponseBroker]) -> bool {
    let Some(broker) = brokers.first().filter(|_| brokers.len() > 1).map(|broker| broker.node_id.0) else {
        return false;
    };
    let resource = DescribeConfigsResource::default()
        .with_resource_type(BROKER_RESOURCE)
        .with_resource_name(text(&broker.to_string()))
        .with_configuration_keys(Some(vec![text("cutaway.nodes")]));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    // Where nobody says so it is not known to be so.
    let answer = client.ask_node(broker, 1..=4, &request).await;
    answer.is_ok_and(|answer| answer.results.iter().any(|result| !result.configs.is_empty()))
}

/// Every setting of a topic that somebody set, in the order of their keys.
pub(super) async fn of_topic(client: &mut Client, name: &str) -> Result<Vec<Setting>, Failure> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
    let answer = client.ask(1..=4, &request).await?;
    let mut settings = Vec::new();
    for result in answer.results {
        let what = format!("the settings of {name} are not told");
        check(&what, result.error_code, result.error_message.as_deref())?;
        let set = result.configs.iter().filter(|config| config.config_source != DEFAULT).map(setting);
        // What the broker's owner set to the default makes no difference to the topic.
        settings.extend(set.filter(|setting| setting.is_of_topic || setting.value != setting.default));
    }
    settings.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(settings)
}

fn setting(config: &DescribeConfigsResourceResult) -> Setting {
    let synonym = config.synonyms.first().map_or(config.name.as_str(), |synonym| synonym.name.as_str());
    let set_by = match config.config_source {
        OF_TOPIC => "the topic".to_owned(),
        ALTERED_BROKER => format!("this broker, altered while it ran ({synonym})"),
        ALTERED_CLUSTER => format!("all brokers, altered while they ran ({synonym})"),
        STATIC => format!("the broker's start ({synonym})"),
        other => format!("source {other}"),
    };
    Setting {
        key: config.name.to_string(),
        value: config.value.as_ref().map(ToString::to_string),
        set_by,
        default: default_of(config),
        is_of_topic: config.config_source == OF_TOPIC,
    }
}

/// What a setting would be if nobody had set it.
fn default_of(config: &DescribeConfigsResourceResult) -> Option<String> {
    let definition = catalogue::topic_setting(&config.name);
    let synonym = config.synonyms.iter().find(|synonym| synonym.source == DEFAULT);
    let Some((key, value)) = synonym.and_then(|synonym| Some((synonym.name.as_str(), synonym.value.as_ref()?))) else {
        // Some brokers tell no default of keys with another unit than the topic's.
        let same = definition.filter(|definition| definition.difference.is_none());
        return same.and_then(|definition| definition.default).map(str::to_owned);
    };
    // `log.retention.hours` counts hours, and `retention.ms` milliseconds.
    let factor = definition.and_then(|definition| definition.broker_keys.iter().find(|(name, _)| *name == key));
    match (factor, value.parse::<i64>()) {
        (Some((_, factor)), Ok(number)) if *factor != 1 => Some(number.saturating_mul(*factor).to_string()),
        _ => Some(value.to_string()),
    }
}

/// Names the key that was meant where one of those given is no topic's.
pub(super) fn with_hint<'a>(error: anyhow::Error, keys: impl Iterator<Item = &'a str>) -> anyhow::Error {
    let mut unknown = keys.filter(|key| catalogue::topic_setting(key).is_none());
    let meant = unknown.find_map(|key| {
        let twin = catalogue::topic_twin(key).map(|twin| twin.name);
        let alike = || nearest(key, catalogue::topic_settings().map(|definition| definition.name));
        twin.or_else(alike).map(|meant| (key, meant))
    });
    match meant {
        Some((key, meant)) => anyhow::anyhow!("{error}; did you mean {meant} instead of {key}?"),
        None => error,
    }
}
