//! Produce: appends one batch per partition. The bytes of a batch stay where the socket put them, unless the topic asks
//! for another codec.
//!
//! The batches of a request are checked and appended one after another; then their flushes are awaited, which run
//! side by side.

use std::collections::{BTreeSet, HashSet};
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse,
    TopicProduceResponse,
};
use kafka_protocol::protocol::StrBytes;
use tokio::task::{spawn_blocking, yield_now};

use super::call::{Answer, Hangup, Head};
use super::errors::{refusal_code, storage_code};
use super::{Core, Endpoint, RequestContext};
use crate::clock::TimestampMs;
use crate::config::{TopicConfig, limits};
use crate::names::{TopicId, TopicName};
use crate::storage::batch::{BatchRules, Compression, RecordBatch, Target};
use crate::storage::{Error, Refusal};
use crate::topics::{Partition, Topic};

/// The first version that names topics by their ids.
const TOPIC_IDS_FROM: i16 = 13;

/// The first version that names the leader to whom asks another node.
const LEADERS_FROM: i16 = 10;

/// The first version that may carry zstd.
const ZSTD_FROM: i16 = 7;

/// Where a batch says which format it has.
const MAGIC_POSITION: usize = 16;

/// No batch may decompress to more than this.
const LARGEST_CONTENT_BYTES: usize = limits::MAX_DECOMPRESSED_BATCH_BYTES;

/// A batch up to this size is decompressed in place, in well under a millisecond, or compressed, in a few; larger ones,
/// and those that hold more than [`SMALL_CONTENT_BYTES`], go to a thread of the blocking pool, which costs some
/// microseconds.
const SMALL_COMPRESSED_BYTES: usize = 64 * 1024;

/// What a batch may decompress to in place: some milliseconds of work at most, however it is made.
const SMALL_CONTENT_BYTES: usize = 1024 * 1024;

/// After so many bytes of batches, which take a few milliseconds, others have their turn.
const YIELD_AFTER_BYTES: usize = 4 * SMALL_CONTENT_BYTES;

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
    if let Some((code, sentence)) = fault_of_all(&request) {
        return refuse_all(request, code, sentence);
    }
    drop_repeated(&mut request.topic_data);
    let mut writer = Writer { core, context, acks: request.acks, version, bytes_in_a_row: 0 };
    let mut begun = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        begun.push(writer.append_to_topic(topic).await);
    }
    let mut responses = Vec::with_capacity(begun.len());
    for (topic, partitions) in begun {
        let mut answers = Vec::with_capacity(partitions.len());
        for (index, begun) in partitions {
            answers.push(begun.finish().await.with_index(index));
        }
        responses.push(topic.with_partition_responses(answers));
    }
    let node_endpoints = endpoints_of_leaders(context, &responses);
    ProduceResponse::default().with_responses(responses).with_node_endpoints(node_endpoints)
}

/// Where the leaders are whom partitions of the answer name, so that the client need not ask for metadata (KIP-951).
fn endpoints_of_leaders(context: &RequestContext, responses: &[TopicProduceResponse]) -> Vec<NodeEndpoint> {
    let partitions = responses.iter().flat_map(|topic| &topic.partition_responses);
    let named = partitions.map(|partition| partition.current_leader.leader_id).filter(|leader| leader.0 >= 0);
    let leaders: BTreeSet<BrokerId> = named.collect();
    let endpoints = leaders.into_iter().filter_map(|leader| context.endpoint_of(leader.0));
    let tell = |endpoint: &Endpoint| {
        NodeEndpoint::default()
            .with_node_id(BrokerId(endpoint.node))
            .with_host(StrBytes::from_string(endpoint.host.clone()))
            .with_port(i32::from(endpoint.port))
            .with_rack(None)
    };
    endpoints.map(tell).collect()
}

/// What is the same for every partition of a request, and how much was done without a pause.
struct Writer<'a> {
    core: &'a Core,
    context: &'a RequestContext,
    acks: i16,
    version: i16,
    bytes_in_a_row: usize,
}

