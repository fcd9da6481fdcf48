//! Tests of opening a folder: what a stop leaves, what damage leaves, and whose folder it may be.

use super::*;
use crate::names::TopicId;
use crate::storage::metadata::TopicState;

#[tokio::test]
async fn records_outlive_a_kill_and_a_clean_stop() {
    let bench = Bench::new();
    let topics = bench.topics();
    let id = create(&topics, "t", 1).await.id;
    topics.get("t").expect("there").partitions[0].append(&batch("x")).await.expect("appended");
    let cluster_id = topics.cluster_id().to_owned();
    drop(topics);
    for (run, is_clean) in [(1, true), (2, false), (3, true)] {
        let topics = bench.topics();
        assert_eq!(topics.cluster_id(), cluster_id);
        let topic = topics.get("t").expect("still there");
        assert_eq!(topic.id, id);
        let partition = &topic.partitions[0];
        assert_eq!((partition.high_watermark(), partition.leader_epoch()), (i64::from(run), run));
        assert!(readable_bytes(partition) > 0);
        assert!(!bench.data().join(".kafka_cleanshutdown").exists(), "it must not outlive the start");
        assert_eq!(partition.append(&batch("y")).await.expect("appended").base_offset, i64::from(run));
        assert_eq!(create(&topics, &format!("new-{run}"), 1).await.partitions[0].leader_epoch(), 0);
        if is_clean {
            topics.close().await.expect("closed");
            let marker = std::fs::read_to_string(bench.data().join(".kafka_cleanshutdown")).expect("there");
            assert_eq!(marker, "{\"version\":0,\"brokerEpoch\":-1}");
            assert!(matches!(partition.append(&batch("late")).await, Err(Error::Poisoned { .. })));
            topics.create(&Principal::anonymous(), wanted("late", 1), false).await.expect_err("too late");
        }
    }
    assert_eq!(bench.findings(), "");
}

#[tokio::test]
async fn no_damaged_file_keeps_the_records_from_being_served() {
    for damaged in [
        METADATA_FILE,
        "meta.properties",
        "recovery-point-offset-checkpoint",
        "log-start-offset-checkpoint",
        "t-0/partition.metadata",
        "t-0/leader-epoch-checkpoint",
    ] {
        for is_clean in [true, false] {
            let bench = Bench::new();
            let topics = bench.topics();
            let topic = create(&topics, "t", 2).await;
            topic.partitions[0].append(&batch("x")).await.expect("appended");
            topics.folder.write_checkpoints().expect("written");
            if is_clean {
                topics.close().await.expect("closed");
            }
            drop(topics);
            std::fs::write(bench.data().join(damaged), b"\xffrubbish").expect("damaged");

            let topics = bench.open().unwrap_or_else(|error| panic!("{damaged}: {error}"));
            let found = topics.get("t").unwrap_or_else(|| panic!("{damaged}: the topic is gone"));
            assert_eq!((found.id, found.partitions.len()), (topic.id, 2), "{damaged}");
            assert_eq!(found.partitions[0].high_watermark(), 1, "{damaged}");
            assert!(readable_bytes(&found.partitions[0]) > 0, "{damaged}");
            assert!(found.partitions[0].leader_epoch() > 0, "{damaged}");
            // The log derives this one anew without a word: nothing of it was lost.
            let is_told = damaged == "t-0/leader-epoch-checkpoint" || bench.findings().contains(damaged);
            assert!(is_told, "{damaged}: {}", bench.findings());
        }
    }
}

