//! Transactions of a real Kafka as `cutaway consume` shows them: committed, aborted, and still open.

use anyhow::ensure;
use cutaway_tests::batches::Batch;
use cutaway_tests::client::{Client, PRODUCE_VERSION, produce_request};
use cutaway_tests::kafka::RealKafka;
use cutaway_tests::patience;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use super::Ran;

/// The bit of a batch that belongs to a transaction.
const TRANSACTIONAL: i16 = 1 << 4;

/// A producer with transactions.
struct Producer {
    client: Client,
    id: i64,
    epoch: i16,
    sequence: i32,
}

fn transactional_id() -> TransactionalId {
    TransactionalId(StrBytes::from_static_str("t"))
}

impl Producer {
    fn start(mut client: Client) -> anyhow::Result<Producer> {
        let find = FindCoordinatorRequest::default().with_key(transactional_id().0).with_key_type(1);
        let init = InitProducerIdRequest::default()
            .with_transactional_id(Some(transactional_id()))
            .with_transaction_timeout_ms(60_000);
        let mut found = (-1, -1);
        patience::until("a coordinator of transactions", || {
            client.ask(2, &find)?;
            let answer = client.ask(2, &init)?;
            found = (answer.producer_id.0, answer.producer_epoch);
            Ok(answer.error_code == 0)
        })?;
        Ok(Producer { client, id: found.0, epoch: found.1, sequence: 0 })
    }

    fn write(&mut self, value: &str) -> anyhow::Result<()> {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(TopicName(StrBytes::from_static_str("mixed")))
            .with_partitions(vec![0]);
        let add = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(transactional_id())
            .with_v3_and_below_producer_id(self.id.into())
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic]);
        // The markers of the transaction before may still be on their way (CONCURRENT_TRANSACTIONS).
        patience::until("the transaction to begin", || {
            let answer = self.client.ask(2, &add)?;
            let results = answer.results_by_topic_v3_and_below.iter().flat_map(|topic| &topic.results_by_partition);
            Ok(results.map(|result| result.partition_error_code).all(|code| code == 0))
        })?;
        let records = vec![(None, Some(value.as_bytes().to_vec()))];
        let batch =
            Batch { attributes: TRANSACTIONAL, records, ..Batch::of_producer(self.id, self.epoch, self.sequence) };
        let request = produce_request("mixed", 0, batch.bytes()).with_transactional_id(Some(transactional_id()));
        let answer = self.client.ask(PRODUCE_VERSION, &request)?;
        ensure!(answer.responses[0].partition_responses[0].error_code == 0, "{answer:?}");
        self.sequence += 1;
        Ok(())
    }

    fn end(&mut self, committed: bool) -> anyhow::Result<()> {
        let request = EndTxnRequest::default()
            .with_transactional_id(transactional_id())
            .with_producer_id(self.id.into())
            .with_producer_epoch(self.epoch)
            .with_committed(committed);
        ensure!(self.client.ask(2, &request)?.error_code == 0, "the transaction does not end");
        Ok(())
    }
}

#[test]
fn what_was_not_committed_is_not_shown() -> anyhow::Result<()> {
    let Some(kafka) = RealKafka::start(&[])? else { return Ok(()) };
    let broker = kafka.bootstrap().to_string();
    Ran::of(&["topics", "create", "mixed", "-b", &broker])?.printed()?;
    let mut producer = Producer::start(Client::connect(kafka.bootstrap())?)?;
    producer.write("committed")?;
    producer.end(true)?;
    producer.write("aborted")?;
    producer.end(false)?;
    producer.write("open")?;
    let consume = |isolation: &str| {
        let isolation = format!("isolation.level={isolation}");
        Ran::of(&["consume", "-b", &broker, "-t", "mixed", "-e", "-q", "-X", &isolation])?.printed()
    };
    // The marker of the abort is written a little after it is answered.
    patience::until("the transactions to end", || Ok(consume("read_committed")? == "committed\n"))?;
    let all = consume("read_uncommitted")?;
    ensure!(all == "committed\naborted\nopen\n", "{all}");
    let default = Ran::of(&["consume", "-b", &broker, "-t", "mixed", "-e", "-q"])?.printed()?;
    ensure!(default == "committed\n", "the default is {default}");
    Ok(())
}
