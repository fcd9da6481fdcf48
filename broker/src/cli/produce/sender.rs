//! Sends batches to the leaders of their partitions, again and again where that may help.
//!
//! One request is on its way at a time, so the batches of a partition arrive in order, and a retry sends the very bytes
//! that were sent before: an idempotent broker recognizes them by producer id and sequence.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use cutaway::clock::Clock;
use cutaway::storage::batch::BatchBuilder;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ApiKey, InitProducerIdRequest, ProduceRequest};

use super::batches::Batch;
use super::input::{NewRecord, Source};
use super::options::{Header, ProduceOptions};
use super::report::Report;
use super::settings::ProducerSettings;
use crate::cli::client::{Client, Failure, PATIENCE, check, topic_name};
use crate::cli::say;

/// Versions of Produce that name topics; later ones give their ids.
const VERSIONS: std::ops::RangeInclusive<i16> = 3..=12;

/// Between two tries.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Sends to one topic.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    topic: String,
    files: Vec<std::path::PathBuf>,
    headers: Vec<Header>,
    settings: ProducerSettings,
    /// Id and epoch, if the broker is to recognize what is sent twice.
    producer: Option<(i64, i16)>,
    /// Partition → the sequence of its next record.
    sequences: BTreeMap<i32, i32>,
    leaders: BTreeMap<i32, i32>,
}

/// A batch with its bytes.
#[derive(Clone, Debug)]
struct Sealed {
    batch: Batch,
    bytes: Bytes,
}

/// What came of a batch.
enum Outcome {
    Stored(Option<i64>),
    Again(Failure),
    TooLarge,
}

impl Sender {
    /// Asks for a producer id, if it is to be idempotent and the broker can be.
    pub(super) async fn new(
        mut client: Client,
        options: &ProduceOptions,
        settings: ProducerSettings,
    ) -> anyhow::Result<Sender> {
        let producer = match settings.is_idempotent() && client.offers(ApiKey::InitProducerId).await? {
            true => producer_id(&mut client, &settings).await?,
            false => None,
        };
        Ok(Sender {
            client,
            topic: options.topic.clone(),
            files: options.records.files.clone(),
            headers: options.records.header.clone(),
            settings,
            producer,
            sequences: BTreeMap::new(),
            leaders: BTreeMap::new(),
        })
    }

    /// The clock that it waits by.
    pub(super) fn clock(&self) -> &Clock {
        self.client.clock()
    }

    /// Sends batches of different partitions, and returns once all of them are stored.
    pub(super) async fn send(&mut self, wave: Vec<Batch>, report: &mut Report) -> anyhow::Result<()> {
        let clock = self.clock().clone();
        let start = clock.instant();
        // The last of each partition is sent first: of what is split, the first half goes back last.
        let mut waiting: BTreeMap<i32, Vec<Batch>> =
            wave.into_iter().map(|batch| (batch.partition, vec![batch])).collect();
        let mut is_first_failure = true;
        let mut sealed: Vec<Sealed> = Vec::new();
        loop {
            for (partition, batches) in &mut waiting {
                if !sealed.iter().any(|it| it.batch.partition == *partition) {
                    sealed.extend(batches.pop().map(|batch| self.seal(batch)));
                }
            }
            if sealed.is_empty() {
                return Ok(());
            }
            let mut failed = None;
            let mut again = Vec::new();
            for (it, outcome) in self.exchange(std::mem::take(&mut sealed)).await? {
                match outcome {
                    Outcome::Stored(offset) => {
                        self.advance(&it.batch);
                        report.sent(&it.batch, offset)?;
                    }
                    Outcome::Again(failure) => {
                        failed = Some(failure);
                        again.push(it);
                    }
                    Outcome::TooLarge => {
                        let partition = it.batch.partition;
                        let halves = split(it.batch).map_err(|record| self.too_large(&record))?;
                        waiting.entry(partition).or_default().extend(halves);
                    }
                }
            }
            sealed = again;
            let Some(failure) = failed else { continue };
            if clock.elapsed_since(start) >= self.settings.delivery_timeout {
                return Err(failure).with_context(|| sent_so_far(report));
            }
            if is_first_failure {
                say(format_args!("{failure}; trying again for {} s", self.settings.delivery_timeout.as_secs()));
                is_first_failure = false;
            }
            self.leaders.clear();
            clock.sleep(RETRY_PAUSE).await;
        }
    }

    /// One request to each leader.
    async fn exchange(&mut self, sealed: Vec<Sealed>) -> anyhow::Result<Vec<(Sealed, Outcome)>> {
        if let Err(failure) = self.find_leaders().await {
            return all_again(sealed, failure);
        }
        let mut by_leader: BTreeMap<i32, Vec<Sealed>> = BTreeMap::new();
        for it in sealed {
            let leader = self.leaders.get(&it.batch.partition).copied().unwrap_or(-1);
            by_leader.entry(leader).or_default().push(it);
        }
        let mut outcomes = Vec::new();
        for (leader, sealed) in by_leader {
            outcomes.extend(self.exchange_with(leader, sealed).await?);
        }
        Ok(outcomes)
    }

