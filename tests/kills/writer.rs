//! One client that writes, several requests at a time, and remembers what was not answered.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail};
use bytes::Bytes;
use cutaway_tests::batches::Batch;
use cutaway_tests::chance::Chance;
use cutaway_tests::client::{PRODUCE_VERSION, encode, produce_request};
use cutaway_tests::raw_client::{RawClient, Reply};
use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::protocol::Decodable;

use super::ledger::Told;
use super::{PARTITIONS, TOPICS};

/// The key of Produce.
const PRODUCE: i16 = 0;

/// Brokers remember the last five batches of a producer, so no more may be unanswered.
const MOST_IN_FLIGHT: usize = 5;

const LARGEST_VALUE: usize = 8000;

/// One connection at a time.
#[derive(Debug)]
pub(crate) struct Writer {
    chance: Chance,
    producer_id: i64,
    /// The next sequence number of each partition.
    sequences: BTreeMap<(&'static str, i32), i32>,
    /// What was sent and not answered, in order; only what can be retried.
    unanswered: VecDeque<Sent>,
}

/// A batch on its way.
#[derive(Debug)]
struct Sent {
    topic: &'static str,
    partition: i32,
    batch: Vec<u8>,
    is_idempotent: bool,
}

impl Writer {
    pub(crate) fn new(seed: u64, producer_id: i64) -> Writer {
        let chance = Chance::new(seed);
        Writer { chance, producer_id, sequences: BTreeMap::new(), unanswered: VecDeque::new() }
    }

    /// Writes until the broker closes the connection; first what it had not answered. Returns what was acknowledged.
    pub(crate) fn write(
        &mut self,
        address: SocketAddr,
        count: &AtomicUsize,
        may_refuse: bool,
    ) -> anyhow::Result<Vec<Told>> {
        self.send(address, Some(count), may_refuse)
    }

    /// Sends only what was not answered before.
    pub(crate) fn retry(&mut self, address: SocketAddr) -> anyhow::Result<Vec<Told>> {
        let told = self.send(address, None, false)?;
        anyhow::ensure!(self.unanswered.is_empty(), "a retry was not answered");
        Ok(told)
    }

    fn send(
        &mut self,
        address: SocketAddr,
        count: Option<&AtomicUsize>,
        may_refuse: bool,
    ) -> anyhow::Result<Vec<Told>> {
        let mut client = match RawClient::connect(address) {
            Ok(client) => client,
            // The others may have been quick, and the broker is killed already.
            Err(_) if count.is_some() => return Ok(Vec::new()),
            Err(refused) => return Err(refused),
        };
        let mut retries = std::mem::take(&mut self.unanswered);
        let (mut in_flight, mut told) = (VecDeque::new(), Vec::new());
        let window = 1 + self.chance.below(MOST_IN_FLIGHT);
        let mut refused = VecDeque::new();
        loop {
            while in_flight.len() < window {
                let Some(sent) = retries.pop_front().or_else(|| count.map(|_| self.next_batch())) else { break };
                let body = encode(PRODUCE_VERSION, &produce_request(sent.topic, sent.partition, sent.batch.clone()))?;
                client.send(PRODUCE, PRODUCE_VERSION, &body)?;
                in_flight.push_back((client.last_correlation_id(), sent));
            }
            let Some((correlation_id, _)) = in_flight.front() else { break };
            let reply = client.receive_answer_to(*correlation_id, PRODUCE, PRODUCE_VERSION)?;
            let Reply::Body(body) = reply else { break };
            let (_, sent) = in_flight.pop_front().expect("it was looked at above");
            match outcome(body)? {
                (0, base_offset) => {
                    let Sent { topic, partition, batch, .. } = sent;
                    told.push(Told { topic, partition, base_offset, batch });
                    if let Some(count) = count {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
                _ if may_refuse => refused.push_back(sent),
                (code, _) => bail!("{}-{}: a batch was refused with error {code}", sent.topic, sent.partition),
            }
        }
        let unanswered = refused.into_iter().chain(in_flight.into_iter().map(|(_, sent)| sent)).chain(retries);
        self.unanswered = unanswered.filter(|sent| sent.is_idempotent).collect();
        Ok(told)
    }

    /// A batch of one to four records of any bytes, every other one with a sequence number.
    fn next_batch(&mut self) -> Sent {
        let (topic, partition) = (*self.chance.pick(&TOPICS), self.chance.below(PARTITIONS as usize) as i32);
        let is_idempotent = self.chance.below(2) == 0;
        let mut batch = if is_idempotent {
            let next = self.sequences.entry((topic, partition)).or_default();
            Batch::of_producer(self.producer_id, 0, *next)
        } else {
            Batch::default()
        };
        batch.records = (0..=self.chance.below(4)).map(|_| (None, Some(self.value()))).collect();
        if is_idempotent {
            *self.sequences.entry((topic, partition)).or_default() += batch.records.len() as i32;
        }
        Sent { topic, partition, batch: batch.bytes(), is_idempotent }
    }

    fn value(&mut self) -> Vec<u8> {
        let length = self.chance.below(LARGEST_VALUE);
        (0..length.div_ceil(8)).flat_map(|_| self.chance.number().to_be_bytes()).take(length).collect()
    }
}

/// Error code and base offset of the one partition.
fn outcome(body: Vec<u8>) -> anyhow::Result<(i16, i64)> {
    let answer = ProduceResponse::decode(&mut Bytes::from(body), PRODUCE_VERSION)?;
    let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
    let partition = partition.context("the answer speaks of no partition")?;
    Ok((partition.error_code, partition.base_offset))
}
