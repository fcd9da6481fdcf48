//! Produce: appends one batch per partition. The bytes of a batch stay where the socket put them.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::call::{Answer, Hangup, Head};
use super::errors::{refusal_code, storage_code};
use super::{Core, RequestContext};
use crate::config::limits;
use crate::names::{TopicId, TopicName};
use crate::storage::batch::{BatchRules, Compression, RecordBatch};
use crate::storage::{Error, Refusal};
use crate::topics::{Partition, Topic};

/// The first version that names topics by their ids.
const TOPIC_IDS_FROM: i16 = 13;

/// The first version that may carry zstd.
const ZSTD_FROM: i16 = 7;

/// No batch may decompress to more than this.
const LARGEST_CONTENT_BYTES: usize = limits::MAX_DECOMPRESSED_BATCH_BYTES;

/// The client id that Kafka lets write to its internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// Appends, and answers unless the client wants no answer; then an error closes the connection, as in Kafka.
pub(super) async fn handle(core: &Core, context: &RequestContext, head: Head, body: Bytes) -> Result<Answer, Hangup> {
    let request: ProduceRequest = head.decode(body)?;
    let acks = request.acks;
    let response = respond(core, context, request, head.version).await;
    if acks != 0 {
        return head.encode(&response);
    }
    let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    match partitions.filter_map(|partition| ResponseError::try_from_code(partition.error_code)).next() {
        Some(first) => Err(head.refuse(format!("{first}, and a request with acks=0 gets no other answer"))),
        None => Ok(Answer::nothing()),
    }
}

async fn respond(core: &Core, context: &RequestContext, mut request: ProduceRequest, version: i16) -> ProduceResponse {
    // A transactional batch without a transactional id fails the whole request, as in Kafka. With one it fails as
    // well, by the same code, which no producer retries: transactions are not implemented.
    let records = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    if records.filter_map(|partition| partition.records.as_deref()).any(is_transactional) {
        return refuse_all(request, ResponseError::TransactionalIdAuthorizationFailed);
    }
    drop_repeated(&mut request.topic_data);
    let writer = Writer { core, context, acks: request.acks, version };
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        responses.push(writer.append_to_topic(topic).await);
    }
    ProduceResponse::default().with_responses(responses)
}

/// What is the same for every partition of a request.
struct Writer<'a> {
    core: &'a Core,
    context: &'a RequestContext,
    acks: i16,
    version: i16,
}

impl Writer<'_> {
    async fn append_to_topic(&self, wanted: TopicProduceData) -> TopicProduceResponse {
        let topic = if self.version >= TOPIC_IDS_FROM {
            let id = TopicId::from_uuid(wanted.topic_id);
            id.and_then(|id| self.core.topics.get_by_id(id)).ok_or(ResponseError::UnknownTopicId)
        } else {
            self.core.topics.get(&wanted.name).ok_or_else(|| unknown_topic(&wanted.name))
        };
        let mut partitions = Vec::with_capacity(wanted.partition_data.len());
        for partition in wanted.partition_data {
            let index = partition.index;
            let response = match &topic {
                Ok(topic) => self.append_to_partition(topic, partition).await,
                Err(code) => refused(*code),
            };
            partitions.push(response.with_index(index));
        }
        TopicProduceResponse::default()
            .with_name(wanted.name)
            .with_topic_id(wanted.topic_id)
            .with_partition_responses(partitions)
    }

    /// The checks stand in Kafka's order, so that a request with two faults gets the same answer.
    async fn append_to_partition(&self, topic: &Topic, wanted: PartitionProduceData) -> PartitionProduceResponse {
        let index = usize::try_from(wanted.index).ok();
        let Some(partition) = index.and_then(|index| topic.partitions.get(index)) else {
            return refused(ResponseError::UnknownTopicOrPartition);
        };
        // Kafka never answers a null record set (a bug in it); to us it is one without a batch.
        let batch = match RecordBatch::single(wanted.records.unwrap_or_default()) {
            Ok(batch) if self.version < ZSTD_FROM && batch.header().compression() == Some(Compression::Zstd) => {
                return refused(ResponseError::UnsupportedCompressionType);
            }
            Err(refusal @ (Refusal::Malformed(_) | Refusal::NotOneBatch(_))) => return rejected(partition, &refusal),
            batch => batch,
        };
        if !matches!(self.acks, -1..=1) {
            return refused(ResponseError::InvalidRequiredAcks);
        }
        if topic.name.is_internal() && *self.context.client_id != *ADMIN_CLIENT_ID {
            return refused(ResponseError::InvalidTopicException);
        }
        let now_ms = self.core.clock.now_ms();
        let rules = BatchRules::of(partition.id(), &topic.config, LARGEST_CONTENT_BYTES, now_ms);
        let admitted = batch.and_then(|batch| batch.admit(&rules));
        match admitted {
            Ok(batch) => append(partition, &batch).await,
            Err(refusal) => rejected(partition, &refusal),
        }
    }
}

