//! Records of every kind, right and wrong, in old and new versions.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use cutaway_tests::batches::Batch;
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};

use super::{make_topic, topic_name};

/// Where the records go: versions up to 12 name the topic, later ones give its id.
pub(crate) struct Target<'a> {
    pub(crate) version: i16,
    pub(crate) name: &'a str,
    pub(crate) id: String,
}

const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    for (version, name) in [(3, "produce-3"), (7, "produce-7"), (9, "produce-9"), (13, "produce-13")] {
        let id = make_topic(talk, name, 1)?;
        let target = Target { version, name, id };
        for (case, records) in cases()? {
            talk.ask(case, version, &target.request(0, Some(records))?)?;
        }
        let ordinary = Batch::default().bytes();
        acknowledgements(talk, &target, &ordinary)?;
        talk.ask("a partition that is not there", version, &target.request(9, Some(ordinary.clone()))?)?;
        talk.ask("a partition below 0", version, &target.request(-1, Some(ordinary.clone()))?)?;
        talk.ask("a partition twice", version, &twice(&target, &ordinary)?)?;
        talk.ask("no topics", version, &target.request(0, None)?.with_topic_data(vec![]))?;
        let mut no_partitions = target.request(0, None)?;
        no_partitions.topic_data[0].partition_data.clear();
        talk.ask("no partitions", version, &no_partitions)?;
        other_topics(talk, &target, &ordinary)?;
    }
    let target = Target { version: 9, name: "produce-9", id: String::new() };
    talk.ask("null instead of records", 9, &target.request(0, None)?)?;
    Ok(())
}

/// Everything a record set can be.
fn cases() -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    let ordinary = Batch::default().bytes();
    let mut wrong_crc = ordinary.clone();
    wrong_crc[17] ^= 1;
    let length = |length: i32| [&ordinary[..8], &length.to_be_bytes(), &ordinary[12..]].concat();
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let with = |change: fn(&mut Batch)| {
        let mut batch = Batch::default();
        change(&mut batch);
        batch.bytes()
    };
    Ok(vec![
        ("one record", ordinary.clone()),
        ("a wrong CRC", wrong_crc),
        ("an empty record set", vec![]),
        ("two batches", ordinary.repeat(2)),
        ("a base offset of the client's", with(|batch| batch.base_offset = 77)),
        ("five records claimed, one there", with(|batch| batch.record_count = Some(5))),
        ("a last offset beyond the records", with(|batch| batch.last_offset_delta = Some(9))),
        ("no records in the batch", with(|batch| batch.records.clear())),
        ("magic 1", with(|batch| batch.magic = 1)),
        ("magic 0", with(|batch| batch.magic = 0)),
        ("magic 3", with(|batch| batch.magic = 3)),
        ("magic -1", with(|batch| batch.magic = -1)),
        ("the last 3 bytes missing", ordinary[..ordinary.len() - 3].to_vec()),
        ("only the header", ordinary[..61].to_vec()),
        ("less than a length", ordinary[..7].to_vec()),
        ("8 bytes after the batch", [&ordinary[..], &[0xff; 8]].concat()),
        ("20 bytes after the batch", [&ordinary[..], &[0xff; 20]].concat()),
        ("a length below 0", length(-1)),
        ("a length of 0", length(0)),
        ("a length below that of the header", length(40)),
        ("a codec that does not exist", with(|batch| batch.attributes = 5)),
        ("gzip that is none", with(|batch| batch.attributes = 1)),
        ("snappy that is none", with(|batch| batch.attributes = 2)),
        ("lz4 that is none", with(|batch| batch.attributes = 3)),
        ("zstd that is none", with(|batch| batch.attributes = 4)),
        ("a control batch", with(|batch| batch.attributes = CONTROL)),
        ("a transactional batch of nobody", with(|batch| batch.attributes = TRANSACTIONAL)),
        ("the unused attribute bits", with(|batch| batch.attributes = 0x7f00)),
        ("two hours ahead", Batch { timestamp: now_ms + 7_200_000, ..Batch::default() }.bytes()),
        ("no timestamp", with(|batch| batch.timestamp = -1)),
        ("a timestamp far below 0", with(|batch| batch.timestamp = -5)),
        ("neither key nor value", with(|batch| batch.records = vec![(None, None)])),
        ("a record that is too large", with(|batch| batch.records = vec![(None, Some(vec![b'x'; 1_048_600]))])),
        ("three records", with(|batch| batch.records = vec![(None, Some(vec![b'x'; 10])); 3])),
    ])
}

fn acknowledgements(talk: &mut Talk, target: &Target<'_>, ordinary: &[u8]) -> anyhow::Result<()> {
    let request = target.request(0, Some(ordinary.to_vec()))?;
    talk.ask("acks=1", target.version, &request.clone().with_acks(1))?;
    talk.ask("acks=2", target.version, &request.clone().with_acks(2))?;
    talk.ask("acks=-2", target.version, &request.clone().with_acks(-2))?;
    talk.tell("acks=0", target.version, &request.with_acks(0))?;
    let mut wrong_crc = ordinary.to_vec();
    wrong_crc[17] ^= 1;
    talk.tell("acks=0 with a wrong CRC", target.version, &target.request(0, Some(wrong_crc))?.with_acks(0))?;
    Ok(())
}

fn other_topics(talk: &mut Talk, target: &Target<'_>, ordinary: &[u8]) -> anyhow::Result<()> {
    let others: &[&'static str] =
        if target.version >= 13 { &[""] } else { &["nowhere", "bad/name", "", "__consumer_offsets"] };
    for name in others {
        let id = "1".repeat(32);
        let other = Target { version: target.version, name, id };
        talk.ask(&format!("the topic {name:?}"), target.version, &other.request(0, Some(ordinary.to_vec()))?)?;
    }
    Ok(())
}

fn twice(target: &Target<'_>, records: &[u8]) -> anyhow::Result<ProduceRequest> {
    let mut request = target.request(0, Some(records.to_vec()))?;
    let partition = request.topic_data[0].partition_data[0].clone();
    request.topic_data[0].partition_data.push(partition);
    Ok(request)
}

impl Target<'_> {
    /// Sends the records to one partition, with acks=all.
    pub(crate) fn request(&self, partition: i32, records: Option<Vec<u8>>) -> anyhow::Result<ProduceRequest> {
        let data = PartitionProduceData::default().with_index(partition).with_records(records.map(Bytes::from));
        let topic = TopicProduceData::default().with_partition_data(vec![data]);
        let topic = if self.version >= 13 {
            topic.with_topic_id(self.id.parse()?)
        } else {
            topic.with_name(topic_name(self.name))
        };
        Ok(ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic]))
    }
}
