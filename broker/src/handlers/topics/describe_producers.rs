//! DescribeProducers: which idempotent producers a partition knows, for those who look for a transaction that hangs.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ProducerId;
use kafka_protocol::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use kafka_protocol::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::protocol::StrBytes;

use crate::config::limits::MAX_REPEATED_BYTES;
use crate::handlers::errors::{storage_code, topic_code};
use crate::handlers::{Core, RequestContext};
use crate::names::{TopicName, brief};
use crate::storage::log::ActiveProducer;
use crate::topics::{Topic, TopicError};

/// Describes every partition; one that fails fails alone.
pub(super) fn handle(
    core: &Core,
    context: &RequestContext,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|TopicRequest { name, partition_indexes, .. }| {
        let topic = find(core, &name);
        // A partition that is asked for twice would only make the answer longer, however long it is already.
        let mut seen = HashSet::new();
        let partitions = partition_indexes.into_iter().filter(|index| seen.insert(*index)).map(|index| match &topic {
            Ok(topic) => describe(topic, index, context.node),
            Err(failure) => {
                refused(index, topic_code(failure)).with_error_message(Some(StrBytes::from_string(failure.to_string())))
            }
        });
        TopicResponse::default().with_partitions(partitions.collect()).with_name(name)
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

fn find(core: &Core, name: &str) -> Result<Arc<Topic>, TopicError> {
    let invalid = |sentence: String| TopicError::InvalidName(brief(&sentence, MAX_REPEATED_BYTES).to_owned());
    TopicName::parse(name).map_err(|error| invalid(error.to_string()))?;
    core.topics.get(name).ok_or(TopicError::Unknown)
}

/// Kafka has no sentence for a partition that is not there, or not on this node; any replica knows the producers.
fn describe(topic: &Topic, index: i32, node: i32) -> PartitionResponse {
    let Some(partition) = topic.partition(index) else { return refused(index, ResponseError::UnknownTopicOrPartition) };
    if !topic.is_on(index, node) {
        return refused(index, ResponseError::NotLeaderOrFollower);
    }
    match partition.active_producers() {
        Ok(producers) => PartitionResponse::default()
            .with_partition_index(index)
            .with_error_message(None)
            .with_active_producers(producers.into_iter().map(tell).collect()),
        Err(failure) => refused(index, storage_code(&failure)),
    }
}

fn tell(producer: ActiveProducer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(i32::from(producer.epoch))
        .with_last_sequence(producer.last_sequence)
        .with_last_timestamp(producer.last_timestamp)
        .with_coordinator_epoch(producer.coordinator_epoch)
        .with_current_txn_start_offset(producer.transaction_first_offset)
}

fn refused(index: i32, code: ResponseError) -> PartitionResponse {
    PartitionResponse::default().with_partition_index(index).with_error_code(code.code()).with_error_message(None)
}
