//! Where replicas are put, by wish and by hand, where they are told to be, and how they are moved.

use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, CreatePartitionsRequest, DescribeQuorumRequest,
    DescribeTopicPartitionsRequest, ElectLeadersRequest, ListPartitionReassignmentsRequest,
};
use serde_json::{Value, json};

use super::super::{creatable, create, topic_name};
use super::{Cluster, assigned, metadata, tidy_brokers};

pub(super) fn hold(cluster: &mut Cluster) -> anyhow::Result<()> {
    wishes(cluster)?;
    extensions(cluster)?;
    told(cluster)?;
    quorum(cluster)
}

/// Topics of every number of replicas, only to validate.
fn wishes(cluster: &mut Cluster) -> anyhow::Result<()> {
    for node in [1, 3] {
        let talk = cluster.node(node);
        for factor in [-2, -1, 0, 1, 2, 3, 4, 6] {
            let request = create(vec![creatable("wish", 4, factor, &[])]).with_validate_only(true);
            talk.ask(&format!("factor {factor}, at node {node}"), 7, &request)?;
        }
    }
    let cases: [(&str, &[&[i32]]); 7] = [
        ("to all", &[&[3, 1, 2]]),
        ("to as many each", &[&[3, 1], &[1, 2]]),
        ("to one more than before", &[&[3, 1], &[1, 2, 3]]),
        ("to fewer than before", &[&[3, 1], &[1]]),
        ("to a broker that is not there", &[&[1, 2, 4]]),
        ("to one twice", &[&[2, 1, 2]]),
        ("to nobody after somebody", &[&[2], &[]]),
    ];
    for (name, places) in cases {
        let request = create(vec![assigned("wish", places, &[])]).with_validate_only(true);
        cluster.node(2).ask(name, 7, &request)?;
    }
    Ok(())
}

fn extensions(cluster: &mut Cluster) -> anyhow::Result<()> {
    let to = |count: i32, replicas: Option<&[&[i32]]>| {
        let assignments = replicas.map(|all| all.iter().map(|nodes| assignment(nodes)).collect());
        let topic = CreatePartitionsTopic::default().with_name(topic_name("grown")).with_count(count);
        let topics = vec![topic.with_assignments(assignments)];
        CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(10_000)
    };
    cluster.node(1).learn(7, &create(vec![assigned("grown", &[&[2, 1]], &[])]))?;
    cluster.settle("grown", &[&[2, 1]])?;
    let talk = cluster.node(3);
    talk.ask("more than the others have", 3, &to(2, Some(&[&[1, 2, 3]])))?;
    talk.ask("fewer than the others have", 3, &to(2, Some(&[&[1]])))?;
    talk.ask("to a broker that is not there", 3, &to(2, Some(&[&[1, 4]])))?;
    talk.ask("as many as the others have", 3, &to(3, Some(&[&[3, 2], &[1, 3]])))?;
    cluster.settle("grown", &[&[2, 1], &[3, 2], &[1, 3]])?;
    let talk = cluster.node(2);
    talk.ask("two more, wherever", 3, &to(5, None))?;
    // Where they are is left to chance; how many there are of each is not.
    let is_there = |answer: &Value| answer["topics"][0]["partitions"].as_array().is_some_and(|all| all.len() == 5);
    let answer = talk.learn_until(12, &metadata("grown"), is_there)?;
    let partitions = answer["topics"][0]["partitions"].as_array().map_or(&[][..], Vec::as_slice);
    let lengths: Vec<_> = partitions.iter().map(|it| it["replicaNodes"].as_array().map_or(0, Vec::len)).collect();
    talk.note("replicas of all", 12, json!(lengths));
    Ok(())
}

fn assignment(nodes: &[i32]) -> CreatePartitionsAssignment {
    CreatePartitionsAssignment::default().with_broker_ids(nodes.iter().copied().map(BrokerId).collect())
}

fn told(cluster: &mut Cluster) -> anyhow::Result<()> {
    for node in 1..=3 {
        for (topic, _) in Cluster::TOPICS {
            for version in [4, 7, 12] {
                let name = format!("{topic}, at node {node}");
                cluster.node(node).ask_and_tidy(&name, version, &metadata(topic), tidy_topic)?;
            }
            let topics = vec![TopicRequest::default().with_name(topic_name(topic))];
            let pages = DescribeTopicPartitionsRequest::default().with_topics(topics).with_response_partition_limit(9);
            cluster.node(node).ask_and_tidy(&format!("{topic} in pages, at node {node}"), 0, &pages, tidy_topic)?;
        }
    }
    Ok(())
}

