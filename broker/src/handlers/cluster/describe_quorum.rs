//! DescribeQuorum: who keeps the cluster's metadata. That is the first node, and not in a log: the offsets are 0. The other
//! nodes observe.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::describe_quorum_request::DescribeQuorumRequest;
use kafka_protocol::messages::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState, TopicData,
};
use kafka_protocol::protocol::StrBytes;

use crate::handlers::{Core, RequestContext};
use crate::topics::CLUSTER_METADATA;

/// The first version with folders and listeners.
const NODES_FROM: i16 = 2;

/// What Kafka says to UNKNOWN_TOPIC_OR_PARTITION.
const UNKNOWN: &str = "This server does not host this topic-partition.";

/// Tells of the one partition that a quorum has; a request for anything else, or for more, gets nothing.
pub(super) fn handle(
    core: &Core,
    context: &RequestContext,
    request: DescribeQuorumRequest,
    version: i16,
) -> DescribeQuorumResponse {
    let is_asked_for = match &request.topics[..] {
        [topic] => {
            topic.topic_name.as_str() == CLUSTER_METADATA
                && matches!(&topic.partitions[..], [partition] if partition.partition_index == 0)
        }
        _ => false,
    };
    if !is_asked_for {
        return refuse(request);
    }
    let keeper = context.controller();
    let others = context.cluster.iter().map(|endpoint| endpoint.node).filter(|node| *node != keeper);
    let observers = others.map(|node| state(core, node, version));
    let partition = PartitionData::default()
        .with_leader_id(BrokerId(keeper))
        // Every start elects it anew.
        .with_leader_epoch(i32::try_from(core.topics.run() + 1).unwrap_or(i32::MAX))
        .with_current_voters(vec![state(core, keeper, version)])
        .with_observers(observers.collect());
    let topic =
        TopicData::default().with_topic_name(request.topics[0].topic_name.clone()).with_partitions(vec![partition]);
    let response = DescribeQuorumResponse::default().with_topics(vec![topic]);
    if version < NODES_FROM {
        return response;
    }
    let endpoint = context.endpoint_of(keeper).unwrap_or(&context.endpoint);
    let listener = Listener::default()
        .with_name(StrBytes::from_string(endpoint.listener.clone()))
        .with_host(StrBytes::from_string(endpoint.host.clone()))
        .with_port(endpoint.port);
    response.with_nodes(vec![Node::default().with_node_id(BrokerId(keeper)).with_listeners(vec![listener])])
}

/// Nobody is behind anybody.
fn state(core: &Core, node: i32, version: i16) -> ReplicaState {
    let now_ms = core.clock.now_ms();
    let state = ReplicaState::default()
        .with_replica_id(BrokerId(node))
        .with_last_fetch_timestamp(now_ms)
        .with_last_caught_up_timestamp(now_ms);
    if version >= NODES_FROM { state.with_replica_directory_id(core.topics.directory_id()) } else { state }
}

fn refuse(request: DescribeQuorumRequest) -> DescribeQuorumResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            PartitionData::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(ResponseError::UnknownTopicOrPartition.code())
                .with_error_message(Some(StrBytes::from_static_str(UNKNOWN)))
        });
        TopicData::default().with_partitions(partitions.collect()).with_topic_name(topic.topic_name)
    });
    DescribeQuorumResponse::default().with_topics(topics.collect())
}
