//! ListConfigResources: who has settings of their own to describe (KIP-1142). Version 0 was ListClientMetricsResources.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use kafka_protocol::messages::list_config_resources_response::{ConfigResource, ListConfigResourcesResponse};
use kafka_protocol::protocol::StrBytes;

use crate::handlers::settings::Owner;
use crate::handlers::{Core, RequestContext};

/// In Kafka's order. Settings of groups and of client metrics are not kept yet, so there are none.
const LISTED: [Owner; 5] = [Owner::Group, Owner::ClientMetrics, Owner::BrokerLogger, Owner::Broker, Owner::Topic];

/// Lists those of the wanted types, or all.
pub(super) fn handle(
    core: &Core,
    context: &RequestContext,
    request: &ListConfigResourcesRequest,
    version: i16,
) -> ListConfigResourcesResponse {
    let is_listed = |owner: Owner| LISTED.contains(&owner) && (version > 0 || owner == Owner::ClientMetrics);
    let wanted: Vec<Owner> = request.resource_types.iter().map(|number| Owner::of(*number)).collect();
    if !wanted.iter().all(|owner| is_listed(*owner)) {
        return ListConfigResourcesResponse::default().with_error_code(ResponseError::UnsupportedVersion.code());
    }
    let owners = LISTED.into_iter().filter(|owner| is_listed(*owner) && (wanted.is_empty() || wanted.contains(owner)));
    let resources = owners.flat_map(|owner| names(core, context, owner).into_iter().map(move |name| (owner, name)));
    let resource = |(owner, name): (Owner, String)| {
        let resource = ConfigResource::default().with_resource_name(StrBytes::from_string(name));
        if version > 0 { resource.with_resource_type(owner as i8) } else { resource }
    };
    ListConfigResourcesResponse::default().with_config_resources(resources.map(resource).collect())
}

fn names(core: &Core, context: &RequestContext, owner: Owner) -> Vec<String> {
    match owner {
        Owner::Topic => core.topics.list().iter().map(|topic| topic.name.to_string()).collect(),
        Owner::Broker | Owner::BrokerLogger => {
            context.cluster.iter().map(|endpoint| endpoint.node.to_string()).collect()
        }
        Owner::Group | Owner::ClientMetrics | Owner::Unknown => Vec::new(),
    }
}
