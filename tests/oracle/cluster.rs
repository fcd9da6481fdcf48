//! The cluster: who its brokers are, who keeps its metadata, and what is asked of clusters of many machines.

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, DescribeClusterRequest, DescribeQuorumRequest, ElectLeadersRequest,
    ListPartitionReassignmentsRequest,
};
use serde_json::json;

use super::{make_topic, topic_name};

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    make_topic(talk, "placed", 2)?;
    brokers(talk)?;
    quorum(talk)?;
    elections(talk)?;
    reassignments(talk)
}

fn brokers(talk: &mut Talk) -> anyhow::Result<()> {
    for version in 0..=2 {
        let plain = DescribeClusterRequest::default();
        talk.ask("the cluster", version, &plain)?;
        let operations = plain.clone().with_include_cluster_authorized_operations(true);
        talk.ask("what may be done with the cluster", version, &operations)?;
        if version >= 1 {
            for kind in [2, 0, 9, -1] {
                talk.ask(&format!("an endpoint of type {kind}"), version, &plain.clone().with_endpoint_type(kind))?;
            }
        }
        if version >= 2 {
            talk.ask("fenced brokers, too", version, &plain.clone().with_include_fenced_brokers(true))?;
        }
    }
    Ok(())
}

fn quorum(talk: &mut Talk) -> anyhow::Result<()> {
    let topic = |name: &str, partitions: &[i32]| {
        let partitions = partitions.iter().map(|index| PartitionData::default().with_partition_index(*index));
        TopicData::default().with_topic_name(topic_name(name)).with_partitions(partitions.collect())
    };
    let metadata = || topic("__cluster_metadata", &[0]);
    let cases = [
        ("who keeps the metadata", vec![metadata()]),
        ("who keeps another partition of it", vec![topic("__cluster_metadata", &[1])]),
        ("who keeps two partitions of it", vec![topic("__cluster_metadata", &[0, 1])]),
        ("who keeps no partition of it", vec![topic("__cluster_metadata", &[])]),
        ("who keeps an ordinary topic", vec![topic("placed", &[0])]),
        ("who keeps two topics", vec![metadata(), topic("placed", &[0])]),
        ("who keeps nothing", vec![]),
    ];
    for version in 0..=2 {
        for (name, topics) in &cases {
            let request = DescribeQuorumRequest::default().with_topics(topics.clone());
            // A real metadata log grows all the time.
            let places =
                ["/topics/0/partitions/0/highWatermark", "/topics/0/partitions/0/currentVoters/0/logEndOffset"];
            talk.ask_and_tidy(name, version, &request, |answer| {
                for place in places {
                    if let Some(number) = answer.pointer_mut(place) {
                        *number = json!(number.as_i64().map(i64::signum));
                    }
                }
            })?;
        }
    }
    Ok(())
}

fn elections(talk: &mut Talk) -> anyhow::Result<()> {
    let topic = |name: &str, partitions: &[i32]| {
        TopicPartitions::default().with_topic(topic_name(name)).with_partitions(partitions.to_vec())
    };
    for version in 0..=2 {
        for kind in if version == 0 { vec![0] } else { vec![0, 1, 2, -1] } {
            let request = ElectLeadersRequest::default().with_election_type(kind).with_timeout_ms(10_000);
            let mut ask = |name: &str, topics: Option<Vec<TopicPartitions>>| {
                let name = format!("{name}, kind {kind}");
                talk.ask_in_any_order(&name, version, &request.clone().with_topic_partitions(topics))
            };
            ask("leaders of a topic", Some(vec![topic("placed", &[0, 1])]))?;
            ask("leaders of a partition twice", Some(vec![topic("placed", &[0, 0])]))?;
            ask("leaders of what is not there", Some(vec![topic("nowhere", &[0]), topic("placed", &[2, -1])]))?;
            ask("leaders of no partitions", Some(vec![topic("placed", &[])]))?;
            ask("leaders of nothing", Some(vec![]))?;
            ask("all leaders", None)?;
        }
    }
    Ok(())
}

fn reassignments(talk: &mut Talk) -> anyhow::Result<()> {
    let to = |index: i32, nodes: Option<&[i32]>| {
        let nodes = nodes.map(|nodes| nodes.iter().copied().map(BrokerId).collect());
        ReassignablePartition::default().with_partition_index(index).with_replicas(nodes)
    };
    let topic = |name: &str, partitions: Vec<ReassignablePartition>| {
        ReassignableTopic::default().with_name(topic_name(name)).with_partitions(partitions)
    };
    let cases = [
        ("to where it is", vec![topic("placed", vec![to(0, Some(&[1])), to(1, Some(&[1]))])]),
        ("to nobody", vec![topic("placed", vec![to(0, Some(&[]))])]),
        ("to a broker that is not there", vec![topic("placed", vec![to(0, Some(&[7]))])]),
        ("to a second broker that is not there", vec![topic("placed", vec![to(0, Some(&[1, 7]))])]),
        ("to the same broker twice", vec![topic("placed", vec![to(0, Some(&[1, 1]))])]),
        ("taken back", vec![topic("placed", vec![to(0, None)])]),
        ("a topic that is not there", vec![topic("nowhere", vec![to(0, Some(&[1])), to(1, None)])]),
        ("partitions that are not there", vec![topic("placed", vec![to(2, Some(&[1])), to(-1, None)])]),
        ("no partitions", vec![topic("placed", vec![])]),
        ("nothing", vec![]),
    ];
    for version in 0..=1 {
        let request = AlterPartitionReassignmentsRequest::default().with_timeout_ms(10_000);
        for (name, topics) in &cases {
            talk.ask(name, version, &request.clone().with_topics(topics.clone()))?;
            if version >= 1 {
                let keeping = request.clone().with_allow_replication_factor_change(false);
                let name = format!("{name}, with as many replicas as before");
                talk.ask(&name, version, &keeping.with_topics(topics.clone()))?;
            }
        }
    }
    let listed = |name: &str| {
        ListPartitionReassignmentsTopics::default().with_name(topic_name(name)).with_partition_indexes(vec![0, 9])
    };
    for (name, topics) in [
        ("what is on its way", None),
        ("what of some topics", Some(vec![listed("placed"), listed("nowhere"), listed("bad/name")])),
        ("what of no topics", Some(vec![])),
    ] {
        let request = ListPartitionReassignmentsRequest::default().with_timeout_ms(10_000);
        talk.ask(name, 0, &request.clone().with_topics(topics.clone()))?;
        talk.ask(&format!("{name}, without time"), 0, &request.with_timeout_ms(0).with_topics(topics))?;
    }
    Ok(())
}
