//! A cluster of three: a real Kafka of three nodes, and our one process that shows itself as three.
//!
//! Every topic says itself where its replicas are, so that the same node leads on both sides, and the same one is wrong to ask.

mod groups;
mod partitions;
mod placing;

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use cutaway_tests::broker::Broker;
use cutaway_tests::kafka::RealKafka;
use cutaway_tests::talk::{Step, Talk};
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, MetadataRequest};
use serde_json::{Value, json};

use super::{accepted_differences, compare, creatable, create, topic_name, unexplained};

/// The partitions of a topic, each with its replicas, the leader first.
type Places = &'static [&'static [i32]];

/// One replica each, two, and one on every node.
const SINGLE: Places = &[&[1], &[2], &[3]];
const PAIRS: Places = &[&[1, 2], &[2, 3], &[3, 1]];
const EVERYWHERE: Places = &[&[1, 2, 3], &[2, 3, 1], &[3, 1, 2]];

/// The name of all that is said here.
const NAME: &str = "nodes";

/// The settings that answers show: a partition of groups at each node.
const GROUPS_AT_EACH_NODE: (&str, &str) = ("offsets.topic.num.partitions", "3");

#[test]
fn three_nodes_in_one_process_answer_as_three_do() -> anyhow::Result<()> {
    let extra = [GROUPS_AT_EACH_NODE, ("auto.leader.rebalance.enable", "false")];
    let Some(kafka) = RealKafka::start_three(&extra)? else { return Ok(()) };
    let addresses: Vec<SocketAddr> = kafka.iter().map(RealKafka::bootstrap).collect();
    let real = hold(&addresses).context("with Kafka")?;
    let groups = format!("{}={}", GROUPS_AT_EACH_NODE.0, GROUPS_AT_EACH_NODE.1);
    let settings = ["--nodes", "3", "--override", "log.segment.delete.delay.ms=1000", "--override", &groups];
    let cutaway = Broker::start(&settings)?;
    ensure!(cutaway.nodes().len() == 3, "it listens at {:?}", cutaway.nodes());
    let ours = hold(cutaway.nodes()).context("with Cutaway")?;
    let accepted: Vec<_> = accepted_differences()?.into_iter().filter(|accepted| accepted.is_about(NAME)).collect();
    let found = unexplained(&compare(&vec![(NAME, real)], &vec![(NAME, ours)]), &accepted);
    ensure!(found.is_empty(), "Cutaway differs from Kafka:\n{}", found.join("\n"));
    Ok(())
}

/// Conversations with the nodes of one cluster.
struct Cluster {
    talks: Vec<Talk>,
    /// The ids of the three topics, in the order of [`Cluster::TOPICS`].
    ids: Vec<String>,
}

impl Cluster {
    const TOPICS: [(&str, Places); 3] = [("single", SINGLE), ("pairs", PAIRS), ("everywhere", EVERYWHERE)];

    /// The conversation with a node, by its id.
    fn node(&mut self, id: usize) -> &mut Talk {
        &mut self.talks[id - 1]
    }

    fn id_of(&self, topic: &str) -> &str {
        let place = Cluster::TOPICS.iter().position(|(name, _)| *name == topic);
        &self.ids[place.expect("one of ours")]
    }

    /// Waits until every node knows where the partitions of a topic are, and all replicas are in sync.
    fn settle(&mut self, topic: &str, places: &[&[i32]]) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        for talk in &mut self.talks {
            last = talk.learn_until(12, &metadata(topic), |answer| {
                let partitions = answer["topics"][0]["partitions"].as_array().map_or(&[][..], Vec::as_slice);
                let is_so = |(index, places): (usize, &&[i32])| {
                    let partition = partitions.iter().find(|it| it["partitionIndex"] == index);
                    let in_sync = |it: &Value| it["isrNodes"].as_array().map_or(0, Vec::len) == places.len();
                    partition.is_some_and(|it| {
                        it["leaderId"] == places[0] && it["replicaNodes"] == json!(places) && in_sync(it)
                    })
                };
                partitions.len() == places.len() && places.iter().enumerate().all(is_so)
            })?;
        }
        Ok(last)
    }
}

fn hold(addresses: &[SocketAddr]) -> anyhow::Result<Vec<Step>> {
    let talks = addresses.iter().map(|address| Talk::with(*address)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut cluster = Cluster { talks, ids: Vec::new() };
    brokers(&mut cluster)?;
    for (name, places) in Cluster::TOPICS {
        cluster.node(1).learn(7, &create(vec![assigned(name, places, &[("retention.ms", "-1")])]))?;
        let answer = cluster.settle(name, places)?;
        cluster.ids.push(answer["topics"][0]["topicId"].as_str().context("the topic has no id")?.to_owned());
    }
    placing::hold(&mut cluster)?;
    partitions::hold(&mut cluster)?;
    groups::hold(&mut cluster)?;
    placing::moves(&mut cluster)?;
    Ok(cluster.talks.into_iter().flat_map(Talk::steps).collect())
}

/// Which brokers there are. Each side has ports of its own, and Kafka tells brokers in any order and a controller by chance.
fn brokers(cluster: &mut Cluster) -> anyhow::Result<()> {
    let none = MetadataRequest::default().with_topics(Some(vec![]));
    for node in 1..=3 {
        let talk = cluster.node(node);
        talk.learn_until(9, &none, |answer| answer["brokers"].as_array().is_some_and(|brokers| brokers.len() == 3))?;
        for version in [1, 9, 13] {
            talk.ask_and_tidy(&format!("brokers, at node {node}"), version, &none, tidy_brokers)?;
        }
        for version in 0..=2 {
            let request = DescribeClusterRequest::default();
            talk.ask_and_tidy(&format!("the cluster, at node {node}"), version, &request, tidy_brokers)?;
        }
    }
    Ok(())
}

fn tidy_brokers(answer: &mut Value) {
    let id = |broker: &Value| broker["nodeId"].as_i64().or(broker["brokerId"].as_i64());
    if let Some(brokers) = answer["brokers"].as_array_mut() {
        brokers.sort_by_key(id);
    }
    answer["controllerId"] = json!(answer["controllerId"].as_i64().is_some_and(|id| (1..=3).contains(&id)));
}

/// Puts topics, partitions, groups and nodes in order: many come out of Kafka's hash maps. Each side has ports of its own.
fn in_order(answer: &mut Value) {
    const KEYS: [&str; 8] = ["index", "partitionIndex", "partition", "nodeId", "name", "topic", "topicName", "groupId"];
    match answer {
        Value::Array(elements) => {
            elements.iter_mut().for_each(in_order);
            elements.sort_by_key(|element| {
                let key = KEYS.iter().find_map(|key| element.get(key));
                key.map(|key| (key.as_i64(), key.to_string()))
            });
        }
        Value::Object(fields) => {
            fields.values_mut().for_each(in_order);
            if let Some(port) = fields.get_mut("port") {
                *port = json!(port.as_i64().map(i64::signum));
            }
        }
        _ => {}
    }
}

fn metadata(topic: &str) -> MetadataRequest {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
    MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false)
}

/// A topic whose replicas are where they are said to be.
fn assigned(name: &str, places: &[&[i32]], configs: &[(&str, &str)]) -> CreatableTopic {
    let assignments = (0..).zip(places).map(|(partition, nodes)| {
        let nodes = nodes.iter().copied().map(BrokerId).collect();
        CreatableReplicaAssignment::default().with_partition_index(partition).with_broker_ids(nodes)
    });
    creatable(name, -1, -1, configs).with_assignments(assignments.collect())
}
