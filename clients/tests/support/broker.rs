//! A broker in this process, and what its topics hold.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cutaway::{Broker, Settings};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::runtime::Runtime;

/// A record, as far as the demos care.
pub(crate) type Record = (Option<String>, String);

/// A broker with a runtime of its own.
pub(crate) struct TestBroker {
    runtime: Runtime,
    broker: Option<Broker>,
    pub(crate) address: String,
}

impl TestBroker {
    pub(crate) fn start() -> anyhow::Result<TestBroker> {
        TestBroker::with(Settings::default(), None)
    }

    /// In a folder that stays, at an address that stays.
    pub(crate) fn at(folder: &Path, address: &str) -> anyhow::Result<TestBroker> {
        let settings = Settings::default().with("log.dirs", folder.display());
        TestBroker::with(settings.with("listeners", format!("PLAINTEXT://{address}")), Some(folder))
    }

    fn with(settings: Settings, folder: Option<&Path>) -> anyhow::Result<TestBroker> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let broker = runtime.block_on(async {
            anyhow::Ok(match folder {
                None => Broker::start_temporary(settings).await?,
                Some(_) => Broker::start(settings.resolve()?).await?,
            })
        })?;
        let address = broker.address().to_string();
        Ok(TestBroker { runtime, broker: Some(broker), address })
    }

    /// Everything a topic's first partition holds.
    pub(crate) fn records(&self, topic: &str) -> anyhow::Result<Vec<Record>> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("group.id", "reads without joining")
            .set("allow.auto.create.topics", "false")
            .create()?;
        let (first, end) = consumer.fetch_watermarks(topic, 0, Duration::from_secs(10))?;
        let mut places = TopicPartitionList::new();
        places.add_partition_offset(topic, 0, Offset::Offset(first))?;
        consumer.assign(&places)?;
        let mut records = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(20);
        while (records.len() as i64) < end - first {
            if Instant::now() > deadline {
                bail!("{} of {} records of {topic} came", records.len(), end - first);
            }
            if let Some(record) = consumer.poll(Duration::from_millis(100)) {
                let record = record?;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                records.push((record.key().map(text), text(record.payload().context("a value")?)));
            }
        }
        Ok(records)
    }

    /// Puts records into a topic that the broker creates for it.
    pub(crate) fn produce(&self, topic: &str, values: &[&str]) -> anyhow::Result<()> {
        let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &self.address).create()?;
        for value in values {
            producer.send(BaseRecord::<(), str>::to(topic).payload(value)).map_err(|(error, _)| error)?;
        }
        producer.flush(Duration::from_secs(20))?;
        Ok(())
    }

    /// Where a group is in a topic's first partition.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> anyhow::Result<Option<i64>> {
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &self.address).set("group.id", group).create()?;
        let mut places = TopicPartitionList::new();
        places.add_partition(topic, 0);
        let committed = consumer.committed_offsets(places, Duration::from_secs(10))?;
        Ok(committed.elements().first().and_then(|place| place.offset().to_raw()).filter(|offset| *offset >= 0))
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            let _ = self.runtime.block_on(broker.shutdown());
        }
    }
}
