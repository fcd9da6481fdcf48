//! The conversations about APIs of administration, for the test that asks in every version.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest as ProducersOf;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::*;

use super::Core;
use super::tests::{ask, wire};

/// Asks about a topic, and about something that is wrong.
pub(super) async fn converse(core: &Core, key: ApiKey, version: i16, name: &str) {
    match key {
        ApiKey::OffsetForLeaderEpoch => {
            let partition = OffsetForLeaderPartition::default().with_leader_epoch(0);
            let topic = OffsetForLeaderTopic::default().with_topic(wire(name)).with_partitions(vec![partition]);
            ask(core, &OffsetForLeaderEpochRequest::default().with_topics(vec![topic]), version).await;
        }
        ApiKey::CreatePartitions => {
            for count in [1, 7] {
                let topic = CreatePartitionsTopic::default().with_name(wire(name)).with_count(count);
                let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_validate_only(true);
                ask(core, &request, version).await;
            }
        }
        ApiKey::DescribeCluster => {
            let request = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
            ask(core, &request, version).await;
            if version >= 1 {
                ask(core, &request.with_endpoint_type(2), version).await;
            }
        }
        ApiKey::DescribeProducers => {
            let topic = ProducersOf::default().with_name(wire(name)).with_partition_indexes(vec![0, 9]);
            ask(core, &DescribeProducersRequest::default().with_topics(vec![topic]), version).await;
        }
        ApiKey::DescribeTopicPartitions => {
            let topic = TopicRequest::default().with_name(wire(name));
            let request = DescribeTopicPartitionsRequest::default().with_response_partition_limit(1).with_cursor(None);
            ask(core, &request, version).await;
            let request = request.with_topics(vec![topic]);
            ask(core, &request, version).await;
            ask(core, &request.with_cursor(Some(Cursor::default().with_partition_index(-1))), version).await;
        }
        other => panic!("{other:?} stands in the table and has no conversation here"),
    }
}
