//! Where a topic's partitions begin and end, and where a time is in them.

use std::collections::BTreeMap;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest};

use super::{Client, Failure, check, name_of, topic_name};

/// The first offset that can be read, as ListOffsets has it.
pub(crate) const EARLIEST: i64 = -2;

/// The offset after the last that can be read.
pub(crate) const LATEST: i64 = -1;

/// Partition → an offset, or why there is none.
pub(crate) type Offsets = BTreeMap<i32, Result<i64, Failure>>;

impl Client {
    /// The first offset at or after a time in every partition, by [`EARLIEST`] and [`LATEST`] its ends; -1 where no
    /// record is that late. `committed` ends them before the first open transaction.
    pub(crate) async fn offsets(
        &mut self,
        topic: &MetadataResponseTopic,
        time: i64,
        committed: bool,
    ) -> Result<Offsets, Failure> {
        let name = name_of(topic);
        let mut by_leader: BTreeMap<i32, Vec<ListOffsetsPartition>> = BTreeMap::new();
        let mut found = Offsets::new();
        for partition in &topic.partitions {
            let index = partition.partition_index;
            if partition.leader_id.0 < 0 {
                found.insert(index, check(&no_offset(name, index), partition.error_code, None).map(|()| -1));
                continue;
            }
            let asked = ListOffsetsPartition::default().with_partition_index(index).with_timestamp(time);
            by_leader.entry(partition.leader_id.0).or_default().push(asked);
        }
        for (leader, partitions) in by_leader {
            let topic = ListOffsetsTopic::default().with_name(topic_name(name)).with_partitions(partitions);
            let request = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_isolation_level(committed.into())
                .with_topics(vec![topic]);
            // Version 2 brings the isolation level.
            let answer = self.ask_node(leader, 2..=10, &request).await?;
            for it in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
                let judged = check(&no_offset(name, it.partition_index), it.error_code, None);
                found.insert(it.partition_index, judged.map(|()| it.offset));
            }
        }
        Ok(found)
    }
}

fn no_offset(name: &str, partition: i32) -> String {
    format!("no offset of {name} [{partition}] is known")
}