#[tokio::test]
async fn lost_metadata_is_rebuilt_from_the_folders() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 3).await;
    let producer_id = 12_345;
    let mut builder = BatchBuilder::new(Compression::None).from_producer(producer_id, 0, 0);
    builder.push(1_000, None, Some(b"x"), &[]);
    topic.partitions[2].append(&builder.build()).await.expect("appended");
    // What one partition lost, the checkpoint of another tells.
    topic.partitions[1].append(&batch("x")).await.expect("appended");
    let cluster_id = topics.cluster_id().to_owned();
    drop(topics);
    drop(bench.topics());
    for lost in [&[METADATA_FILE][..], &[METADATA_FILE, "t-2/leader-epoch-checkpoint"]] {
        let epoch = bench.topics().get("t").expect("there").partitions[2].leader_epoch();
        for file in lost {
            std::fs::remove_file(bench.data().join(file)).expect("removed");
        }
        let topics = bench.topics();
        let found = topics.get_by_id(topic.id).expect("the id is in the folders");
        assert_eq!((found.name.as_str(), found.partitions.len()), ("t", 3));
        assert!(found.partitions[2].leader_epoch() > epoch, "{lost:?}");
        assert_eq!(topics.cluster_id(), cluster_id);
        assert!(topics.new_producer_id().await.expect("an id") > producer_id);
    }
}

/// A topic's settings stand in the metadata file alone: who removes it must hear that they are gone.
#[tokio::test]
async fn what_a_missing_metadata_file_takes_with_it_is_told() {
    for is_kafkas in [false, true] {
        let bench = Bench::new();
        let topics = bench.topics();
        create(&topics, "one", 2).await;
        create(&topics, "two", 1).await;
        topics.close().await.expect("closed");
        drop(topics);
        assert_eq!(bench.findings(), "");
        std::fs::remove_file(bench.data().join(METADATA_FILE)).expect("removed");
        if is_kafkas {
            std::fs::create_dir(bench.data().join("__cluster_metadata-0")).expect("made");
        }

        drop(bench.topics());
        let told = bench.findings();
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.contains("cutaway.redb: it is missing, though there are folders of 2 topics"), "{told}");
        assert!(told.contains("3 partition(s) were taken from the folders"), "{told}");
        assert!(told.contains("the broker's defaults hold instead"), "{told}");
        assert_eq!(told.contains("Kafka kept them"), is_kafkas, "{told}");
        let event = bench.journal.recent().into_iter().find(|entry| matches!(entry.event, Event::RecoveryFound { .. }));
        assert!(event.is_some(), "the story and the banner tell it too");
    }
}

#[tokio::test]
async fn folders_of_others_are_refused_and_left_as_they_are() {
    let bench = Bench::new();
    let topics = bench.topics();
    let refusal = bench.open().expect_err("the folder is in use").to_string();
    assert!(refusal.contains("another broker is using it"), "{refusal}");
    topics.close().await.expect("closed");
    drop(topics);

    let meta = bench.data().join("meta.properties");
    let ours = std::fs::read_to_string(&meta).expect("there");
    for (theirs, sentence) in [
        (ours.replace("node.id=1", "node.id=7"), "set node.id=7"),
        (ours.replace("cluster.id=", "cluster.id=x"), "names the cluster x"),
    ] {
        std::fs::write(&meta, &theirs).expect("written");
        let metadata = std::fs::read(bench.data().join(METADATA_FILE)).expect("there");
        let refusal = bench.open().expect_err("not ours").to_string();
        assert!(refusal.contains(sentence), "{refusal}");
        assert_eq!(std::fs::read_to_string(&meta).expect("there"), theirs);
        assert!(std::fs::read(bench.data().join(METADATA_FILE)).expect("there") == metadata, "{sentence}");
        assert!(bench.data().join(".kafka_cleanshutdown").exists());
    }
    std::fs::write(&meta, &ours).expect("written");
    bench.topics();
}

