//! Odd requests and what Kafka answers to them, as the conversations with a real one found; here for machines without Java.

use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{CreateTopicsRequest, MetadataRequest};
use uuid::Uuid;

use super::tests::{ask, core_in_folder, create, fetch, produce, records, wire};

#[tokio::test]
async fn a_partition_twice_in_a_produce_is_appended_once() {
    let (core, _folder) = core_in_folder(|_| {});
    create(&core, "t").await;
    let mut request = produce("t", Uuid::nil(), 9, Some(records(&[b"first"])));
    let second = produce("t", Uuid::nil(), 9, Some(records(&[b"second", b"third"]))).topic_data.remove(0);
    request.topic_data[0].partition_data.extend(second.partition_data);
    let answer = ask(&core, &request, 9).await;
    let rows = &answer.responses[0].partition_responses;
    assert_eq!((rows.len(), rows[0].error_code, rows[0].base_offset), (1, 0, 0));
    let read = ask(&core, &fetch("t", Uuid::nil(), 12, 0, 0), 12).await;
    assert_eq!(read.responses[0].partitions[0].high_watermark, 2, "the last one counts");
}

#[tokio::test]
async fn internal_topics_refuse_clients_even_before_they_exist() {
    let (core, _folder) = core_in_folder(|_| {});
    for (name, code) in [("__consumer_offsets", 17), ("nowhere", 3)] {
        let answer = ask(&core, &produce(name, Uuid::nil(), 9, Some(records(&[b"v"]))), 9).await;
        assert_eq!(answer.responses[0].partition_responses[0].error_code, code, "{name}");
    }
}

#[tokio::test]
async fn an_isolation_level_that_does_not_exist_fails_every_partition_or_the_whole() {
    let (core, _folder) = core_in_folder(|_| {});
    let id = create(&core, "t").await;
    for version in [4, 12, 13] {
        let answer = ask(&core, &fetch("t", id, version, 0, 0).with_isolation_level(7), version).await;
        let codes: Vec<_> = answer.responses.iter().map(|topic| topic.partitions[0].error_code).collect();
        assert_eq!(codes, if version < 13 { vec![-1] } else { vec![] });
        assert_eq!(answer.error_code, if version < 7 { 0 } else { -1 });
    }
}

#[tokio::test]
async fn the_epoch_fetched_last_tells_where_logs_part() {
    let (core, _folder) = core_in_folder(|_| {});
    let id = create(&core, "t").await;
    ask(&core, &produce("t", id, 9, Some(records(&[b"v"]))), 9).await;
    for (offset, epoch, code, end_offset) in [(1, 0, 0, -1), (2, 0, 0, 1), (-1, 0, 1, -1), (0, 5, 1, -1)] {
        let mut request = fetch("t", id, 13, offset, 0);
        request.topics[0].partitions[0].last_fetched_epoch = epoch;
        let answer = ask(&core, &request, 13).await;
        let partition = &answer.responses[0].partitions[0];
        let found = (partition.error_code, partition.diverging_epoch.end_offset);
        assert_eq!(found, (code, end_offset), "offset {offset} of epoch {epoch}");
    }
}

#[tokio::test]
async fn what_is_not_there_comes_last_in_a_fetch() {
    let (core, _folder) = core_in_folder(|_| {});
    let id = create(&core, "t").await;
    let mut request = fetch("t", id, 13, 0, 0);
    let there = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = vec![there.clone().with_partition(7), there];
    let answer = ask(&core, &request, 13).await;
    let rows = answer.responses[0].partitions.iter().map(|row| (row.partition_index, row.error_code));
    assert_eq!(rows.collect::<Vec<_>>(), [(0, 0), (7, 3)]);
}

#[tokio::test]
async fn a_new_topic_is_told_with_its_settings() {
    let (core, _folder) = core_in_folder(|_| {});
    let topic = CreatableTopic::default().with_name(wire("t")).with_num_partitions(2).with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]);
    let created = ask(&core, &request, 7).await.topics.remove(0);
    assert_eq!((created.error_code, created.error_message, created.num_partitions), (0, None, 2));
    let configs = created.configs.expect("there are some");
    let cleanup = configs.iter().find(|config| config.name.as_str() == "cleanup.policy").expect("it has a default");
    assert_eq!((cleanup.value.as_deref(), cleanup.config_source, cleanup.read_only), (Some("delete"), 5, false));
}

#[tokio::test]
async fn ids_before_their_version_and_unknown_ones() {
    let (core, _folder) = core_in_folder(|_| {});
    let id = create(&core, "t").await;
    let by_ids = |ids: &[Uuid]| {
        let topics = ids.iter().map(|id| MetadataRequestTopic::default().with_name(None).with_topic_id(*id));
        MetadataRequest::default().with_topics(Some(topics.collect())).with_allow_auto_topic_creation(false)
    };
    let named = MetadataRequestTopic::default().with_name(Some(wire("t"))).with_topic_id(id);
    let early = ask(&core, &MetadataRequest::default().with_topics(Some(vec![named])), 10).await;
    assert_eq!((early.brokers.len(), early.cluster_id, early.topics[0].error_code), (0, None, 42));
    let answer = ask(&core, &by_ids(&[id, Uuid::from_u128(9), id]), 12).await;
    let codes: Vec<_> = answer.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [100, 0], "the unknown first, each once");
}
