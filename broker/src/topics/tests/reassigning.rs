//! Replicas are put on other nodes: at once, for good, and without losing what else was wished for.

use super::altering::alter;
use super::*;

fn to(partition: i32, replicas: &[i32]) -> Move {
    Move { partition, replicas: Some(replicas.to_vec()), may_change_count: true }
}

/// Topics of three nodes, one of which is `t`: two partitions with two replicas each.
async fn bench_with_topic() -> (Bench, Arc<Topics>) {
    let bench = Bench::new().with("cutaway.nodes", "3").with("listeners", &crate::config::on_free_ports(3));
    let topics = bench.topics();
    let assignments = vec![(0, vec![1, 2]), (1, vec![2, 3])];
    let wish = NewTopic { partitions: -1, replication_factor: -1, assignments, ..wanted("t", -1) };
    topics.create(&Principal::anonymous(), wish, false).await.expect("created");
    (bench, topics)
}

async fn reassign(topics: &Topics, moves: Vec<Move>) -> Vec<std::result::Result<(), TopicError>> {
    topics.reassign(&Principal::anonymous(), "t", moves).await
}

fn places(topics: &Topics) -> Vec<Vec<i32>> {
    let topic = topics.get("t").expect("there");
    (0..topic.partition_count).map(|partition| topic.replicas_of(partition)).collect()
}

#[tokio::test]
async fn moved_replicas_are_where_they_should_be_after_a_restart_too() {
    let (bench, topics) = bench_with_topic().await;
    topics.get("t").expect("there").partitions[0].append(&batch("x")).await.expect("appended");
    let outcomes = reassign(&topics, vec![to(0, &[3, 1, 2]), to(1, &[4]), to(7, &[1])]).await;
    let outcomes: Vec<Option<String>> =
        outcomes.into_iter().map(|one| one.err().map(|error| error.to_string())).collect();
    let stranger = "The manual partition assignment includes broker 4, but no such broker is registered.";
    let nowhere = "Unable to find partition t:7.";
    assert_eq!(outcomes, [None, Some(stranger.into()), Some(nowhere.into())]);
    assert_eq!(places(&topics), [vec![3, 1, 2], vec![2, 3]]);
    let told = bench.journal.recent().into_iter().any(|entry| {
        matches!(&entry.event, Event::ReplicasMoved { topic, partitions, .. } if topic == "t" && *partitions == [0])
    });
    assert!(told);
    drop(topics);
    let topics = bench.topics();
    assert_eq!(places(&topics), [vec![3, 1, 2], vec![2, 3]]);
    // Whatever else changes of the topic, they stay; later partitions have as many as the first.
    alter(&topics, "t", "max.message.bytes", "2000").await;
    let more = MorePartitions { topic: "t".into(), count: 4, assignments: None };
    topics.extend(&Principal::anonymous(), more, false).await.expect("extended");
    let before = places(&topics);
    assert_eq!(before[..2], [vec![3, 1, 2], vec![2, 3]]);
    assert!(before[2..].iter().all(|replicas| replicas.len() == 3), "{before:?}");

    drop(topics);
    let topics = bench.topics();
    assert_eq!(places(&topics), before);
    assert_eq!(topics.get("t").expect("there").partitions[0].high_watermark(), 1);
}

#[tokio::test]
async fn the_number_of_replicas_stays_where_it_must() {
    let (bench, topics) = bench_with_topic().await;
    let keeping = |one: Move| Move { may_change_count: false, ..one };
    let outcomes = reassign(&topics, vec![keeping(to(0, &[3])), keeping(to(1, &[1, 2]))]).await;
    let refused = outcomes[0].as_ref().expect_err("fewer").to_string();
    assert_eq!(refused, "The replication factor is changed from 2 to 1");
    assert!(outcomes[1].is_ok());
    assert_eq!(places(&topics), [[1, 2], [1, 2]]);
    let events = bench.journal.recent().len();
    assert!(reassign(&topics, vec![to(0, &[1, 2])]).await[0].is_ok());
    assert_eq!(bench.journal.recent().len(), events, "where it is already it need not be put");
    let none = reassign(&topics, vec![Move { replicas: None, ..to(0, &[]) }]).await;
    assert!(matches!(none[..], [Err(TopicError::NoReassignment)]), "{none:?}");
    let nowhere = topics.reassign(&Principal::anonymous(), "no", vec![to(0, &[1])]).await;
    assert_eq!(nowhere[0].as_ref().expect_err("no topic").to_string(), "Unable to find a topic named no.");
}

#[tokio::test]
async fn what_the_disk_refuses_did_not_happen() {
    let (bench, topics) = bench_with_topic().await;
    bench.script.fail_when(|change| match change {
        Change::Sync(path) if path.ends_with(METADATA_FILE) => Some(std::io::Error::other("the disk is gone")),
        _ => None,
    });
    let outcomes = reassign(&topics, vec![to(0, &[3]), to(7, &[1])]).await;
    assert!(matches!(&outcomes[0], Err(TopicError::Storage(_))), "{outcomes:?}");
    assert!(matches!(&outcomes[1], Err(TopicError::NotFound(_))), "{outcomes:?}");
    assert_eq!(places(&topics), [[1, 2], [2, 3]]);
}
