//! The APIs that describe and alter settings, of topics and of brokers.

mod alter_configs;
mod describe_configs;
mod incremental_alter_configs;
mod list_config_resources;
#[cfg(test)]
pub(super) mod tests;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;

use super::call::{Answer, Hangup, Head};
use super::{Core, RequestContext};

/// Answers one request of these APIs.
pub(super) async fn answer(
    core: &Core,
    context: &RequestContext,
    key: ApiKey,
    head: Head,
    body: Bytes,
) -> Result<Answer, Hangup> {
    let version = head.version;
    match key {
        ApiKey::DescribeConfigs => {
            head.encode(&describe_configs::handle(core, context, &head.decode(body)?, version).await?)
        }
        ApiKey::AlterConfigs => head.encode(&alter_configs::handle(core, context, &head.decode(body)?).await),
        ApiKey::IncrementalAlterConfigs => {
            head.encode(&incremental_alter_configs::handle(core, context, &head.decode(body)?).await)
        }
        ApiKey::ListConfigResources => {
            head.encode(&list_config_resources::handle(core, context, &head.decode(body)?, version))
        }
        _ => Err(head.has_no_handler()),
    }
}
