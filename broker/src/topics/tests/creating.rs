//! Tests of making topics: many at once cost hardly more than one, each fails alone, and one that holds nothing costs
//! nothing.

use std::path::PathBuf;

use super::*;
use crate::names::TopicPartition;

fn wishes(names: &[&str], partitions: i32) -> Vec<NewTopic> {
    names.iter().map(|name| wanted(name, partitions)).collect()
}

/// The changes that make something durable: what creating topics waits for.
fn syncs(changes: &[Change]) -> usize {
    changes.iter().filter(|change| matches!(change, Change::Sync(_) | Change::SyncDir(_))).count()
}

fn files(dir: PathBuf) -> Vec<String> {
    Disk::default().list(&dir).expect("a folder")
}

#[tokio::test]
async fn many_topics_wait_for_the_disk_no_oftener_than_one() {
    let bench = Bench::new();
    let topics = bench.topics();
    let mut counts = Vec::new();
    for names in [&["a"][..], &["b", "c", "d", "e", "f", "g", "h"]] {
        let before = bench.script.changes().len();
        for created in topics.create_all(&Principal::anonymous(), wishes(names, 5), false).await {
            created.expect("created");
        }
        counts.push(syncs(&bench.script.changes()[before..]));
    }
    assert_eq!(counts[0], counts[1]);
    let before = bench.script.changes().len();
    let names = ["i", "j", "k"].map(|name| TopicName::parse(name).expect("a good name"));
    for created in topics.auto_create(&Principal::anonymous(), &names).await {
        created.expect("created");
    }
    assert_eq!(syncs(&bench.script.changes()[before..]), counts[0]);
    assert_eq!(topics.list().len(), 11);
}

#[tokio::test]
async fn of_topics_made_together_each_fails_alone() {
    let bench = Bench::new();
    let topics = bench.topics();
    std::fs::create_dir(bench.data().join("c-1")).expect("somebody's folder");
    let names = ["a.b", "a_b", "a.b", "c", "no/name", "d"];
    let outcomes = topics.create_all(&Principal::anonymous(), wishes(&names, 2), false).await;
    let told: Vec<String> =
        outcomes.iter().map(|outcome| outcome.as_ref().err().map(ToString::to_string).unwrap_or_default()).collect();
    assert_eq!((told[0].as_str(), told[5].as_str()), ("", ""), "{told:?}");
    assert_eq!(told[1], "Topic 'a_b' collides with existing topic: a.b");
    assert_eq!(told[2], "Topic 'a.b' already exists.");
    assert!(told[3].contains("a folder of this name is there already"), "{told:?}");
    assert!(matches!(outcomes[4], Err(TopicError::InvalidName(_))), "{told:?}");
    let there: Vec<String> = topics.list().iter().map(|topic| topic.name.to_string()).collect();
    assert_eq!(there, ["a.b", "d"]);
    let folders: Vec<String> =
        bench.names_in_folder().into_iter().filter(|name| TopicPartition::from_folder_name(name).is_some()).collect();
    assert_eq!(folders, ["a.b-0", "a.b-1", "c-1", "d-0", "d-1"], "what failed left nothing, what was there stays");
}

#[tokio::test]
async fn topics_made_together_share_the_room_that_there_is() {
    let bench = Bench::new();
    let topics = bench.topics();
    let most = i32::try_from(crate::config::limits::MAX_PARTITIONS).expect("a small number");
    let wishes = vec![wanted("small", 1), wanted("large", most)];
    let outcomes = topics.create_all(&Principal::anonymous(), wishes, false).await;
    assert!(outcomes[0].is_ok() && matches!(outcomes[1], Err(TopicError::InvalidPartitions(_))), "{outcomes:?}");
}

#[tokio::test]
async fn a_disk_that_refuses_the_metadata_refuses_each_topic() {
    let bench = Bench::new();
    let topics = bench.topics();
    let fails = |change: &Change| matches!(change, Change::Write(path, ..) if path.ends_with("cutaway.redb"));
    bench.script.fail_when(move |change| fails(change).then(|| io::ErrorKind::StorageFull.into()));
    let outcomes = topics.create_all(&Principal::anonymous(), wishes(&["a", "b"], 2), false).await;
    let is_full = |outcome: &std::result::Result<_, TopicError>| matches!(outcome, Err(TopicError::Storage(error)) if error.is_out_of_room());
    assert!(outcomes.len() == 2 && outcomes.iter().all(is_full), "{outcomes:?}");
    bench.script.heal();
    for created in topics.create_all(&Principal::anonymous(), wishes(&["a", "b"], 2), false).await {
        created.expect("there is room again");
    }
}

#[tokio::test]
async fn a_log_without_records_has_no_files_and_a_start_does_nothing_to_it() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 3).await;
    topic.partitions[1].append(&batch("x")).await.expect("appended");
    assert_eq!(files(bench.data().join("t-0")), ["partition.metadata"]);
    let of_segment = ["log", "index", "timeindex"].map(|suffix| format!("{:020}.{suffix}", 0));
    let made = files(bench.data().join("t-1"));
    assert!(of_segment.iter().all(|name| made.contains(name)), "{made:?}");
    assert!(made.contains(&"leader-epoch-checkpoint".to_owned()), "{made:?}");
    drop((topics, topic));
    for is_clean in [false, true, true] {
        if is_clean {
            bench.topics().close().await.expect("closed");
        }
        let before = bench.script.changes().len();
        drop(bench.topics());
        let changes = bench.script.changes();
        let touched = changes[before..].iter().find(|change| format!("{change:?}").contains("t-0"));
        assert!(touched.is_none(), "after a stop that is clean: {is_clean}: {touched:?}");
        assert_eq!(bench.findings(), "");
    }
    let topics = bench.topics();
    let partition = &topics.get("t").expect("there").partitions[0];
    assert_eq!(partition.append(&batch("y")).await.expect("appended").base_offset, 0);
    assert!(readable_bytes(partition) > 0);
}

/// What was written into a new folder need not have reached the disk when the power fails.
#[tokio::test]
async fn an_empty_folder_is_made_whole_without_a_word() {
    for emptied in [true, false] {
        let bench = Bench::new();
        let topics = bench.topics();
        let id = create(&topics, "t", 1).await.id;
        drop(topics);
        let file = bench.data().join("t-0/partition.metadata");
        let whole = std::fs::read(&file).expect("there");
        if emptied { std::fs::write(&file, "") } else { std::fs::remove_file(&file) }.expect("lost");
        let topics = bench.topics();
        assert_eq!((topics.get("t").expect("there").id, bench.findings().as_str()), (id, ""));
        assert_eq!(std::fs::read(&file).expect("there again"), whole);
    }
}
