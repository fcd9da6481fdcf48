//! A client that asks in types and waits for each answer: topics, records, offsets. It blocks, retries nothing and hides no
//! error code.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, Request, StrBytes};

use crate::raw_client::{RawClient, Reply};

/// The version of Produce that names topics; later ones give their ids.
pub const PRODUCE_VERSION: i16 = 9;

/// A broker that does not answer within this does not answer; generous, for machines that do many things at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
#[derive(Debug)]
pub struct Client(RawClient);

/// What came of sending records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    /// 0, or why they were refused.
    pub error_code: i16,
    /// The offset of the first of them.
    pub base_offset: i64,
}

impl Client {
    /// Opens a connection.
    pub fn connect(address: SocketAddr) -> anyhow::Result<Client> {
        Ok(Client(RawClient::connect_with_patience(address, PATIENCE)?))
    }

    /// Sends a request and waits for its answer.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> anyhow::Result<R::Response> {
        match self.0.ask(R::KEY, version, &encode(version, request)?)? {
            Reply::Body(body) => Ok(R::Response::decode(&mut Bytes::from(body), version)?),
            reply => bail!("API {} was not answered: {reply:?}", R::KEY),
        }
    }

    /// Creates a topic whose records stay, however old they are; returns the error code.
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> anyhow::Result<i16> {
        let configs = configs.iter().chain(&[("retention.ms", "-1")]);
        let configs = configs
            .map(|(key, value)| CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value))));
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        let answer = self.ask(4, &request)?;
        Ok(answer.topics.first().context("the answer speaks of no topic")?.error_code)
    }

    /// Gives a topic more partitions; returns the error code.
    pub fn extend_topic(&mut self, name: &str, partitions: i32) -> anyhow::Result<i16> {
        let topic = CreatePartitionsTopic::default().with_name(TopicName(text(name))).with_count(partitions);
        let topic = topic.with_assignments(None);
        let answer =
            self.ask(3, &CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000))?;
        Ok(answer.results.first().context("the answer speaks of no topic")?.error_code)
    }

    /// Deletes a topic; returns the error code.
    pub fn delete_topic(&mut self, name: &str) -> anyhow::Result<i16> {
        let names = vec![TopicName(text(name))];
        let answer = self.ask(4, &DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(10_000))?;
        Ok(answer.responses.first().context("the answer speaks of no topic")?.error_code)
    }

    /// Every topic there is.
    pub fn topics(&mut self) -> anyhow::Result<Vec<MetadataResponseTopic>> {
        Ok(self.ask(12, &MetadataRequest::default().with_topics(None))?.topics)
    }

    /// One topic, which is not created if it is not there.
    pub fn topic(&mut self, name: &str) -> anyhow::Result<MetadataResponseTopic> {
        let asked = MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
        let request = MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(false);
        self.ask(12, &request)?.topics.pop().context("the answer speaks of no topic")
    }

    /// Sends one batch with acks=all.
    pub fn produce(&mut self, topic: &str, partition: i32, batch: Vec<u8>) -> anyhow::Result<Produced> {
        let answer = self.ask(PRODUCE_VERSION, &produce_request(topic, partition, batch))?;
        let topic = answer.responses.first().context("the answer speaks of no topic")?;
        let partition = topic.partition_responses.first().context("the answer speaks of no partition")?;
        Ok(Produced { error_code: partition.error_code, base_offset: partition.base_offset })
    }

    /// A producer id that nobody else has.
    pub fn producer_id(&mut self) -> anyhow::Result<i64> {
        let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
        let answer = self.ask(4, &request)?;
        anyhow::ensure!(answer.error_code == 0, "no producer id: error {}", answer.error_code);
        Ok(answer.producer_id.0)
    }

    /// The offset of the next record, or the error code.
    pub fn end_offset(&mut self, topic: &str, partition: i32) -> anyhow::Result<Result<i64, i16>> {
        let asked = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(-1);
        let topic = ListOffsetsTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![asked]);
        let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
        let answer = self.ask(7, &request)?;
        let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
        let partition = partition.context("the answer speaks of no partition")?;
        Ok(if partition.error_code == 0 { Ok(partition.offset) } else { Err(partition.error_code) })
    }

    /// Batches from an offset on, as many as one answer holds, or the error code.
    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> anyhow::Result<Result<Bytes, i16>> {
        let asked = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default().with_topic(TopicName(text(topic))).with_partitions(vec![asked]);
        let request = FetchRequest::default().with_max_bytes(16 << 20).with_topics(vec![topic]);
        let answer = self.ask(12, &request)?;
        let partition = answer.responses.into_iter().next().and_then(|topic| topic.partitions.into_iter().next());
        let partition = partition.context("the answer speaks of no partition")?;
        let records = partition.records.unwrap_or_default();
        Ok(if partition.error_code == 0 { Ok(records) } else { Err(partition.error_code) })
    }

    /// Every batch of a partition from an offset on.
    pub fn fetch_all_from(&mut self, topic: &str, partition: i32, mut offset: i64) -> anyhow::Result<Vec<Bytes>> {
        let mut batches = Vec::new();
        loop {
            let fetched = self.fetch(topic, partition, offset)?;
            let mut bytes = fetched.map_err(|code| anyhow::anyhow!("fetch from {offset}: error {code}"))?;
            if bytes.is_empty() {
                return Ok(batches);
            }
            while bytes.len() >= 12 {
                let size = 12 + usize::try_from(i32::from_be_bytes(bytes[8..12].try_into()?))?;
                if bytes.len() < size {
                    break;
                }
                let batch = bytes.split_to(size);
                let last_offset_delta = i32::from_be_bytes(batch[23..27].try_into()?);
                offset = i64::from_be_bytes(batch[..8].try_into()?) + i64::from(last_offset_delta) + 1;
                batches.push(batch);
            }
        }
    }
}

/// A request that sends one batch with acks=all.
pub fn produce_request(topic: &str, partition: i32, batch: Vec<u8>) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.into()));
    let topic = TopicProduceData::default().with_name(TopicName(text(topic))).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic])
}

/// The body of a request.
pub fn encode<R: Request>(version: i16, request: &R) -> anyhow::Result<BytesMut> {
    let mut body = BytesMut::new();
    request.encode(&mut body, version)?;
    Ok(body)
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
