//! AlterReplicaLogDirs: moves replicas between the folders of a broker. There is one folder, so that they are there.

use std::collections::BTreeMap;

use kafka_protocol::messages::TopicName as WireName;
use kafka_protocol::messages::alter_replica_log_dirs_request::AlterReplicaLogDirsRequest;
use kafka_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsResponse,
};

use crate::handlers::errors::topic_code;
use crate::handlers::{Core, RequestContext};

/// Each partition succeeds or fails alone; of one that is to go to two folders the last counts, as in Kafka.
pub(super) fn handle(
    core: &Core,
    context: &RequestContext,
    request: &AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let mut wanted: BTreeMap<&WireName, BTreeMap<i32, &str>> = BTreeMap::new();
    for dir in &request.dirs {
        for topic in dir.topics.iter().filter(|topic| !topic.partitions.is_empty()) {
            let partitions = wanted.entry(&topic.name).or_default();
            partitions.extend(topic.partitions.iter().map(|partition| (*partition, dir.path.as_str())));
        }
    }
    let results = wanted.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(partition, log_dir)| {
            let outcome = core.topics.move_replica(&context.principal, context.node, name, partition, log_dir);
            AlterReplicaLogDirPartitionResult::default()
                .with_partition_index(partition)
                .with_error_code(outcome.map_or_else(|failure| topic_code(&failure).code(), |()| 0))
        });
        AlterReplicaLogDirTopicResult::default().with_topic_name(name.clone()).with_partitions(partitions.collect())
    });
    AlterReplicaLogDirsResponse::default().with_results(results.collect())
}