#[tokio::test]
async fn a_missing_folder_becomes_an_empty_log_and_a_bad_one_an_answer() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 3).await;
    for partition in &topic.partitions {
        partition.append(&batch("x")).await.expect("appended");
    }
    topics.close().await.expect("closed");
    drop(topics);
    std::fs::remove_dir_all(bench.data().join("t-0")).expect("removed");
    std::fs::remove_dir_all(bench.data().join("t-1")).expect("removed");
    std::fs::write(bench.data().join("t-1"), b"a file where a folder should be").expect("written");

    assert_eq!(bench.file("recovery-point-offset-checkpoint"), "0\n3\nt 0 1\nt 1 1\nt 2 1\n");
    let topics = bench.topics();
    let topic = topics.get("t").expect("there");
    // The new log must not be judged by what the old one had.
    assert_eq!(bench.file("recovery-point-offset-checkpoint"), "0\n2\nt 0 0\nt 2 1\n");
    assert_eq!(topic.partitions[0].high_watermark(), 0);
    assert_eq!(topic.partitions[2].high_watermark(), 1);
    topic.partitions[0].append(&batch("y")).await.expect("a new log");
    assert!(topic.partitions[1].append(&batch("y")).await.expect_err("no log").is_fault());
    assert!(topic.partitions[1].read(0, Isolation::ReadUncommitted, 1, true).is_err());
    assert!(bench.findings().contains("t-0: the folder was missing"), "{}", bench.findings());
    assert!(bench.findings().contains("t-1: the log cannot be opened"), "{}", bench.findings());
    topics.close().await.expect("what can be closed is");
}

#[tokio::test]
async fn folders_that_somebody_put_there_are_served_if_they_are_plausible() {
    let bench = Bench::new();
    let topics = bench.topics();
    let id = create(&topics, "t", 2).await.id;
    topics.close().await.expect("closed");
    drop(topics);
    std::fs::create_dir_all(bench.data().join("stray-2000000000")).expect("made");
    std::fs::create_dir_all(bench.data().join("t-2")).expect("made");
    std::fs::create_dir_all(bench.data().join("__cluster_metadata-0")).expect("made");
    std::fs::create_dir_all(bench.data().join("copied-0")).expect("made");
    std::fs::copy(bench.data().join("t-0/partition.metadata"), bench.data().join("copied-0/partition.metadata"))
        .expect("copied");

    let topics = bench.topics();
    let names: Vec<String> = topics.list().iter().map(|topic| topic.name.to_string()).collect();
    assert_eq!(names, ["copied", "t"]);
    assert_eq!(topics.get("t").map(|topic| (topic.id, topic.partitions.len())), Some((id, 3)));
    assert_ne!(topics.get("copied").expect("there").id, id);
    assert!(bench.findings().contains("stray-2000000000"), "{}", bench.findings());
}

#[tokio::test]
async fn left_overs_of_deletions_are_removed() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 2).await;
    topics.delete(&Principal::anonymous(), &topic).await.expect("deleted");
    drop(topics);
    let is_left = || bench.names_in_folder().iter().any(|name| name.ends_with("-delete"));
    assert!(is_left());
    let topics = bench.topics();
    while is_left() {
        tokio::task::yield_now().await;
    }
    assert!(topics.list().is_empty());
}

/// Deleted while the disk was full, the record of the first topic stayed in the metadata; finishing that at the next start
/// took the folders of its namesake, by their names.
#[tokio::test]
async fn finishing_a_deletion_leaves_a_topic_of_the_same_name_alone() {
    let bench = Bench::new();
    let topics = bench.topics();
    let first = create(&topics, "t", 2).await;
    let mut stale = first.record(TopicState::Deleting);
    topics.delete(&Principal::anonymous(), &first).await.expect("deleted");
    let second = create(&topics, "t", 1).await;
    second.partitions[0].append(&batch("kept")).await.expect("appended");
    let id = second.id;
    topics.close().await.expect("closed");
    drop((topics, first, second));
    let metadata = Metadata::open(&Disk::default(), &bench.data().join(METADATA_FILE), None).expect("opened");
    metadata.put_topic(&stale).expect("put");
    // One more that was half created, whose name nobody has taken.
    stale.name = TopicName::parse("half").expect("a good name");
    stale.id = TopicId::random();
    stale.state = TopicState::Creating;
    metadata.put_topic(&stale).expect("put");
    drop(metadata);

    let topics = bench.topics();
    let there = topics.get("t").expect("the second topic is there");
    assert_eq!((there.id, there.partitions[0].high_watermark()), (id, 1));
    assert!(topics.get("half").is_none());
}

