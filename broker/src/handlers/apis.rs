//! THE table: which APIs this broker speaks, and in which versions. ApiVersions tells it, dispatch obeys it.

use kafka_protocol::messages::ApiKey;

/// One API that is implemented.
#[derive(Clone, Copy, Debug)]
pub(super) struct Api {
    pub(super) key: ApiKey,
    /// The oldest version that is answered.
    pub(super) oldest: i16,
    /// The newest version that is answered.
    pub(super) newest: i16,
    /// The oldest version that clients are told of.
    pub(super) advertised_from: i16,
}

/// Kafka 4.3's ranges, in the order of the keys; what is not implemented does not stand here.
pub(super) const APIS: [Api; 41] = [
    // Kafka tells of Produce 0 and refuses 0 to 2: librdkafka before 2.11.1 compresses only for brokers that do
    // (KAFKA-18659).
    Api { advertised_from: 0, ..api(ApiKey::Produce, 3, 13) },
    api(ApiKey::Fetch, 4, 18),
    api(ApiKey::ListOffsets, 1, 11),
    api(ApiKey::Metadata, 0, 13),
    api(ApiKey::OffsetCommit, 2, 10),
    api(ApiKey::OffsetFetch, 1, 10),
    api(ApiKey::FindCoordinator, 0, 6),
    api(ApiKey::JoinGroup, 0, 9),
    api(ApiKey::Heartbeat, 0, 4),
    api(ApiKey::LeaveGroup, 0, 5),
    api(ApiKey::SyncGroup, 0, 5),
    api(ApiKey::DescribeGroups, 0, 6),
    api(ApiKey::ListGroups, 0, 5),
    api(ApiKey::ApiVersions, 0, 4),
    api(ApiKey::CreateTopics, 2, 7),
    api(ApiKey::DeleteTopics, 1, 6),
    api(ApiKey::InitProducerId, 0, 5),
    api(ApiKey::OffsetForLeaderEpoch, 2, 4),
    api(ApiKey::DescribeAcls, 1, 3),
    api(ApiKey::CreateAcls, 1, 3),
    api(ApiKey::DeleteAcls, 1, 3),
    api(ApiKey::DescribeConfigs, 1, 4),
    api(ApiKey::AlterConfigs, 0, 2),
    api(ApiKey::AlterReplicaLogDirs, 1, 2),
    api(ApiKey::DescribeLogDirs, 1, 5),
    api(ApiKey::CreatePartitions, 0, 3),
    api(ApiKey::DeleteGroups, 0, 2),
    api(ApiKey::ElectLeaders, 0, 2),
    api(ApiKey::IncrementalAlterConfigs, 0, 1),
    api(ApiKey::AlterPartitionReassignments, 0, 1),
    api(ApiKey::ListPartitionReassignments, 0, 0),
    api(ApiKey::OffsetDelete, 0, 0),
    api(ApiKey::DescribeClientQuotas, 0, 1),
    api(ApiKey::DescribeUserScramCredentials, 0, 0),
    api(ApiKey::DescribeQuorum, 0, 2),
    api(ApiKey::DescribeCluster, 0, 2),
    api(ApiKey::DescribeProducers, 0, 0),
    api(ApiKey::DescribeTransactions, 0, 0),
    api(ApiKey::ListTransactions, 0, 2),
    api(ApiKey::ListConfigResources, 0, 1),
    api(ApiKey::DescribeTopicPartitions, 0, 0),
];

const fn api(key: ApiKey, oldest: i16, newest: i16) -> Api {
    Api { key, oldest, newest, advertised_from: oldest }
}

impl Api {
    /// The API of a key on the wire.
    pub(super) fn of(api_key: i16) -> Option<Api> {
        APIS.into_iter().find(|api| api.key as i16 == api_key)
    }

    /// Whether this version is answered.
    pub(super) fn speaks(self, version: i16) -> bool {
        (self.oldest..=self.newest).contains(&version)
    }
}