/// An append whose records stand in the log, or do not and never will.
enum Begun {
    Answered(PartitionProduceResponse),
    /// The flush is still to come.
    Flushing(Pin<Box<dyn Future<Output = PartitionProduceResponse> + Send>>),
}

impl Begun {
    /// Appends; the first poll of an append does all but the waiting.
    async fn append(partition: Arc<Partition>, batch: RecordBatch) -> Begun {
        let mut append = Box::pin(async move { append(&partition, &batch).await });
        let first = poll_fn(|task| Poll::Ready(append.as_mut().poll(task))).await;
        match first {
            Poll::Ready(answer) => Begun::Answered(answer),
            Poll::Pending => Begun::Flushing(append),
        }
    }

    async fn finish(self) -> PartitionProduceResponse {
        match self {
            Begun::Answered(answer) => answer,
            Begun::Flushing(append) => append.await,
        }
    }
}

impl Writer<'_> {
    /// The answer for a topic without its partitions, and what becomes of these.
    async fn append_to_topic(&mut self, wanted: TopicProduceData) -> (TopicProduceResponse, Vec<(i32, Begun)>) {
        let topic = if self.version >= TOPIC_IDS_FROM {
            let id = TopicId::from_uuid(wanted.topic_id);
            id.and_then(|id| self.core.topics.get_by_id(id)).ok_or(ResponseError::UnknownTopicId)
        } else {
            self.core.topics.get(&wanted.name).ok_or_else(|| unknown_topic(&wanted.name))
        };
        let mut partitions = Vec::with_capacity(wanted.partition_data.len());
        for partition in wanted.partition_data {
            let index = partition.index;
            let begun = match &topic {
                Ok(topic) => self.append_to_partition(topic, partition).await.unwrap_or_else(Begun::Answered),
                Err(code) => Begun::Answered(refused(*code)),
            };
            partitions.push((index, begun));
        }
        (TopicProduceResponse::default().with_name(wanted.name).with_topic_id(wanted.topic_id), partitions)
    }

    /// The checks stand in Kafka's order, so that a request with two faults gets the same answer.
    async fn append_to_partition(
        &mut self,
        topic: &Arc<Topic>,
        wanted: PartitionProduceData,
    ) -> Result<Begun, PartitionProduceResponse> {
        let Some(partition) = topic.partition(wanted.index) else {
            return Err(refused(ResponseError::UnknownTopicOrPartition));
        };
        // Kafka never answers a null record set (a bug in it); to us it is one without a batch.
        let batch = match RecordBatch::single(wanted.records.unwrap_or_default()) {
            Ok(batch) if self.version < ZSTD_FROM && batch.header().compression() == Some(Compression::Zstd) => {
                return Err(refused(ResponseError::UnsupportedCompressionType));
            }
            Err(refusal @ Refusal::NotOneBatch(_)) => return Err(rejected(partition, &refusal)),
            batch => batch,
        };
        if !matches!(self.acks, -1..=1) {
            return Err(refused(ResponseError::InvalidRequiredAcks));
        }
        if topic.name.is_internal() && *self.context.client_id != *ADMIN_CLIENT_ID {
            return Err(refused(ResponseError::InvalidTopicException));
        }
        if topic.leader_of(wanted.index) != self.context.node {
            return Err(led_elsewhere(topic, partition, self.version));
        }
        let batch = batch.map_err(|refusal| rejected(partition, &refusal))?;
        self.give_way(&batch).await;
        let settings = topic.in_force().await;
        let admitted = admit(&settings, partition, batch, self.core.clock.now_ms()).await;
        let batch = admitted.map_err(|refusal| rejected(partition, &refusal))?;
        Ok(Begun::append(Arc::clone(partition), batch).await)
    }

    /// Lets others have their turn before this batch, when the request has done much in a row. A compressed batch
    /// counts as the most that it may hold.
    async fn give_way(&mut self, batch: &RecordBatch) {
        if self.bytes_in_a_row >= YIELD_AFTER_BYTES {
            self.bytes_in_a_row = 0;
            yield_now().await;
        }
        self.bytes_in_a_row += if is_compressed(batch) { SMALL_CONTENT_BYTES } else { batch.bytes().len() };
    }
}