/// A record of a topic that was half made may bear the name of a folder that is not its own.
#[tokio::test]
async fn finishing_takes_no_folder_that_names_another_topic() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 2).await;
    topic.partitions[0].append(&batch("kept")).await.expect("appended");
    let (id, mut stale) = (topic.id, topic.record(TopicState::Creating));
    drop((topics, topic));
    let metadata = Metadata::open(&Disk::default(), &bench.data().join(METADATA_FILE), None).expect("opened");
    metadata.remove_topics(&[id]).expect("removed");
    stale.id = TopicId::random();
    metadata.put_topic(&stale).expect("put");
    drop(metadata);

    let topics = bench.topics();
    let there = topics.get("t").expect("it is served from its folders");
    assert_eq!((there.id, there.partitions.len(), there.partitions[0].high_watermark()), (id, 2, 1));
}

/// The metadata may be older than the folders: a partition that it does not know is no left over of a namesake.
#[tokio::test]
async fn finishing_takes_no_partition_of_a_live_topic_that_the_metadata_does_not_know() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 2).await;
    topic.partitions[1].append(&batch("kept")).await.expect("appended");
    let (mut live, mut stale) = (topic.record(TopicState::Live), topic.record(TopicState::Deleting));
    drop((topics, topic));
    let metadata = Metadata::open(&Disk::default(), &bench.data().join(METADATA_FILE), None).expect("opened");
    (live.partition_count, stale.id) = (1, TopicId::random());
    metadata.put_topic(&live).expect("put");
    metadata.put_topic(&stale).expect("put");
    drop(metadata);

    let topics = bench.topics();
    let there = topics.get("t").expect("there");
    assert_eq!((there.partitions.len(), there.partitions[1].high_watermark()), (2, 1));
}

#[tokio::test]
async fn findings_are_kept_once() {
    let bench = Bench::new();
    drop(bench.topics());
    for _ in 0..3 {
        std::fs::write(bench.data().join("log-start-offset-checkpoint"), "rubbish").expect("damaged");
        drop(bench.topics());
    }
    assert_eq!(bench.findings().lines().count(), 1, "{}", bench.findings());
}

/// The metadata finds no room for another start. What is there is served; nothing is written before the start is counted,
/// so that no two starts write under the same leader epoch.
#[tokio::test]
async fn a_start_without_room_serves_and_writes_once_there_is_room() {
    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "t", 1).await.partitions[0].append(&batch("x")).await.expect("appended");
    drop(topics);
    // The header at the beginning of the file is written in place.
    let is_new_page = |change: &Change| matches!(change, Change::Write(path, 1.., _) if path.ends_with("cutaway.redb"));
    bench.script.fail_when(move |change| is_new_page(change).then(|| io::ErrorKind::StorageFull.into()));
    for _ in 0..2 {
        let topics = bench.topics();
        let partition = &topics.get("t").expect("there").partitions[0];
        assert!(readable_bytes(partition) > 0);
        let refused = partition.append(&batch("y")).await.expect_err("no room");
        assert!(refused.is_out_of_room(), "{refused}");
        topics.create(&Principal::anonymous(), wanted("new", 1), false).await.expect_err("no room");
        assert_eq!(partition.log_end_offset(), 1);
    }
    let topics = bench.topics();
    bench.script.heal();
    let partition = &topics.get("t").expect("there").partitions[0];
    assert_eq!(partition.append(&batch("y")).await.expect("there is room again").base_offset, 1);
    assert_eq!(partition.leader_epoch_of(1), Some(1));
    drop(topics);
    assert_eq!(bench.topics().get("t").expect("there").partitions[0].leader_epoch(), 2);
}
