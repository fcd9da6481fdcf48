//! One process that shows itself as several brokers: records and groups across them, and a folder that is opened with other
//! nodes than it was made with.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use anyhow::{Context, ensure};
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::{Broker, Launch};
use cutaway_tests::client::Client;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, FindCoordinatorRequest, GroupId, ListGroupsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

/// Kafka's codes.
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const NOT_COORDINATOR: i16 = 16;
const INVALID_REPLICATION_FACTOR: i16 = 38;

/// Clients of all nodes.
struct Nodes(Vec<Client>);

impl Nodes {
    fn of(broker: &Broker) -> anyhow::Result<Nodes> {
        Ok(Nodes(broker.nodes().iter().map(|address| Client::connect(*address)).collect::<anyhow::Result<_>>()?))
    }

    fn node(&mut self, id: i32) -> anyhow::Result<&mut Client> {
        let place = usize::try_from(id - 1)?;
        self.0.get_mut(place).with_context(|| format!("there is no node {id}"))
    }

    /// Creates a topic at the first node, and says with which error.
    fn create(&mut self, topic: CreatableTopic) -> anyhow::Result<(i16, String)> {
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        let answer = self.node(1)?.ask(7, &request)?;
        let created = answer.topics.into_iter().next().context("the answer speaks of no topic")?;
        Ok((created.error_code, created.error_message.map(|text| text.to_string()).unwrap_or_default()))
    }

    /// A topic as a node sees it: of each partition the leader and the replicas, and who is in sync with it.
    fn places(&mut self, node: i32, topic: &str) -> anyhow::Result<Vec<Vec<i32>>> {
        let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default().with_topics(Some(vec![asked]));
        let answer = self.node(node)?.ask(12, &request)?;
        let topic: MetadataResponseTopic = answer.topics.into_iter().next().context("the answer speaks of no topic")?;
        let mut places = Vec::new();
        for partition in topic.partitions {
            ensure!(partition.isr_nodes == partition.replica_nodes, "not all are in sync: {partition:?}");
            ensure!(
                partition.replica_nodes.first() == Some(&partition.leader_id),
                "it is led by another: {partition:?}"
            );
            places.push(partition.replica_nodes.into_iter().map(|node| node.0).collect());
        }
        Ok(places)
    }
}

fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A topic with so many replicas of each partition.
fn spread(topic: &str, partitions: i32, factor: i16) -> CreatableTopic {
    CreatableTopic::default().with_name(name(topic)).with_num_partitions(partitions).with_replication_factor(factor)
}

/// A topic whose partitions are on these nodes.
fn assigned(topic: &str, places: &[&[i32]]) -> CreatableTopic {
    let assignments = (0..).zip(places).map(|(partition, nodes)| {
        let nodes = nodes.iter().copied().map(BrokerId).collect();
        CreatableReplicaAssignment::default().with_partition_index(partition).with_broker_ids(nodes)
    });
    spread(topic, -1, -1).with_assignments(assignments.collect())
}

fn three_nodes() -> anyhow::Result<Broker> {
    Broker::start(&["--nodes", "3"])
}

#[test]
fn records_go_to_leaders_that_are_spread_over_the_nodes() -> anyhow::Result<()> {
    let broker = three_nodes()?;
    let mut nodes = Nodes::of(&broker)?;
    ensure!(nodes.create(spread("t", 6, 2))?.0 == 0, "no topic");
    let places = nodes.places(1, "t")?;
    ensure!((2..=3).all(|node| nodes.places(node, "t").is_ok_and(|other| other == places)), "nodes disagree");
    for leader in 1..=3 {
        let led = places.iter().filter(|replicas| replicas[0] == leader).count();
        ensure!(led == 2, "node {leader} leads {led} of {places:?}");
    }
    for (partition, replicas) in (0..).zip(&places) {
        ensure!(replicas.len() == 2 && replicas[0] != replicas[1], "{replicas:?}");
        for node in 1..=3 {
            let produced = nodes.node(node)?.produce("t", partition, Batch::default().bytes())?.error_code;
            let expected = if node == replicas[0] { 0 } else { NOT_LEADER_OR_FOLLOWER };
            ensure!(produced == expected, "node {node} answers {produced} for {partition} of {places:?}");
            let ended = nodes.node(node)?.end_offset("t", partition)?;
            ensure!(ended.is_ok() == (node == replicas[0]), "node {node} ends {partition} at {ended:?}");
        }
        for node in 1..=3 {
            // A consumer may read from any replica, and from no other node.
            let fetched = nodes.node(node)?.fetch("t", partition, 0)?;
            let is_there = fetched.as_ref().is_ok_and(|records| !records.is_empty());
            ensure!(is_there == replicas.contains(&node), "node {node} reads {partition} as {fetched:?}");
        }
    }
    Ok(())
}

