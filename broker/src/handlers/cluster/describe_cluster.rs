//! DescribeCluster: the brokers, the controller, and what may be done to the cluster.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use kafka_protocol::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

use crate::handlers::operations::{CLUSTER_OPERATIONS, NOT_ASKED};
use crate::handlers::{Core, RequestContext};

/// Kinds of endpoints (`EndpointType`). Only brokers are asked here.
const BROKER: i8 = 1;
const CONTROLLER: i8 = 2;

/// Tells all nodes by their addresses of the listener that the client came in on. None is ever fenced, so that it does not
/// matter whether fenced brokers are wanted.
pub(super) fn handle(
    core: &Core,
    context: &RequestContext,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    match request.endpoint_type {
        BROKER => {}
        CONTROLLER => {
            let sentence =
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
            return refuse(ResponseError::MismatchedEndpointType, sentence.into());
        }
        other => {
            return refuse(ResponseError::UnsupportedEndpointType, format!("Unsupported endpoint type {other}"));
        }
    }
    let brokers = context.cluster.iter().map(|endpoint| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(endpoint.node))
            .with_host(StrBytes::from_string(endpoint.host.clone()))
            .with_port(i32::from(endpoint.port))
    });
    let asked = request.include_cluster_authorized_operations;
    DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_string(core.topics.cluster_id().to_owned()))
        .with_controller_id(BrokerId(context.controller()))
        .with_brokers(brokers.collect())
        .with_cluster_authorized_operations(if asked { CLUSTER_OPERATIONS } else { NOT_ASKED })
}

fn refuse(code: ResponseError, sentence: String) -> DescribeClusterResponse {
    DescribeClusterResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(sentence)))
}
