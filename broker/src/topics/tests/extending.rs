//! Topics get more partitions: all that were wanted or none, whatever the disk does meanwhile.

use super::altering::alter;
use super::*;

fn more(topic: &str, count: i32) -> MorePartitions {
    MorePartitions { topic: topic.into(), count, assignments: None }
}

async fn extend(topics: &Topics, count: i32) -> std::result::Result<Arc<Topic>, TopicError> {
    topics.extend(&Principal::anonymous(), more("t", count), false).await
}

#[tokio::test]
async fn an_extended_topic_shares_what_it_had() {
    let bench = Bench::new();
    let topics = bench.topics();
    let before = create(&topics, "t", 1).await;
    before.partitions[0].append(&batch("old")).await.expect("appended");
    let waiter = FetchWaiter::new(1);
    assert!(before.partitions[0].watch(&waiter, Isolation::ReadUncommitted, 1));

    let after = extend(&topics, 3).await.expect("extended");
    assert_eq!((before.partitions.len(), after.partitions.len(), after.partition_count), (1, 3, 3));
    assert_eq!((after.id, after.partitions[2].leader_epoch()), (before.id, 0));
    assert!(Arc::ptr_eq(&before.partitions[0], &after.partitions[0]));
    for found in [topics.get("t"), topics.get_by_id(before.id), topics.list().pop()] {
        assert!(Arc::ptr_eq(&found.expect("known"), &after));
    }
    after.partitions[0].append(&batch("new")).await.expect("appended");
    waiter.woken().await;
    after.partitions[2].append(&batch("first")).await.expect("appended");
    let told = bench.journal.recent().into_iter().any(|entry| {
        matches!(&entry.event, Event::TopicExtended { topic, partitions: 3, by, .. } if topic == "t" && by == "User:ANONYMOUS")
    });
    assert!(told);

    drop((topics, before, after));
    let topics = bench.topics();
    let topic = topics.get("t").expect("there");
    let ends: Vec<i64> = topic.partitions.iter().map(|partition| partition.high_watermark()).collect();
    assert_eq!(ends, [2, 0, 1]);
    assert_eq!(bench.findings(), "");
    topics.delete(&Principal::anonymous(), &topic).await.expect("deleted");
    assert!(bench.names_in_folder().iter().all(|name| !name.starts_with("t-") || name.ends_with("-delete")));
}

#[tokio::test]
async fn wishes_that_are_refused() {
    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "t", 2).await;
    let assigned = |count, replicas: &[&[i32]]| MorePartitions {
        assignments: Some(replicas.iter().map(|ids| ids.to_vec()).collect()),
        ..more("t", count)
    };
    let stranger = "The manual partition assignment includes broker 7, but no such broker is registered.";
    let few = "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.";
    let none = "Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified.";
    let full = "The topic t cannot have 9999 more partition(s): this broker has room for 9998 more of at most 10000; delete topics that are not needed any more.";
    let wishes = [
        (more("nowhere", 3), "This server does not host this topic-partition."),
        (more("t", 2), "Topic already has 2 partition(s)."),
        (more("t", 1), "The topic t currently has 2 partition(s); 1 would not be an increase."),
        (more("t", -1), "The topic t currently has 2 partition(s); -1 would not be an increase."),
        (more("t", 10_001), full),
        (assigned(4, &[&[1]]), few),
        (assigned(3, &[]), none),
        (assigned(3, &[&[7]]), stranger),
        (assigned(3, &[&[]]), "The manual partition assignment includes an empty replica list."),
        (assigned(3, &[&[1, 1]]), "The manual partition assignment includes the broker 1 more than once."),
    ];
    for (wish, text) in wishes {
        for validate_only in [true, false] {
            let outcome = topics.extend(&Principal::anonymous(), wish.clone(), validate_only).await;
            assert_eq!(outcome.expect_err("refused").to_string(), text);
        }
    }
    let before = bench.script.changes().len();
    topics.extend(&Principal::anonymous(), assigned(4, &[&[1], &[1]]), true).await.expect("may be");
    assert_eq!((topics.get("t").expect("there").partition_count, bench.script.changes().len()), (2, before));
    topics.extend(&Principal::anonymous(), assigned(4, &[&[1], &[1]]), false).await.expect("is");
    assert_eq!(topics.get("t").expect("there").partition_count, 4);
    let room = topics.extend(&Principal::anonymous(), more("t", 10_001), true).await;
    assert!(room.expect_err("refused").to_string().contains("room for 9996 more"), "the registry counts them");
}

