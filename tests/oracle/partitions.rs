//! More partitions for topics, as one should ask for them and as one should not, and topics described in pages.

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, DescribeTopicPartitionsRequest, MetadataRequest, metadata_request,
};

use super::{make_topic, topic_name, wait_for};

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    make_topic(talk, "more", 2)?;
    make_topic(talk, "more.still", 1)?;
    for version in 0..=3 {
        refusals(talk, version)?;
        let count = 3 + i32::from(version);
        let many = vec![to("more", count), to("nowhere", 9), to("bad/name", 2)];
        talk.ask_in_any_order("one more, and of topics that are not there", version, &request(many))?;
        wait_for(talk, "more", count, 0)?;
        let metadata = metadata_request::MetadataRequestTopic::default().with_name(Some(topic_name("more")));
        talk.ask("what there is now", 12, &MetadataRequest::default().with_topics(Some(vec![metadata])))?;
    }
    let assigned = assigned("more", 8, &[&[1], &[1]]);
    talk.ask("assigned, only to validate", 3, &request(vec![assigned.clone()]).with_validate_only(true))?;
    talk.ask("assigned", 3, &request(vec![assigned]))?;
    wait_for(talk, "more", 8, 0)?;
    pages(talk)
}

/// What is refused, and what is only asked.
fn refusals(talk: &mut Talk, version: i16) -> anyhow::Result<()> {
    let there = 2 + i32::from(version);
    let one_more = |replicas: &[&[i32]]| assigned("more", there + 1, replicas);
    let cases = [
        ("as many as there are", to("more", there)),
        ("fewer than there are", to("more", there - 1)),
        ("none", to("more", 0)),
        ("less than none", to("more", -1)),
        ("an empty name", to("", 3)),
        ("no assignments", one_more(&[])),
        ("too many assignments", one_more(&[&[1], &[1]])),
        ("an assignment to nobody", one_more(&[&[]])),
        ("an assignment to a broker that is not there", one_more(&[&[7]])),
        ("an assignment to the same broker twice", one_more(&[&[1, 1]])),
        ("an assignment to a broker that is not there, too", one_more(&[&[1, 0]])),
    ];
    for (name, topic) in cases {
        talk.ask(name, version, &request(vec![topic]))?;
    }
    let only_asked = request(vec![to("more", there + 5)]).with_validate_only(true);
    talk.ask("more, only to validate", version, &only_asked)?;
    talk.ask("no topics", version, &request(vec![]))?;
    let twice = vec![to("more", there), to("more", there + 1), to("more.still", 1)];
    talk.ask_in_any_order("a topic twice", version, &request(twice))?;
    Ok(())
}

fn pages(talk: &mut Talk) -> anyhow::Result<()> {
    let mut ask = |name: &str, topics: &[&str], limit: i32, cursor: Option<(&str, i32)>| {
        let topics = topics.iter().map(|name| TopicRequest::default().with_name(topic_name(name)));
        let cursor = cursor.map(|(name, partition)| {
            Cursor::default().with_topic_name(topic_name(name)).with_partition_index(partition)
        });
        let request = DescribeTopicPartitionsRequest::default()
            .with_topics(topics.collect())
            .with_response_partition_limit(limit)
            .with_cursor(cursor);
        talk.ask(name, 0, &request)
    };
    ask("all topics", &[], 2000, None)?;
    ask("some topics", &["more.still", "more", "nowhere", "bad/name", "__consumer_offsets", "more"], 2000, None)?;
    ask("some topics and one without a name", &["more.still", "", "nowhere"], 2000, None)?;
    for limit in [i32::MIN, -1, 0, 1, 3, 8, 9, i32::MAX] {
        ask(&format!("at most {limit}"), &["more", "more.still", "most"], limit, None)?;
        ask(&format!("at most {limit} of all"), &[], limit, Some(("more", 2)))?;
    }
    ask("from a partition on", &["more", "more.still"], 3, Some(("more", 4)))?;
    ask("from the last partition on", &["more", "more.still"], 3, Some(("more", 7)))?;
    ask("from behind the last partition", &["more", "more.still"], 3, Some(("more", 8)))?;
    ask("from far behind the last partition", &["more", "more.still"], 3, Some(("more", 1_000_000)))?;
    ask("from a later topic on", &["more", "more.still"], 3, Some(("more.still", 0)))?;
    ask("from a topic on that is not there", &["more", "more.nowhere"], 3, Some(("more.nowhere", 5)))?;
    ask("from a topic on that was not asked for", &["more"], 3, Some(("more.still", 0)))?;
    ask("from a topic on that is not there, of all", &[], 3, Some(("more-", 1)))?;
    ask("from a partition below 0", &["more", "nowhere"], 3, Some(("more", -1)))?;
    ask("from a partition below 0, of all", &[], 3, Some(("more", -1)))?;
    Ok(())
}

fn request(topics: Vec<CreatePartitionsTopic>) -> CreatePartitionsRequest {
    CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(10_000)
}

fn to(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic::default().with_name(topic_name(name)).with_count(count).with_assignments(None)
}

fn assigned(name: &str, count: i32, replicas: &[&[i32]]) -> CreatePartitionsTopic {
    let assignments = replicas
        .iter()
        .map(|ids| CreatePartitionsAssignment::default().with_broker_ids(ids.iter().copied().map(BrokerId).collect()));
    to(name, count).with_assignments(Some(assignments.collect()))
}
