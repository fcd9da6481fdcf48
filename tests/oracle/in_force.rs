//! Topics with settings of their own: what they do to the batches that are sent to them, at once when they are altered.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use cutaway::storage::batch::{BatchBuilder, BatchHeader, Compression};
use cutaway::storage::record::records;
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{BrokerId, FetchRequest, IncrementalAlterConfigsRequest};
use serde_json::{Value, json};

use super::produce::Target;
use super::{creatable, create, text, topic_name, wait_for};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    for codec in ["uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"] {
        codecs(talk, codec)?;
    }
    for (name, key, value) in [
        ("a topic that wants two replicas in sync", "min.insync.replicas", "2"),
        ("a topic of small batches", "max.message.bytes", "200"),
        ("a topic of the time of the append", "message.timestamp.type", "LogAppendTime"),
        ("a topic of recent records", "message.timestamp.before.max.ms", "3600000"),
        ("a topic of records from far ahead", "message.timestamp.after.max.ms", "604800000"),
        ("a compacted topic", "cleanup.policy", "compact"),
        ("a topic of small segments", "segment.bytes", "1048576"),
    ] {
        one_setting(talk, name, key, value)?;
    }
    Ok(())
}

/// Every codec into a topic that has one of its own.
fn codecs(talk: &mut Talk, codec: &str) -> anyhow::Result<()> {
    let name = format!("in-{codec}");
    make(talk, &name, &[("compression.type", codec), ("retention.ms", "-1")])?;
    for compression in Compression::ALL {
        send(talk, &format!("{} into {codec}", compression.name()), &name, batch(compression, 1000, Some(b"key"), 0))?;
    }
    read(talk, &format!("what is {codec}"), &name)
}

/// The same batches before a setting is altered and after.
fn one_setting(talk: &mut Talk, name: &str, key: &str, value: &str) -> anyhow::Result<()> {
    let topic = format!("in-force-{}", key.replace('.', "-"));
    make(talk, &topic, &[("retention.ms", "-1")])?;
    send_all(talk, &format!("{name}, before"), &topic)?;
    let config = AlterableConfig::default().with_name(text(key)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default().with_resource_type(2).with_resource_name(text(&topic));
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource.with_configs(vec![config])]);
    talk.ask(&format!("{name}, altered"), 1, &request)?;
    // A Kafka's logs obey a little later than it tells; but one change after the other.
    make(talk, &format!("{topic}-obeyed"), &[])?;
    send_all(talk, &format!("{name}, after"), &topic)?;
    read(talk, name, &topic)
}

fn send_all(talk: &mut Talk, name: &str, topic: &str) -> anyhow::Result<()> {
    let none = Compression::None;
    for (what, batch) in [
        ("ordinary", batch(none, 20, Some(b"key"), 0)),
        ("without a key", batch(none, 20, None, 0)),
        ("of 500 bytes", batch(none, 500, Some(b"key"), 0)),
        ("a day old", batch(none, 20, Some(b"key"), -DAY_MS)),
        ("a day ahead", batch(none, 20, Some(b"key"), DAY_MS)),
        ("in gzip", batch(Compression::Gzip, 500, Some(b"key"), 0)),
    ] {
        send(talk, &format!("{name}, {what}"), topic, batch)?;
    }
    Ok(())
}

/// Three records of this size around now.
fn batch(compression: Compression, size: usize, key: Option<&[u8]>, age_ms: i64) -> Bytes {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
    let time = i64::try_from(now).unwrap_or(0) + age_ms;
    let mut builder = BatchBuilder::new(compression);
    for index in 0..3 {
        builder.push(time + index, key, Some(&vec![b'v'; size]), &[(b"h", Some(b"x")), (b"h", None)]);
    }
    builder.build().bytes().clone()
}

fn make(talk: &mut Talk, name: &str, configs: &[(&str, &str)]) -> anyhow::Result<()> {
    talk.learn(7, &create(vec![creatable(name, 1, 1, configs)]))?;
    wait_for(talk, name, 1, 0)
}

fn send(talk: &mut Talk, name: &str, topic: &str, records: Bytes) -> anyhow::Result<()> {
    let target = Target { version: 9, name: topic, id: String::new() };
    talk.ask_and_tidy(name, 9, &target.request(0, Some(records.to_vec()))?, |answer| {
        // The time of an append is each broker's own.
        let time = &mut answer["responses"][0]["partitionResponses"][0]["logAppendTimeMs"];
        *time = json!(time.as_i64().map(i64::signum));
    })
}

/// Reads a topic, and tells of its batches what their bytes say: the bytes of a codec are each library's own.
fn read(talk: &mut Talk, name: &str, topic: &str) -> anyhow::Result<()> {
    let partition = FetchPartition::default().with_partition(0).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    talk.ask_and_tidy(name, 11, &request, |answer| {
        let records = &mut answer["responses"][0]["partitions"][0]["records"];
        *records = match records.as_str().and_then(unhex) {
            Some(bytes) => batches(bytes),
            None => json!("no bytes"),
        };
    })
}

fn batches(mut bytes: Bytes) -> Value {
    let mut told = Vec::new();
    while bytes.len() >= BatchHeader::SIZE {
        let header = BatchHeader::parse(bytes.first_chunk().expect("it is long enough"));
        let batch = bytes.split_to(usize::try_from(header.batch_length).unwrap_or(0) + 12);
        let records: Vec<Value> = records(batch, 1 << 20)
            .map(|record| match record {
                Ok(record) => json!(format!("{record:?}").replace(&record.timestamp.to_string(), "<time>")),
                Err(refusal) => json!(refusal.to_string()),
            })
            .collect();
        told.push(json!({
            "baseOffset": header.base_offset,
            "attributes": header.attributes,
            "recordsCount": header.records_count,
            "lastOffsetDelta": header.last_offset_delta,
            "records": records,
        }));
    }
    json!(told)
}

fn unhex(text: &str) -> Option<Bytes> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
