//! DescribeConfigs: every setting of topics and brokers, with its value, its source and what was passed over.

use std::collections::HashSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::protocol::StrBytes;
use tokio::task::yield_now;

use crate::config::limits::MAX_TOLD_SETTINGS;
use crate::config::{Described, Synonym};
use crate::handlers::call::Hangup;
use crate::handlers::errors::MALFORMED;
use crate::handlers::settings::{LOGGER_SOURCE, Owner, Refused, check_broker_id, kind_code, log_level, source_code};
use crate::handlers::{Core, RequestContext};
use crate::names::TopicName;

/// Requests for more owners than this wait for one another.
const SHORT: usize = 50;

/// The first version that tells types and documentation.
const TYPES_FROM: i16 = 3;

/// Describes one owner of settings after the other. An answer can be a thousand times as long as its request: only one
/// connection at a time makes a long one, others have their turn between two owners, and none is longer than the limit.
pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: &DescribeConfigsRequest,
    version: i16,
) -> Result<DescribeConfigsResponse, Hangup> {
    let _turn = match request.resources.len() {
        0..=SHORT => None,
        _ => Some(core.long_answers.acquire().await.expect("the semaphore is never closed")),
    };
    // Kafka finds these before it looks at any other, and they fail the whole request.
    let is_unknown = |resource: &DescribeConfigsResource| Owner::of(resource.resource_type) == Owner::Unknown;
    let is_malformed = request.resources.iter().any(is_unknown);
    let (mut results, mut told) = (Vec::with_capacity(request.resources.len()), 0);
    for resource in &request.resources {
        let configs = match is_malformed {
            true => Err((ResponseError::InvalidRequest, MALFORMED.into())),
            false => configs(core, context, resource),
        };
        let result = describe(resource, configs, request, version);
        told += result.configs.len();
        if told > MAX_TOLD_SETTINGS {
            return Err(Hangup::new(format!(
                "DescribeConfigs of {} resources would tell more than {MAX_TOLD_SETTINGS} settings; ask for fewer",
                request.resources.len()
            )));
        }
        results.push(result);
        yield_now().await;
    }
    Ok(DescribeConfigsResponse::default().with_results(results))
}

/// One owner's part of the answer.
fn describe(
    resource: &DescribeConfigsResource,
    configs: Result<Vec<Described>, Refused>,
    request: &DescribeConfigsRequest,
    version: i16,
) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone())
        .with_error_message(Some(StrBytes::default()));
    match configs {
        Ok(configs) => {
            let wanted = resource.configuration_keys.as_deref().unwrap_or_default();
            let wanted: HashSet<&str> = wanted.iter().map(StrBytes::as_str).collect();
            let is_wanted = |config: &Described| wanted.is_empty() || wanted.contains(config.name.as_str());
            let configs = configs.into_iter().filter(is_wanted);
            let is_logger = Owner::of(resource.resource_type) == Owner::BrokerLogger;
            result.with_configs(configs.map(|config| tell(config, request, version, is_logger)).collect())
        }
        Err((code, sentence)) => {
            result.with_error_code(code.code()).with_error_message(Some(StrBytes::from_string(sentence)))
        }
    }
}

/// Kafka has no sentence for a topic that does not exist.
fn configs(
    core: &Core,
    context: &RequestContext,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Described>, Refused> {
    let (name, config) = (resource.resource_name.as_str(), core.config());
    let refuse = |sentence: String| Err((ResponseError::InvalidRequest, sentence));
    match Owner::of(resource.resource_type) {
        Owner::Topic => {
            let topic =
                TopicName::parse(name).map_err(|error| (ResponseError::InvalidTopicException, error.to_string()))?;
            let topic = core
                .topics
                .get(topic.as_str())
                .ok_or_else(|| (ResponseError::UnknownTopicOrPartition, String::new()))?;
            Ok(config.settings.described_topic(&topic.overrides))
        }
        Owner::Broker if name.is_empty() => Ok(config.settings.described_cluster()),
        Owner::Broker => {
            check_broker_id(name, context.node, "Broker", " or empty string, but")?;
            Ok(config.settings_of(context.node).described_broker())
        }
        Owner::BrokerLogger if name.is_empty() => refuse("Broker id must not be empty".into()),
        Owner::BrokerLogger => {
            check_broker_id(name, context.node, "Broker", " but")?;
            Ok(vec![root_logger()])
        }
        owner => refuse(format!("Unsupported resource type: {}", owner.name())),
    }
}

/// The one logger there is.
fn root_logger() -> Described {
    Described {
        name: "root".into(),
        kind: None,
        value: Some(log_level()),
        source: crate::config::Source::Default,
        is_read_only: true,
        is_sensitive: false,
        synonyms: Vec::new(),
        documentation: None,
    }
}

fn tell(
    config: Described,
    request: &DescribeConfigsRequest,
    version: i16,
    is_logger: bool,
) -> DescribeConfigsResourceResult {
    let text = StrBytes::from_string;
    let synonym = |synonym: Synonym| {
        DescribeConfigsSynonym::default()
            .with_name(text(synonym.name))
            .with_value(synonym.value.map(text))
            .with_source(source_code(synonym.source))
    };
    let synonyms = if request.include_synonyms { config.synonyms } else { Vec::new() };
    let told = DescribeConfigsResourceResult::default()
        .with_name(text(config.name))
        .with_value(config.value.map(text))
        .with_read_only(config.is_read_only)
        .with_config_source(if is_logger { LOGGER_SOURCE } else { source_code(config.source) })
        .with_is_sensitive(config.is_sensitive)
        .with_synonyms(synonyms.into_iter().map(synonym).collect());
    if version < TYPES_FROM {
        return told;
    }
    let documentation = config.documentation.filter(|_| request.include_documentation);
    told.with_config_type(kind_code(config.kind)).with_documentation(documentation.map(text))
}
