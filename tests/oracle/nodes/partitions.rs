//! Requests about partitions, each at every node: the leader answers, others have a copy, and others have nothing.

use cutaway_tests::batches::Batch;
use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterReplicaLogDirsRequest, DescribeConfigsRequest, DescribeLogDirsRequest,
    DescribeProducersRequest, FetchRequest, InitProducerIdRequest, OffsetForLeaderEpochRequest,
};
use serde_json::{Value, json};

use super::super::produce::Target;
use super::super::{list_offsets, text, topic_name};
use super::{Cluster, in_order};

pub(super) fn hold(cluster: &mut Cluster) -> anyhow::Result<()> {
    for (topic, _) in Cluster::TOPICS {
        produced(cluster, topic)?;
        fetched(cluster, topic)?;
        offsets(cluster, topic)?;
        epochs(cluster, topic)?;
    }
    refused_before(cluster)?;
    folders(cluster)?;
    settings(cluster)?;
    for node in 1..=3 {
        let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
        let request = request.with_producer_id((-1).into()).with_producer_epoch(-1);
        let talk = cluster.node(node);
        talk.learn_until(4, &request, |answer| answer["errorCode"] == 0)?;
        talk.ask(&format!("a producer id of node {node}"), 4, &request)?;
    }
    Ok(())
}

fn produced(cluster: &mut Cluster, topic: &'static str) -> anyhow::Result<()> {
    let id = cluster.id_of(topic).to_owned();
    for version in [3, 7, 9, 10, 12, 13] {
        let target = Target { version, name: topic, id: id.clone() };
        for (node, partition) in (1..=3).flat_map(|node| [0, 1, 2].map(|partition| (node, partition))) {
            for acks in [-1, 1] {
                let request = target.request(partition, Some(Batch::default().bytes()))?.with_acks(acks);
                let name = format!("to {topic}-{partition} by node {node}, acks {acks}");
                cluster.node(node).ask_and_tidy(&name, version, &request, in_order)?;
            }
        }
        let mut several = target.request(0, Some(Batch::default().bytes()))?;
        for partition in [1, 2, 7] {
            let mut more = target.request(partition, Some(Batch::default().bytes()))?;
            several.topic_data[0].partition_data.append(&mut more.topic_data[0].partition_data);
        }
        cluster.node(1).ask_and_tidy(&format!("to all of {topic}"), version, &several, in_order)?;
    }
    Ok(())
}

/// What Kafka looks at before it asks who leads, and after.
fn refused_before(cluster: &mut Cluster) -> anyhow::Result<()> {
    let target = Target { version: 11, name: "single", id: String::new() };
    let ordinary = Batch::default().bytes();
    let mut wrong_crc = ordinary.clone();
    wrong_crc[17] ^= 1;
    let mut ask = |name: &str, records: Vec<u8>, acks: i16| {
        let request = target.request(1, Some(records))?.with_acks(acks);
        cluster.node(1).ask_and_tidy(name, 11, &request, in_order)
    };
    ask("acks that are none, by the wrong node", ordinary.clone(), 2)?;
    ask("a wrong CRC, by the wrong node", wrong_crc, -1)?;
    ask("two batches, by the wrong node", [ordinary.clone(), ordinary].concat(), -1)?;
    ask("no batch, by the wrong node", Vec::new(), -1)
}

fn fetched(cluster: &mut Cluster, topic: &'static str) -> anyhow::Result<()> {
    let id = cluster.id_of(topic).to_owned();
    let request = |version: i16, partitions: &[(i32, i32)], offset: i64| -> anyhow::Result<FetchRequest> {
        let partitions = partitions.iter().map(|(partition, epoch)| {
            let asked = FetchPartition::default().with_partition(*partition).with_fetch_offset(offset);
            let asked = asked.with_partition_max_bytes(200);
            if version >= 9 { asked.with_current_leader_epoch(*epoch) } else { asked }
        });
        let wanted = FetchTopic::default().with_partitions(partitions.collect());
        let wanted =
            if version >= 13 { wanted.with_topic_id(id.parse()?) } else { wanted.with_topic(topic_name(topic)) };
        let request = FetchRequest::default().with_max_bytes(1_000_000).with_min_bytes(0).with_topics(vec![wanted]);
        Ok(if version >= 15 { request } else { request.with_replica_id((-1).into()) })
    };
    for node in 1..=3 {
        for partition in [0, 1, 2] {
            // Of each version both batches for one partition, and of the requests for all those that the first node leads.
            let records = if partition == 0 { 18 } else { 12 };
            // Followers learn a little later how far may be read.
            let is_known = |answer: &Value| {
                let partition = &answer["responses"][0]["partitions"][0];
                partition["errorCode"] == 6 || partition["highWatermark"] == records
            };
            cluster.node(node).learn_until(12, &request(12, &[(partition, -1)], 0)?, is_known)?;
            for version in [4, 9, 10, 11, 12, 13, 15, 16, 17] {
                for epoch in if version >= 9 { vec![-1, 0, 7] } else { vec![-1] } {
                    let name = format!("from {topic}-{partition} by node {node}, epoch {epoch}");
                    let asked = request(version, &[(partition, epoch)], 0)?;
                    cluster.node(node).ask_and_tidy(&name, version, &asked, in_order)?;
                }
            }
        }
        for version in [10, 12, 17] {
            let all = request(version, &[(0, -1), (1, -1), (2, -1), (7, -1)], 3)?;
            let name = format!("from all of {topic} by node {node}");
            cluster.node(node).ask_and_tidy(&name, version, &all, in_order)?;
        }
    }
    Ok(())
}