    async fn exchange_with(&mut self, leader: i32, sealed: Vec<Sealed>) -> anyhow::Result<Vec<(Sealed, Outcome)>> {
        let data = sealed.iter().map(|it| {
            PartitionProduceData::default().with_index(it.batch.partition).with_records(Some(it.bytes.clone()))
        });
        let topic = TopicProduceData::default().with_name(topic_name(&self.topic)).with_partition_data(data.collect());
        let request = ProduceRequest::default()
            .with_transactional_id(None)
            .with_acks(self.settings.acks)
            .with_timeout_ms(self.settings.request_timeout_ms)
            .with_topic_data(vec![topic]);
        let mut connection = match self.client.take_connection(leader).await {
            Ok(connection) => connection,
            Err(failure) => return all_again(sealed, failure),
        };
        if self.settings.acks == 0 {
            if let Err(failure) = connection.tell(VERSIONS, &request).await {
                return all_again(sealed, failure);
            }
            self.client.put_back(leader, connection);
            return Ok(sealed.into_iter().map(|it| (it, Outcome::Stored(None))).collect());
        }
        let limit = PATIENCE + Duration::from_millis(self.settings.request_timeout_ms.unsigned_abs().into());
        let answer = match connection.ask(VERSIONS, &request, limit).await {
            Ok(answer) => answer,
            Err(failure) => return all_again(sealed, failure),
        };
        self.client.put_back(leader, connection);
        let mut told: BTreeMap<i32, _> =
            answer.responses.into_iter().flat_map(|topic| topic.partition_responses).map(|it| (it.index, it)).collect();
        let mut outcomes = Vec::new();
        for it in sealed {
            let response = told.remove(&it.batch.partition);
            let response =
                response.with_context(|| format!("the broker is silent on partition {}", it.batch.partition))?;
            let outcome = self.judge(response.error_code, response.error_message.as_deref(), response.base_offset)?;
            outcomes.push((it, outcome));
        }
        Ok(outcomes)
    }

    fn judge(&self, code: i16, message: Option<&str>, base_offset: i64) -> Result<Outcome, Failure> {
        match check(&format!("cannot produce to {}", self.topic), code, message) {
            Ok(()) => Ok(Outcome::Stored((base_offset >= 0).then_some(base_offset))),
            Err(Failure::Refused { error: ResponseError::DuplicateSequenceNumber, .. }) => Ok(Outcome::Stored(None)),
            Err(Failure::Refused {
                error: ResponseError::MessageTooLarge | ResponseError::RecordListTooLarge, ..
            }) => Ok(Outcome::TooLarge),
            Err(failure) if failure.is_passing() => Ok(Outcome::Again(failure)),
            Err(failure) => Err(failure),
        }
    }

    async fn find_leaders(&mut self) -> Result<(), Failure> {
        if !self.leaders.is_empty() {
            return Ok(());
        }
        let topic = self.client.topic(&self.topic, false).await?;
        check(&format!("cannot produce to {}", self.topic), topic.error_code, None)?;
        self.leaders = topic.partitions.iter().map(|it| (it.partition_index, it.leader_id.0)).collect();
        Ok(())
    }

    fn seal(&self, batch: Batch) -> Sealed {
        let mut builder = BatchBuilder::new(self.settings.compression);
        if let Some((id, epoch)) = self.producer {
            let sequence = self.sequences.get(&batch.partition).copied().unwrap_or(0);
            builder = builder.from_producer(id, epoch, sequence);
        }
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref().map(str::as_bytes))).collect();
        for record in &batch.records {
            builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
        }
        Sealed { bytes: builder.build().bytes().clone(), batch }
    }

    /// Counts the records of a batch that is stored; after the largest number comes 0.
    fn advance(&mut self, batch: &Batch) {
        let count = i32::try_from(batch.records.len()).unwrap_or(0);
        let next = self.sequences.entry(batch.partition).or_insert(0);
        *next = next.wrapping_add(count) & i32::MAX;
    }

    fn too_large(&self, record: &NewRecord) -> anyhow::Error {
        let (topic, size) = (&self.topic, record.size());
        let source = match record.source {
            Source::Line(number) => format!("line {number}"),
            Source::File(index) => self.files.get(index).map_or("a file".into(), |path| path.display().to_string()),
        };
        anyhow::anyhow!(
            "{source} has {size} bytes, more than {topic} takes in one batch (max.message.bytes); allow more with: \
             cutaway topics alter {topic} -c max.message.bytes={}",
            size + 1024
        )
    }
}

/// An id and its epoch; `None` where the broker forbids them.
async fn producer_id(client: &mut Client, settings: &ProducerSettings) -> Result<Option<(i64, i16)>, Failure> {
    let clock = client.clock().clone();
    let start = clock.instant();
    let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(-1);
    loop {
        let answer = client.ask(0..=5, &request).await?;
        match check("the broker gives no producer id", answer.error_code, None) {
            Ok(()) => return Ok(Some((answer.producer_id.0, answer.producer_epoch))),
            // Brokers before 3.0 may forbid it to those who may write; then a retry may store a record twice.
            Err(Failure::Refused { error: ResponseError::ClusterAuthorizationFailed, .. })
                if settings.idempotence.is_none() =>
            {
                return Ok(None);
            }
            // A broker that has just started gives none yet.
            Err(failure) if failure.is_passing() && clock.elapsed_since(start) < settings.delivery_timeout => {
                clock.sleep(RETRY_PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Two halves, the second first; the record itself where there is only one.
fn split(mut batch: Batch) -> Result<Vec<Batch>, NewRecord> {
    if batch.records.len() == 1 {
        return Err(batch.records.remove(0));
    }
    let second = batch.records.split_off(batch.records.len() / 2);
    Ok(vec![Batch { partition: batch.partition, records: second }, batch])
}

/// Everything once more after a failure that may pass; the failure itself otherwise.
fn all_again(sealed: Vec<Sealed>, failure: Failure) -> anyhow::Result<Vec<(Sealed, Outcome)>> {
    if !failure.is_passing() {
        return Err(failure.into());
    }
    Ok(sealed.into_iter().map(|it| (it, Outcome::Again(failure.clone()))).collect())
}

fn sent_so_far(report: &Report) -> String {
    match report.count() {
        0 => "nothing was sent".to_owned(),
        count => format!("only the first {count} records were sent"),
    }
}