#[test]
fn producer_ids_are_given_out_once_whoever_is_asked() -> anyhow::Result<()> {
    let broker = three_nodes()?;
    let mut nodes = Nodes::of(&broker)?;
    let mut seen = BTreeSet::new();
    for node in (1..=3).cycle().take(30) {
        let id = nodes.node(node)?.producer_id()?;
        ensure!(seen.insert(id), "{id} comes twice");
    }
    Ok(())
}

#[test]
fn a_group_belongs_to_one_node() -> anyhow::Result<()> {
    let mut broker = three_nodes()?;
    let mut nodes = Nodes::of(&broker)?;
    ensure!(nodes.create(spread("t", 1, 1))?.0 == 0, "no topic");
    let groups: Vec<String> = (0..12).map(|number| format!("group-{number}")).collect();
    let mut owners = Vec::new();
    for group in &groups {
        let owner = coordinator(&mut nodes, 1, group)?;
        ensure!((2..=3).all(|node| coordinator(&mut nodes, node, group).is_ok_and(|other| other == owner)), "{group}");
        for node in 1..=3 {
            let code = commit(nodes.node(node)?, group, 7)?;
            ensure!(code == if node == owner { 0 } else { NOT_COORDINATOR }, "{group} at node {node}: {code}");
        }
        owners.push(owner);
    }
    ensure!(owners.iter().collect::<BTreeSet<_>>().len() == 3, "all are coordinated by {owners:?}");
    for node in 1..=3 {
        let listed = nodes.node(node)?.ask(4, &ListGroupsRequest::default())?.groups;
        let listed: BTreeSet<String> = listed.into_iter().map(|group| group.group_id.to_string()).collect();
        let own = groups.iter().zip(&owners).filter(|(_, owner)| **owner == node).map(|(group, _)| group.clone());
        ensure!(listed == own.collect(), "node {node} lists {listed:?} of {owners:?}");
    }
    // What was committed is there with one node as well, which coordinates all of them then.
    broker.stop()?;
    broker.restart_with(&[])?;
    let mut nodes = Nodes::of(&broker)?;
    for group in &groups {
        ensure!(committed(nodes.node(1)?, group)? == 7, "{group}");
    }
    Ok(())
}

fn coordinator(nodes: &mut Nodes, node: i32, group: &str) -> anyhow::Result<i32> {
    let answer = nodes.node(node)?.ask(2, &FindCoordinatorRequest::default().with_key(text(group)))?;
    ensure!(answer.error_code == 0, "no coordinator: {answer:?}");
    Ok(answer.node_id.0)
}

fn commit(client: &mut Client, group: &str, offset: i64) -> anyhow::Result<i16> {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default().with_name(name("t")).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default().with_group_id(GroupId(text(group))).with_topics(vec![topic]);
    let answer = client.ask(8, &request)?;
    let topic = answer.topics.first().context("the answer speaks of no topic")?;
    Ok(topic.partitions.first().context("the answer speaks of no partition")?.error_code)
}

fn committed(client: &mut Client, group: &str) -> anyhow::Result<i64> {
    let request = OffsetFetchRequest::default().with_group_id(GroupId(text(group))).with_topics(None);
    let answer = client.ask(7, &request)?;
    let topic = answer.topics.first().with_context(|| format!("nothing is committed: {answer:?}"))?;
    Ok(topic.partitions.first().context("the answer speaks of no partition")?.committed_offset)
}

/// The wish for replicas outlives starts with fewer nodes, and so do the records, whoever led then.
#[test]
fn a_folder_may_be_opened_with_other_nodes() -> anyhow::Result<()> {
    let mut broker = three_nodes()?;
    let mut nodes = Nodes::of(&broker)?;
    let by_hand: [&[i32]; 3] = [&[3, 1], &[2, 3], &[3, 2]];
    ensure!(nodes.create(spread("spread", 3, 3))?.0 == 0, "no topic");
    ensure!(nodes.create(assigned("by.hand", &by_hand))?.0 == 0, "no topic");
    let spread_over = nodes.places(2, "spread")?;
    ensure!(spread_over.iter().all(|replicas| replicas.len() == 3), "{spread_over:?}");
    ensure!(nodes.places(2, "by.hand")? == by_hand, "{:?}", nodes.places(2, "by.hand")?);
    write_to_all(&mut nodes)?;

    for (arguments, count, shown) in [
        (&["--nodes", "2"][..], 2, [vec![1], vec![2], vec![2]]),
        (&[], 1, [vec![1], vec![1], vec![1]]),
        (&["--nodes", "5"], 5, by_hand.map(Vec::from)),
    ] {
        broker.kill()?;
        broker.restart_with(arguments)?;
        let mut nodes = Nodes::of(&broker)?;
        ensure!(nodes.0.len() == usize::try_from(count)?, "{} nodes", nodes.0.len());
        ensure!(nodes.places(1, "by.hand")? == shown, "{:?}", nodes.places(1, "by.hand")?);
        let replicas = nodes.places(1, "spread")?;
        ensure!(replicas.iter().all(|replicas| replicas.len() == count.min(3) as usize), "{replicas:?}");
        write_to_all(&mut nodes)?;
    }
    broker.stop()?;
    broker.restart_with(&["--nodes", "3"])?;
    let mut nodes = Nodes::of(&broker)?;
    ensure!(nodes.places(3, "spread")? == spread_over, "{:?}, not {spread_over:?}", nodes.places(3, "spread")?);
    ensure!(nodes.places(3, "by.hand")? == by_hand, "{:?}", nodes.places(3, "by.hand")?);
    write_to_all(&mut nodes)?;
    for (partition, replicas) in (0..).zip(&spread_over) {
        let end = nodes.node(replicas[0])?.end_offset("spread", partition)?;
        ensure!(end == Ok(5), "of five records {partition} has {end:?}");
    }
    Ok(())
}