fn offsets(cluster: &mut Cluster, topic: &str) -> anyhow::Result<()> {
    for node in 1..=3 {
        for version in [1, 4, 7, 10] {
            for epoch in if version >= 4 { vec![-1, 0, 7] } else { vec![-1] } {
                let asked: Vec<_> = [0, 1, 2].map(|partition| (partition, epoch, -1)).into();
                let request = list_offsets(version, topic, &asked);
                let name = format!("the ends of {topic} by node {node}, epoch {epoch}");
                cluster.node(node).ask_and_tidy(&name, version, &request, in_order)?;
                let debugging = request.with_replica_id((-2).into());
                cluster.node(node).ask_and_tidy(
                    &format!("{name}, to look into replicas"),
                    version,
                    &debugging,
                    in_order,
                )?;
            }
        }
        let producers = TopicRequest::default().with_name(topic_name(topic)).with_partition_indexes(vec![0, 1, 2]);
        let producers = DescribeProducersRequest::default().with_topics(vec![producers]);
        let name = format!("the producers of {topic} by node {node}");
        cluster.node(node).ask_and_tidy(&name, 0, &producers, in_order)?;
    }
    Ok(())
}

fn epochs(cluster: &mut Cluster, topic: &str) -> anyhow::Result<()> {
    for (node, current) in (1..=3).flat_map(|node| [-1, 0, 7].map(|current| (node, current))) {
        let partitions = [0, 1, 2].map(|partition| {
            let asked = OffsetForLeaderPartition::default().with_partition(partition).with_leader_epoch(0);
            asked.with_current_leader_epoch(current)
        });
        let asked = OffsetForLeaderTopic::default().with_topic(topic_name(topic)).with_partitions(partitions.into());
        let request = OffsetForLeaderEpochRequest::default().with_topics(vec![asked]);
        let request = request.with_replica_id((-1).into());
        let name = format!("epochs of {topic} by node {node}, epoch {current}");
        cluster.node(node).ask_and_tidy(&name, 4, &request, in_order)?;
    }
    Ok(())
}

fn folders(cluster: &mut Cluster) -> anyhow::Result<()> {
    for node in 1..=3 {
        let talk = cluster.node(node);
        let all = talk.learn(4, &DescribeLogDirsRequest::default().with_topics(None))?;
        let here = all["results"][0]["logDir"].as_str().unwrap_or_default().to_owned();
        let wanted = ["single", "pairs", "everywhere"].map(|topic| {
            DescribableLogDirTopic::default().with_topic(topic_name(topic)).with_partitions(vec![0, 1, 2])
        });
        let request = DescribeLogDirsRequest::default().with_topics(Some(wanted.into()));
        talk.ask_and_tidy(&format!("the folder of node {node}"), 4, &request, in_order)?;
        let topics = ["single", "pairs"].map(|topic| {
            AlterReplicaLogDirTopic::default().with_name(topic_name(topic)).with_partitions(vec![0, 1, 2, 7])
        });
        let dir = AlterReplicaLogDir::default().with_path(text(&here)).with_topics(topics.into());
        let request = AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]);
        talk.ask_and_tidy(&format!("to where it is, at node {node}"), 2, &request, in_order)?;
    }
    Ok(())
}

/// A broker's settings are told by itself alone.
fn settings(cluster: &mut Cluster) -> anyhow::Result<()> {
    for (node, of) in (1..=3).flat_map(|node| ["1", "2", "4"].map(|of| (node, of))) {
        for resource_type in [4, 8] {
            let keys = ["node.id", "num.partitions", "listeners", "root"].map(text);
            let resource = DescribeConfigsResource::default()
                .with_resource_type(resource_type)
                .with_resource_name(text(of))
                .with_configuration_keys(Some(keys.into()));
            let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
            let name = format!("settings of type {resource_type} of broker {of}, at node {node}");
            cluster.node(node).ask_and_tidy(&name, 4, &request, |answer| {
                // The words of the documentation are each side's own, and so are the loggers.
                if let Some(configs) = answer["results"][0]["configs"].as_array_mut() {
                    configs.sort_by_key(|config| config["name"].to_string());
                    configs.retain(|config| config["name"] != "root");
                    // Each side has ports of its own; Kafka lets clients alter listeners.
                    configs.iter_mut().filter(|config| config["name"] == "listeners").for_each(|config| {
                        config["value"] =
                            json!(config["value"].as_str().map(|value| value.matches("PLAINTEXT").count()));
                        config["readOnly"] = json!("or not");
                    });
                }
            })?;
        }
        let config = AlterableConfig::default().with_name(text("log.cleaner.threads")).with_value(Some(text("1")));
        let resource = AlterConfigsResource::default().with_resource_type(4).with_resource_name(text(of));
        let request = AlterConfigsRequest::default().with_resources(vec![resource.with_configs(vec![config])]);
        let name = format!("settings altered of broker {of}, at node {node}");
        cluster.node(node).ask(&name, 2, &request.with_validate_only(true))?;
    }
    Ok(())
}