fn is_compressed(batch: &RecordBatch) -> bool {
    !matches!(batch.header().compression(), None | Some(Compression::None))
}

/// Checks a batch by the rules of its topic. No batch holds a thread of the runtime for long, however well it is
/// compressed: what a small one holds is found out by trying, since nothing in its header says so.
async fn admit(
    settings: &Arc<TopicConfig>,
    partition: &Arc<Partition>,
    batch: RecordBatch,
    now_ms: TimestampMs,
) -> Result<RecordBatch, Refusal> {
    if !is_compressed(&batch) && Target::of(settings).is_none() {
        return batch.admit(&BatchRules::of(partition.id(), settings, LARGEST_CONTENT_BYTES, now_ms));
    }
    if batch.bytes().len() <= SMALL_COMPRESSED_BYTES {
        let rules = BatchRules::of(partition.id(), settings, SMALL_CONTENT_BYTES, now_ms);
        if let Ok(admitted) = batch.admit(&rules) {
            return Ok(admitted);
        }
    }
    let (settings, partition) = (Arc::clone(settings), Arc::clone(partition));
    let admit = move || batch.admit(&BatchRules::of(partition.id(), &settings, LARGEST_CONTENT_BYTES, now_ms));
    // Nobody aborts the thread's work, so that it can end without a result only by a panic.
    spawn_blocking(admit).await.unwrap_or_else(|broken| resume_unwind(broken.into_panic()))
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

/// The answer for a partition of another node.
fn led_elsewhere(topic: &Topic, partition: &Partition, version: i16) -> PartitionProduceResponse {
    let answer = refused(ResponseError::NotLeaderOrFollower);
    if version < LEADERS_FROM {
        return answer;
    }
    let leader = BrokerId(topic.leader_of(partition.id().partition));
    let leader = LeaderIdAndEpoch::default().with_leader_id(leader).with_leader_epoch(partition.leader_epoch());
    answer.with_current_leader(leader)
}

fn refuse_all(request: ProduceRequest, code: ResponseError, sentence: Option<String>) -> ProduceResponse {
    let answer = refused(code).with_error_message(sentence.map(StrBytes::from_string));
    let refuse_topic = |topic: TopicProduceData| {
        let partitions = topic.partition_data.iter().map(|partition| answer.clone().with_index(partition.index));
        TopicProduceResponse::default()
            .with_partition_responses(partitions.collect())
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
    };
    ProduceResponse::default().with_responses(request.topic_data.into_iter().map(refuse_topic).collect())
}

/// What fails the whole request, as in Kafka, which looks at the first batch of every partition before it writes any.
///
/// A transactional batch without a transactional id fails it. With one it fails as well, by the same code, which no
/// producer retries: transactions are not implemented. And so does a batch of a size or format that cannot be.
fn fault_of_all(request: &ProduceRequest) -> Option<(ResponseError, Option<String>)> {
    let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    partitions.filter_map(|partition| partition.records.as_ref()).find_map(|records| {
        if is_transactional(records) {
            return Some((ResponseError::TransactionalIdAuthorizationFailed, None));
        }
        // The bytes up to the magic tell, and are no batch, so that nothing else is checked twice.
        match RecordBatch::single(records.slice(..records.len().min(MAGIC_POSITION + 1))) {
            Err(refusal @ Refusal::Malformed(_)) => Some((refusal_code(&refusal), refusal.message_for_client())),
            _ => None,
        }
    })
}

/// Bit 4 of a batch's attributes, read before anything is checked.
fn is_transactional(records: &[u8]) -> bool {
    const ATTRIBUTES_LOW_BYTE: usize = 22;
    records.get(MAGIC_POSITION) == Some(&2) && records.get(ATTRIBUTES_LOW_BYTE).is_some_and(|byte| byte & 0x10 != 0)
}

#[cfg(test)]
#[path = "produce_tests.rs"]
mod tests;