/// Writes a record to each partition, at its leader.
fn write_to_all(nodes: &mut Nodes) -> anyhow::Result<()> {
    for topic in ["spread", "by.hand"] {
        for (partition, replicas) in (0..).zip(nodes.places(1, topic)?) {
            let produced = nodes.node(replicas[0])?.produce(topic, partition, Batch::default().bytes())?;
            ensure!(produced.error_code == 0, "{topic}-{partition}: {produced:?}");
        }
    }
    Ok(())
}

#[test]
fn more_replicas_than_nodes_are_refused_with_both_ways_out() -> anyhow::Result<()> {
    for (arguments, factor, advice) in [
        (&[][..], 3, "Ask for 1 or -1, or start the broker with --nodes 3"),
        (&["--nodes", "2"], 3, "Ask for at most 2, or start the broker with --nodes 3"),
        (&["--nodes", "2"], 9, "Ask for at most 2; --nodes simulates up to 5."),
    ] {
        let broker = Broker::start(arguments)?;
        let mut nodes = Nodes::of(&broker)?;
        let (code, sentence) = nodes.create(spread("t", 1, factor))?;
        ensure!(code == INVALID_REPLICATION_FACTOR && sentence.contains(advice), "{code}: {sentence}");
        let begins = format!("Unable to replicate the partition {factor} time(s): The target replication factor of");
        ensure!(sentence.starts_with(&begins), "{sentence}");
        ensure!(nodes.create(spread("default", 1, -1))?.0 == 0, "-1 is refused");
        ensure!(nodes.places(1, "default")?.iter().all(|replicas| replicas.len() == 1), "-1 is not 1");
    }
    Ok(())
}

/// The factor that a broker's settings give, and the topic of groups, as far as there are nodes.
#[test]
fn settings_say_how_many_replicas_there_are_by_default() -> anyhow::Result<()> {
    let broker = Broker::start(&["--nodes", "3", "--override", "default.replication.factor=2"])?;
    let mut nodes = Nodes::of(&broker)?;
    ensure!(nodes.create(spread("t", 2, -1))?.0 == 0, "no topic");
    ensure!(nodes.places(1, "t")?.iter().all(|replicas| replicas.len() == 2), "{:?}", nodes.places(1, "t")?);
    let owner = coordinator(&mut nodes, 1, "g")?;
    ensure!(commit(nodes.node(owner)?, "g", 1)? == 0, "no commit");
    let offsets = nodes.places(1, "__consumer_offsets")?;
    ensure!(offsets.iter().all(|replicas| replicas.len() == 3), "{offsets:?}");
    Ok(())
}

#[test]
fn a_node_that_clients_are_sent_to_is_where_it_says() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let arguments = ["--nodes", "3", "--quiet"].map(str::to_owned).into();
    let broker = Broker::launch(Launch { folder: Some(folder.path().to_owned()), arguments, ..Launch::default() })?;
    for address in broker.nodes() {
        let request = MetadataRequest::default().with_topics(Some(vec![]));
        let answer = Client::connect(*address)?.ask(9, &request)?;
        let told =
            answer.brokers.iter().map(|node| Ok((node.node_id.0, format!("{}:{}", &*node.host, node.port).parse()?)));
        let told: Vec<(i32, SocketAddr)> = told.collect::<anyhow::Result<_>>()?;
        let expected: Vec<_> = (1..).zip(broker.nodes().iter().copied()).collect();
        ensure!(told == expected, "{address} tells {told:?}, not {expected:?}");
    }
    Ok(())
}