/// As in Kafka, of a partition that is listed twice only the last entry counts, and a topic without partitions is not
/// in the answer.
fn drop_repeated(topics: &mut Vec<TopicProduceData>) {
    // Nothing is repeated in the request of one batch, which is the most common.
    if matches!(topics.as_slice(), [topic] if topic.partition_data.len() == 1) {
        return;
    }
    let mut seen = HashSet::new();
    for topic in topics.iter_mut().rev() {
        let TopicProduceData { name, topic_id, partition_data, .. } = topic;
        partition_data.reverse();
        partition_data.retain(|partition| seen.insert((name.clone(), *topic_id, partition.index)));
        partition_data.reverse();
    }
    topics.retain(|topic| !topic.partition_data.is_empty());
}

/// Kafka's own topics refuse all clients, so that those learn it from one that does not exist yet as well.
fn unknown_topic(name: &str) -> ResponseError {
    match TopicName::parse(name) {
        Ok(name) if name.is_internal() => ResponseError::InvalidTopicException,
        _ => ResponseError::UnknownTopicOrPartition,
    }
}

async fn append(partition: &Arc<Partition>, batch: &RecordBatch) -> PartitionProduceResponse {
    match partition.append(batch).await {
        Ok(appended) => PartitionProduceResponse::default()
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.log_append_time_ms)
            .with_log_start_offset(appended.log_start_offset),
        Err(Error::Refused(refusal)) => rejected(partition, &refusal),
        Err(failure) => refused(storage_code(&failure)).with_log_start_offset(partition.log_start_offset()),
    }
}

/// The answer for a batch that may not be appended.
fn rejected(partition: &Partition, refusal: &Refusal) -> PartitionProduceResponse {
    let log_start_offset = if refusal.knows_log_start() { partition.log_start_offset() } else { -1 };
    let describe = |(index, sentence): &(i32, String)| {
        BatchIndexAndErrorMessage::default()
            .with_batch_index(*index)
            .with_batch_index_error_message(Some(StrBytes::from_string(sentence.clone())))
    };
    refused(refusal_code(refusal))
        .with_log_start_offset(log_start_offset)
        .with_record_errors(refusal.record_errors().iter().map(describe).collect())
        .with_error_message(refusal.message_for_client().map(StrBytes::from_string))
}

fn refused(code: ResponseError) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_error_code(code.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
}

fn refuse_all(request: ProduceRequest, code: ResponseError) -> ProduceResponse {
    let refuse_topic = |topic: TopicProduceData| {
        let partitions = topic.partition_data.iter().map(|partition| refused(code).with_index(partition.index));
        TopicProduceResponse::default()
            .with_partition_responses(partitions.collect())
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
    };
    ProduceResponse::default().with_responses(request.topic_data.into_iter().map(refuse_topic).collect())
}

/// Bit 4 of a batch's attributes, read before anything is checked.
fn is_transactional(records: &[u8]) -> bool {
    const MAGIC: usize = 16;
    const ATTRIBUTES_LOW_BYTE: usize = 22;
    records.get(MAGIC) == Some(&2) && records.get(ATTRIBUTES_LOW_BYTE).is_some_and(|byte| byte & 0x10 != 0)
}

#[cfg(test)]
#[path = "produce_tests.rs"]
mod tests;
