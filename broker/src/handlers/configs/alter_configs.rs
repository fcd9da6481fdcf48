//! AlterConfigs: puts a whole set of settings in the place of those that there are. Clients since Kafka 2.3 use
//! IncrementalAlterConfigs, because this one undoes what others do at the same time.

use kafka_protocol::messages::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::config::Alterations;
use crate::handlers::settings::{Wish, alter, code_and_sentence};
use crate::handlers::{Core, RequestContext};

/// Each resource changes whole or not at all.
pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: &AlterConfigsRequest,
) -> AlterConfigsResponse {
    let wishes = request.resources.iter().map(wish).collect();
    let outcomes = alter(core, context, wishes, request.validate_only).await;
    let answer = |(resource, outcome): (&AlterConfigsResource, _)| {
        let (code, sentence) = code_and_sentence(outcome);
        AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_error_code(code)
            .with_error_message(sentence)
    };
    AlterConfigsResponse::default().with_responses(request.resources.iter().zip(outcomes).map(answer).collect())
}

fn wish(resource: &AlterConfigsResource) -> Wish<'_> {
    let keys: Vec<_> = resource.configs.iter().map(key).collect();
    let settings = keys.iter().map(|(key, value)| ((*key).to_owned(), value.unwrap_or_default().to_owned()));
    Wish {
        owner: resource.resource_type,
        name: &resource.resource_name,
        alterations: Ok(Alterations::Replace(settings.collect())),
        keys,
    }
}

fn key(config: &AlterableConfig) -> (&str, Option<&str>) {
    (&config.name, config.value.as_ref().map(StrBytes::as_str))
}