#[tokio::test]
async fn an_extension_that_fails_leaves_nothing_and_can_be_tried_again() {
    let no_folder = |change: &Change| matches!(change, Change::CreateDir(path) if path.ends_with("t-3"));
    let no_owner =
        |change: &Change| matches!(change, Change::Write(path, ..) if path.ends_with("t-2/partition.metadata"));
    let no_metadata = |change: &Change| matches!(change, Change::Write(path, ..) if path.ends_with("cutaway.redb"));
    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "t", 2).await.partitions[1].append(&batch("kept")).await.expect("appended");
    for fails in [no_folder, no_owner, no_metadata] as [fn(&Change) -> bool; 3] {
        bench.script.fail_when(move |change| fails(change).then(|| io::ErrorKind::StorageFull.into()));
        let outcome = extend(&topics, 4).await;
        assert!(matches!(outcome, Err(TopicError::Storage(_))), "{outcome:?}");
        assert_eq!(topics.get("t").expect("there").partitions.len(), 2);
        bench.script.heal();
        let folders: Vec<_> = bench.names_in_folder().into_iter().filter(|name| name.starts_with("t-")).collect();
        assert_eq!(folders, ["t-0", "t-1"]);
    }
    let extended = extend(&topics, 4).await.expect("extended");
    assert_eq!((extended.partitions.len(), extended.partitions[1].high_watermark()), (4, 1));
}

/// What could not be taken back must not come back, neither as more partitions nor as a topic of its own.
#[tokio::test]
async fn an_extension_that_cannot_even_be_taken_back_is_taken_back_by_the_next_change() {
    let broken = |change: &Change| match change {
        Change::CreateDir(path) => path.ends_with("t-2"),
        Change::RemoveDir(path) => path.ends_with("t-1"),
        _ => false,
    };
    for next in ["delete", "extend", "alter"] {
        let bench = Bench::new();
        let topics = bench.topics();
        let topic = create(&topics, "t", 1).await;
        bench.script.fail_when(move |change| broken(change).then(|| io::ErrorKind::StorageFull.into()));
        extend(&topics, 3).await.expect_err("the disk refused");
        assert_eq!(topics.get("t").expect("there").partitions.len(), 1);
        topics.delete(&Principal::anonymous(), &topic).await.expect_err("the folder is still there");
        bench.script.heal();
        match next {
            "delete" => topics.delete(&Principal::anonymous(), &topic).await.expect("deleted"),
            "extend" => assert_eq!(extend(&topics, 2).await.expect("extended").partitions.len(), 2),
            _ => alter(&topics, "t", "retention.ms", "5").await,
        }
        drop((topics, topic));
        let found = bench.topics().get("t").map(|topic| topic.partitions.len());
        assert_eq!(
            found,
            [("extend", 2), ("alter", 1)].into_iter().find(|(done, _)| *done == next).map(|(_, count)| count)
        );
    }
}

#[tokio::test]
async fn a_folder_that_is_in_the_way_is_not_touched() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    // As if somebody had put back a folder of this very topic.
    let foreign = bench.data().join("t-1");
    std::fs::create_dir(&foreign).expect("made");
    std::fs::copy(bench.data().join("t-0/partition.metadata"), foreign.join("partition.metadata")).expect("copied");
    let outcome = extend(&topics, 3).await.expect_err("occupied").to_string();
    assert!(outcome.contains("a folder of this name is there already"), "{outcome}");
    assert!(foreign.join("partition.metadata").exists());
    assert_eq!(topics.get_by_id(topic.id).expect("there").partitions.len(), 1);
}

#[tokio::test]
async fn what_a_start_cannot_finish_the_next_one_does() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    let record = TopicRecord { partition_count: 2, ..topic.record(TopicState::Extending) };
    drop((topics, topic));
    // As a kill leaves it before the first folder is made.
    let file = bench.data().join(METADATA_FILE);
    Metadata::open(&Disk::default(), &file, None).expect("opened").put_topic(&record).expect("written");
    for (no_room_for, is_there) in [("t-1", false), (METADATA_FILE, false), ("nothing", true)] {
        bench.script.fail_when(move |change| {
            // The header at the beginning of the metadata file is written in place.
            let (Change::CreateDir(path) | Change::Write(path, 1.., _)) = change else { return None };
            path.ends_with(no_room_for).then(|| io::ErrorKind::StorageFull.into())
        });
        let topic = bench.topics().get("t").expect("there");
        assert_eq!((topic.partitions.len(), topic.partitions[1].append(&batch("x")).await.is_ok()), (2, is_there));
    }
    assert!(!bench.findings().contains("the folder was missing"), "{}", bench.findings());
    let metadata = Metadata::open(&Disk::default(), &file, None).expect("opened");
    assert_eq!(metadata.topics().expect("readable")[0].state, TopicState::Live);
}
