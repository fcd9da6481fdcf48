//! FindCoordinator: who looks after a group or a transactional id. On one node that is always this node.
//!
//! The groups themselves are not implemented yet; a client that wants to join one learns so from JoinGroup, which is
//! not advertised. The question is answered all the same, because it is true, and because librdkafka before 2.11
//! compresses with lz4 only for brokers that know version 0 of it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::RequestContext;
use super::errors::MALFORMED;

/// The first version that asks for several keys at once.
const MANY_KEYS_FROM: i16 = 4;

/// Kinds of keys (`CoordinatorType`): groups and transactional ids. Share partitions, 2, have no coordinator here.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// Names this node, by the address of the listener that the client came in on.
pub(super) fn handle(
    context: &RequestContext,
    request: FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    let is_known = matches!(request.key_type, GROUP | TRANSACTION);
    let (error_code, node, host, port) = if is_known {
        let endpoint = &context.endpoint;
        (0, context.node, StrBytes::from_string(endpoint.host.clone()), i32::from(endpoint.port))
    } else {
        (ResponseError::InvalidRequest.code(), -1, StrBytes::default(), -1)
    };
    if version < MANY_KEYS_FROM {
        // Here Kafka spells out its "no error", too; for many keys it does not.
        let message = if is_known { "NONE" } else { MALFORMED };
        return FindCoordinatorResponse::default()
            .with_error_code(error_code)
            .with_error_message((version >= 1).then_some(StrBytes::from_static_str(message)))
            .with_node_id(BrokerId(node))
            .with_host(host)
            .with_port(port);
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        Coordinator::default()
            .with_key(key)
            .with_error_code(error_code)
            .with_error_message(Some(StrBytes::from_static_str(if is_known { "" } else { MALFORMED })))
            .with_node_id(BrokerId(node))
            .with_host(host.clone())
            .with_port(port)
    });
    FindCoordinatorResponse::default().with_coordinators(coordinators.collect())
}