/// Who is in sync stands in the order in which they caught up.
fn tidy_topic(answer: &mut Value) {
    tidy_brokers(answer);
    if let Some(partitions) = answer["topics"][0]["partitions"].as_array_mut() {
        partitions.sort_by_key(|partition| partition["partitionIndex"].as_i64());
        for nodes in partitions.iter_mut().filter_map(|partition| partition["isrNodes"].as_array_mut()) {
            nodes.sort_by_key(Value::as_i64);
        }
    }
}

fn quorum(cluster: &mut Cluster) -> anyhow::Result<()> {
    let partitions = vec![PartitionData::default().with_partition_index(0)];
    let topic = TopicData::default().with_topic_name(topic_name("__cluster_metadata")).with_partitions(partitions);
    let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
    // The other nodes show up among the observers when they have asked for the metadata.
    let observers = |answer: &Value| answer["topics"][0]["partitions"][0]["observers"].as_array().map_or(0, Vec::len);
    cluster.node(1).learn_until(2, &request, |answer| observers(answer) == 2)?;
    let tidy = |answer: &mut Value| {
        let partition = &mut answer["topics"][0]["partitions"][0];
        partition["highWatermark"] = json!("some offset");
        for state in ["currentVoters", "observers"] {
            if let Some(replicas) = partition[state].as_array_mut() {
                replicas.iter_mut().for_each(|replica| replica["logEndOffset"] = json!("some offset"));
                replicas.sort_by_key(|replica| replica["replicaId"].as_i64());
            }
        }
        if let Some(listener) = answer.pointer_mut("/nodes/0/listeners/0/name") {
            *listener = json!("some name");
        }
    };
    for node in 1..=3 {
        for version in 0..=2 {
            cluster.node(node).ask_and_tidy(&format!("the quorum, at node {node}"), version, &request, tidy)?;
        }
    }
    Ok(())
}

/// Replicas are moved; when they have arrived, they are where they should be, and led by the first of them.
pub(super) fn moves(cluster: &mut Cluster) -> anyhow::Result<()> {
    cluster.node(1).learn(7, &create(vec![assigned("moved", &[&[1, 2], &[2, 3]], &[])]))?;
    cluster.settle("moved", &[&[1, 2], &[2, 3]])?;
    let to = |partition: i32, nodes: Option<&[i32]>| {
        let nodes = nodes.map(|nodes| nodes.iter().copied().map(BrokerId).collect());
        let partition = ReassignablePartition::default().with_partition_index(partition).with_replicas(nodes);
        let topic = ReassignableTopic::default().with_name(topic_name("moved")).with_partitions(vec![partition]);
        AlterPartitionReassignmentsRequest::default().with_timeout_ms(10_000).with_topics(vec![topic])
    };
    let talk = cluster.node(2);
    let keeping = |request: AlterPartitionReassignmentsRequest| request.with_allow_replication_factor_change(false);
    talk.ask("to more nodes than may be", 1, &keeping(to(0, Some(&[1, 2, 3]))))?;
    talk.ask("to fewer nodes than may be", 1, &keeping(to(0, Some(&[1]))))?;
    talk.ask("to a node that is not there", 1, &to(0, Some(&[1, 4])))?;
    talk.ask("to where it is", 0, &to(0, Some(&[1, 2])))?;
    talk.ask("taken back", 0, &to(0, None))?;
    talk.ask("to two others", 1, &keeping(to(1, Some(&[3, 1]))))?;
    cluster.settle("moved", &[&[1, 2], &[3, 1]])?;
    cluster.node(3).ask("to all nodes", 1, &to(0, Some(&[3, 2, 1])))?;
    moved_and_led(cluster)
}

/// Kafka leaves the leader where it is as long as that is possible; an election puts it first.
fn moved_and_led(cluster: &mut Cluster) -> anyhow::Result<()> {
    let listed = ListPartitionReassignmentsRequest::default().with_timeout_ms(10_000).with_topics(None);
    let is_over = |answer: &Value| answer["topics"].as_array().is_some_and(Vec::is_empty);
    cluster.node(1).learn_until(0, &listed, is_over)?;
    cluster.node(1).ask("what is on its way", 0, &listed)?;
    let topic = TopicPartitions::default().with_topic(topic_name("moved")).with_partitions(vec![0]);
    let elect = ElectLeadersRequest::default().with_timeout_ms(10_000).with_topic_partitions(Some(vec![topic]));
    cluster.node(1).learn(2, &elect)?;
    cluster.settle("moved", &[&[3, 2, 1], &[3, 1]])?;
    cluster.node(2).ask("nobody need be elected", 2, &elect)?;
    cluster.node(2).ask_and_tidy("where all are now", 7, &metadata("moved"), tidy_topic)?;
    Ok(())
}
