//! FindCoordinator: who looks after a group or a transactional id.
//!
//! Transactions are not implemented yet; a client that wants one learns so from InitProducerId. The question is answered all
//! the same, because it is true, and because librdkafka before 2.11 compresses with lz4 only for brokers that know version 0
//! of it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::errors::MALFORMED;
use super::{Core, Endpoint, RequestContext};
use crate::coordinator::partition_of;
use crate::names::GroupId;

/// The first version that asks for several keys at once.
const MANY_KEYS_FROM: i16 = 4;

/// Kinds of keys (`CoordinatorType`): groups and transactional ids. Share partitions, 2, have no coordinator here.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// `transaction.state.log.num.partitions`, as long as there is no such log.
const TRANSACTION_PARTITIONS: usize = 50;

/// Names the node of each key, by its address of the listener that the client came in on.
pub(super) fn handle(
    core: &Core,
    context: &RequestContext,
    request: FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    let kind = request.key_type;
    if version < MANY_KEYS_FROM {
        let found = find(core, context, kind, &request.key);
        // Here Kafka spells out its "no error", too; for many keys it does not.
        let message = if found.is_some() { "NONE" } else { MALFORMED };
        let (error_code, node, host, port) = tell(found);
        return FindCoordinatorResponse::default()
            .with_error_code(error_code)
            .with_error_message((version >= 1).then_some(StrBytes::from_static_str(message)))
            .with_node_id(node)
            .with_host(host)
            .with_port(port);
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        let found = find(core, context, kind, &key);
        let message = if found.is_some() { "" } else { MALFORMED };
        let (error_code, node, host, port) = tell(found);
        Coordinator::default()
            .with_key(key)
            .with_error_code(error_code)
            .with_error_message(Some(StrBytes::from_static_str(message)))
            .with_node_id(node)
            .with_host(host)
            .with_port(port)
    });
    FindCoordinatorResponse::default().with_coordinators(coordinators.collect())
}

/// The node that looks after a key; `None` for a kind of keys that nobody looks after.
fn find<'a>(core: &Core, context: &'a RequestContext, kind: i8, key: &str) -> Option<&'a Endpoint> {
    let node = match kind {
        GROUP => core.coordinator.node_of(&GroupId::new(key)),
        TRANSACTION => {
            let partition = i32::try_from(partition_of(key, TRANSACTION_PARTITIONS)).unwrap_or(0);
            core.nodes.nth(partition)
        }
        _ => return None,
    };
    context.endpoint_of(node)
}

fn tell(found: Option<&Endpoint>) -> (i16, BrokerId, StrBytes, i32) {
    match found {
        Some(endpoint) => {
            let host = StrBytes::from_string(endpoint.host.clone());
            (0, BrokerId(endpoint.node), host, i32::from(endpoint.port))
        }
        None => (ResponseError::InvalidRequest.code(), BrokerId(-1), StrBytes::default(), -1),
    }
}
