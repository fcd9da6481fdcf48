//! A producer with transactions, for a broker that has a coordinator of them: a real Kafka.

use std::net::SocketAddr;

use anyhow::ensure;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use crate::batches::Batch;
use crate::client::{Client, PRODUCE_VERSION, produce_request};
use crate::patience;

/// The bit of a batch that belongs to a transaction.
const TRANSACTIONAL: i16 = 1 << 4;

/// A producer with transactions, which writes to partition 0 of topics.
#[derive(Debug)]
pub struct TransactionalProducer {
    client: Client,
    transactional_id: TransactionalId,
    id: i64,
    epoch: i16,
    sequence: i32,
}

impl TransactionalProducer {
    /// Makes itself known to the coordinator.
    pub fn start(broker: SocketAddr, transactional_id: &str) -> anyhow::Result<TransactionalProducer> {
        let mut client = Client::connect(broker)?;
        let transactional_id = TransactionalId(StrBytes::from_string(transactional_id.to_owned()));
        let find = FindCoordinatorRequest::default().with_key(transactional_id.0.clone()).with_key_type(1);
        let init = InitProducerIdRequest::default()
            .with_transactional_id(Some(transactional_id.clone()))
            .with_transaction_timeout_ms(60_000);
        let mut found = (-1, -1);
        patience::until("a coordinator of transactions", || {
            client.ask(2, &find)?;
            let answer = client.ask(2, &init)?;
            found = (answer.producer_id.0, answer.producer_epoch);
            Ok(answer.error_code == 0)
        })?;
        Ok(TransactionalProducer { client, transactional_id, id: found.0, epoch: found.1, sequence: 0 })
    }

    /// The id that the broker gave it.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Writes a record, and begins a transaction with it if none is open.
    pub fn write(&mut self, topic: &str, value: &str) -> anyhow::Result<()> {
        let partitions = AddPartitionsToTxnTopic::default()
            .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partitions(vec![0]);
        let add = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.transactional_id.clone())
            .with_v3_and_below_producer_id(self.id.into())
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![partitions]);
        // The markers of the transaction before may still be on their way (CONCURRENT_TRANSACTIONS).
        patience::until("the transaction to begin", || {
            let answer = self.client.ask(2, &add)?;
            let results = answer.results_by_topic_v3_and_below.iter().flat_map(|topic| &topic.results_by_partition);
            Ok(results.map(|result| result.partition_error_code).all(|code| code == 0))
        })?;
        let records = vec![(None, Some(value.as_bytes().to_vec()))];
        let batch =
            Batch { attributes: TRANSACTIONAL, records, ..Batch::of_producer(self.id, self.epoch, self.sequence) };
        let request =
            produce_request(topic, 0, batch.bytes()).with_transactional_id(Some(self.transactional_id.clone()));
        let answer = self.client.ask(PRODUCE_VERSION, &request)?;
        ensure!(answer.responses[0].partition_responses[0].error_code == 0, "{answer:?}");
        self.sequence += 1;
        Ok(())
    }

    /// Ends the transaction. The markers come into the logs a little later.
    pub fn end(&mut self, committed: bool) -> anyhow::Result<()> {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.transactional_id.clone())
            .with_producer_id(self.id.into())
            .with_producer_epoch(self.epoch)
            .with_committed(committed);
        ensure!(self.client.ask(2, &request)?.error_code == 0, "the transaction does not end");
        Ok(())
    }
}
