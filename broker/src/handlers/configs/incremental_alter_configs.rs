//! IncrementalAlterConfigs: sets and deletes single settings, and adds to those that are lists (KIP-339).

use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use kafka_protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use crate::config::{Alteration, Alterations, Operation};
use crate::handlers::settings::{Wish, alter, code_and_sentence};
use crate::handlers::{Core, RequestContext};

/// Each resource changes whole or not at all.
pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: &IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
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
    IncrementalAlterConfigsResponse::default()
        .with_responses(request.resources.iter().zip(outcomes).map(answer).collect())
}

fn wish(resource: &AlterConfigsResource) -> Wish<'_> {
    Wish {
        owner: resource.resource_type,
        name: &resource.resource_name,
        keys: resource.configs.iter().map(key).collect(),
        alterations: resource.configs.iter().map(alteration).collect::<Result<_, _>>().map(Alterations::Of),
    }
}

/// A key and its value; one that is deleted needs none.
fn key(config: &AlterableConfig) -> (&str, Option<&str>) {
    let is_deleted = operation(config.config_operation) == Some(Operation::Delete);
    (&config.name, config.value.as_ref().map(StrBytes::as_str).or(is_deleted.then_some("")))
}

fn alteration(config: &AlterableConfig) -> Result<Alteration, String> {
    let number = config.config_operation;
    let operation = operation(number).ok_or_else(|| format!("Unknown operations type {number}"))?;
    let value = config.value.as_ref().map(|value| value.as_str().to_owned());
    Ok(Alteration { key: config.name.as_str().to_owned(), operation, value })
}

/// `AlterConfigOp.OpType`.
fn operation(number: i8) -> Option<Operation> {
    let all = [Operation::Set, Operation::Delete, Operation::Append, Operation::Subtract];
    all.into_iter().find(|operation| *operation as i8 == number)
}
