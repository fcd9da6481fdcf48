//! Tests of the room: what is created, deleted and found again, and who waits for what.

mod adopting;
mod altering;
mod crashing;
mod creating;
mod extending;
mod flushing;
mod opening;
mod producer_ids;
mod reassigning;
mod wishes;

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::config::Settings;
use crate::journal::Event;
use crate::storage::batch::{BatchBuilder, Compression, RecordBatch};
use crate::storage::disk::{Change, Script};
use crate::storage::metadata::{METADATA_FILE, Metadata, TopicRecord, TopicState};

/// A data folder, the script of its disk, and what a broker is told.
struct Bench {
    folder: TempDir,
    script: Arc<Script>,
    settings: Settings,
    journal: Journal,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            folder: tempfile::tempdir().expect("a temporary folder"),
            script: Arc::new(Script::default()),
            settings: Settings::default(),
            journal: Journal::new(Clock::system(), 1 << 20),
        }
    }

    fn with(mut self, key: &str, value: &str) -> Bench {
        self.settings = self.settings.with(key, value);
        self
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn open(&self) -> Result<Arc<Topics>> {
        self.open_at(&self.data())
    }

    fn open_at(&self, data: &Path) -> Result<Arc<Topics>> {
        let settings = self.settings.clone().with("log.dirs", data.display());
        let config = Arc::new(settings.resolve().expect("good settings"));
        Topics::open(Disk::scripted(self.script.clone()), Clock::system(), config, self.journal.clone())
    }

    fn topics(&self) -> Arc<Topics> {
        self.open().expect("the folder opens")
    }

    fn names_in_folder(&self) -> Vec<String> {
        Disk::default().list(&self.data()).expect("a folder")
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.data().join(name)).unwrap_or_default()
    }

    fn findings(&self) -> String {
        self.file("recovery-findings.txt")
    }

    /// How often the contents of a file whose name ends so were made durable.
    fn sync_count(&self, suffix: &str) -> usize {
        let is_one = |change: &Change| matches!(change, Change::Sync(path) if path.to_string_lossy().ends_with(suffix));
        self.script.changes().iter().filter(|change| is_one(change)).count()
    }
}

fn wanted(name: &str, partitions: i32) -> NewTopic {
    NewTopic { name: name.into(), partitions, replication_factor: 1, ..NewTopic::default() }
}

async fn create(topics: &Topics, name: &str, partitions: i32) -> Arc<Topic> {
    topics.create(&Principal::anonymous(), wanted(name, partitions), false).await.expect("created")
}

fn batch(value: &str) -> RecordBatch {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(1_000, None, Some(value.as_bytes()), &[]);
    builder.build()
}

/// How many bytes can be read from the beginning of a partition.
fn readable_bytes(partition: &Partition) -> u32 {
    let read = partition.read(partition.log_start_offset(), Isolation::ReadUncommitted, 1 << 20, true);
    read.expect("readable").range.map_or(0, |range| range.length)
}

#[tokio::test]
async fn a_topic_lives_and_dies() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 2).await;
    assert_eq!(topics.get("t").expect("known").id, topic.id);
    assert_eq!(topics.get_by_id(topic.id).expect("known").name, topic.name);
    assert_eq!(topics.list().len(), 1);
    let partition = &topic.partitions[1];
    assert_eq!((partition.id().to_string().as_str(), partition.leader_epoch()), ("t-1", 0));
    assert_eq!(partition.append(&batch("x")).await.expect("appended").base_offset, 0);
    assert_eq!((partition.high_watermark(), partition.last_stable_offset(), partition.log_end_offset()), (1, 1, 1));

    topics.delete(&Principal::anonymous(), &topic).await.expect("deleted");
    assert!(topics.get("t").is_none() && topics.get_by_id(topic.id).is_none());
    assert!(matches!(partition.append(&batch("x")).await, Err(Error::Deleted { .. })));
    assert!(matches!(partition.read(0, Isolation::ReadUncommitted, 1, true), Err(Error::Deleted { .. })));
    let left: Vec<String> = bench.names_in_folder().into_iter().filter(|name| name.starts_with("t-")).collect();
    assert!(left.len() == 2 && left.iter().all(|name| name.ends_with("-delete")), "{left:?}");
    assert_eq!(bench.file("replication-offset-checkpoint"), "0\n0\n", "a namesake would inherit");
    let again = topics.delete(&Principal::anonymous(), &topic).await;
    assert!(matches!(again, Err(TopicError::Unknown)), "{again:?}");

    let namesake = create(&topics, "t", 1).await;
    assert_ne!(namesake.id, topic.id);
    assert_eq!(namesake.partitions[0].log_end_offset(), 0);
    let events: Vec<Event> = bench.journal.recent().into_iter().map(|entry| entry.event.clone()).collect();
    let kinds: Vec<bool> = events.iter().map(|event| matches!(event, Event::TopicCreated { .. })).collect();
    assert_eq!(kinds, [true, false, true], "{events:?}");
}

#[tokio::test]
async fn validating_makes_nothing() {
    let bench = Bench::new();
    let topics = bench.topics();
    let before = bench.script.changes().len();
    let wish = NewTopic { configs: vec![("retention.ms".into(), Some("5".into()))], ..wanted("t", 7) };
    let valid = topics.create(&Principal::anonymous(), wish, true).await.expect("valid");
    assert_eq!((valid.partition_count, valid.partitions.len(), valid.config.retention_ms), (7, 0, 5));
    assert!(topics.get("t").is_none());
    assert_eq!(bench.script.changes().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_creations_at_once_one_wins() {
    let bench = Bench::new();
    let topics = bench.topics();
    let attempts = (0..8).map(|_| {
        let topics = topics.clone();
        tokio::spawn(async move { topics.create(&Principal::anonymous(), wanted("t", 1), false).await })
    });
    let mut winners = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.expect("no panic") {
            Ok(_) => winners += 1,
            Err(error) => assert!(matches!(error, TopicError::Exists(_)), "{error}"),
        }
    }
    assert_eq!(winners, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_automatic_creations_at_once_all_get_the_same_topic() {
    let bench = Bench::new().with("num.partitions", "3");
    let topics = bench.topics();
    let name = TopicName::parse("t").expect("a good name");
    let attempts = (0..8).map(|_| {
        let (topics, name) = (topics.clone(), name.clone());
        tokio::spawn(async move { topics.auto_create(&Principal::anonymous(), &[name]).await })
    });
    let mut ids = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        let outcomes = attempt.await.expect("no panic");
        ids.extend(outcomes.into_iter().map(|created| created.expect("created").id));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(topics.get("t").expect("there").partitions.len(), 3);
}

#[tokio::test]
async fn a_waiting_fetch_is_woken_by_records_and_by_deletion() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    let partition = &topic.partitions[0];
    let record = batch("x");
    let waiter = FetchWaiter::new(record.bytes().len() as i64);
    assert!(partition.watch(&waiter, Isolation::ReadUncommitted, 0));
    partition.append(&record).await.expect("appended");
    waiter.woken().await;
    assert!(!partition.watch(&FetchWaiter::new(1), Isolation::ReadUncommitted, 0), "the end has moved");

    let waiter = FetchWaiter::new(i64::MAX);
    assert!(partition.watch(&waiter, Isolation::ReadCommitted, 1));
    topics.delete(&Principal::anonymous(), &topic).await.expect("deleted");
    waiter.woken().await;
    assert!(!partition.watch(&waiter, Isolation::ReadCommitted, 1), "there is nothing to wait for");
}

#[tokio::test]
async fn deletion_can_be_disabled() {
    let bench = Bench::new().with("delete.topic.enable", "false");
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    let outcome = topics.delete(&Principal::anonymous(), &topic).await;
    assert!(matches!(outcome, Err(TopicError::DeletionDisabled)));
    assert!(topics.get("t").is_some());
}

#[tokio::test]
async fn a_creation_that_fails_leaves_nothing_and_can_be_tried_again() {
    let no_folder = |change: &Change| matches!(change, Change::CreateDir(path) if path.ends_with("t-1"));
    // Without this file nothing in the folder says whose it is.
    let no_owner =
        |change: &Change| matches!(change, Change::Write(path, ..) if path.ends_with("t-1/partition.metadata"));
    // redb does nothing any more after an error of the disk, until it is opened again.
    let no_metadata = |change: &Change| matches!(change, Change::Write(path, ..) if path.ends_with("cutaway.redb"));
    let bench = Bench::new();
    let topics = bench.topics();
    for fails in [no_folder, no_owner, no_metadata] as [fn(&Change) -> bool; 3] {
        bench.script.fail_when(move |change| fails(change).then(|| io::ErrorKind::StorageFull.into()));
        let outcome = topics.create(&Principal::anonymous(), wanted("t", 3), false).await;
        assert!(matches!(outcome, Err(TopicError::Storage(_))), "{outcome:?}");
        assert!(topics.get("t").is_none());
        bench.script.heal();
        assert!(!bench.names_in_folder().iter().any(|name| name.starts_with("t-")));
    }
    create(&topics, "t", 3).await;
}

#[tokio::test]
async fn a_deletion_that_fails_is_finished_before_its_name_is_used_again() {
    let no_rename = |change: &Change| matches!(change, Change::Rename(path, _) if path.ends_with("t-1"));
    let no_checkpoint = |change: &Change| matches!(change, Change::Rename(_, path) if path.ends_with("recovery-point-offset-checkpoint"));
    for fails in [no_rename, no_checkpoint] as [fn(&Change) -> bool; 2] {
        let bench = Bench::new();
        let topics = bench.topics();
        let first = create(&topics, "t", 2).await;
        first.partitions[1].append(&batch("gone")).await.expect("appended");
        bench.script.fail_when(move |change| fails(change).then(|| io::ErrorKind::Other.into()));
        topics.delete(&Principal::anonymous(), &first).await.expect_err("the disk refused");
        bench.script.heal();

        let second = create(&topics, "t", 2).await;
        second.partitions[0].append(&batch("kept")).await.expect("appended");
        assert!(bench.file("recovery-point-offset-checkpoint").starts_with("0\n0\n"), "and so are its offsets");
        let id = second.id;
        drop((topics, first, second));
        let metadata = Metadata::open(&Disk::default(), &bench.data().join(METADATA_FILE), None).expect("opened");
        assert_eq!(metadata.topics().expect("readable").len(), 1, "the first topic is forgotten");
        drop(metadata);
        let topics = bench.topics();
        let there = topics.get("t").expect("the second topic is there");
        assert_eq!((there.id, there.partitions.len(), there.partitions[0].high_watermark()), (id, 2, 1));
        assert_eq!(there.partitions[1].high_watermark(), 0);
    }
}

#[tokio::test]
async fn reading_outside_the_log_is_refused() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    for offset in [-1, 1] {
        let read = topic.partitions[0].read(offset, Isolation::ReadUncommitted, 1, true);
        assert!(matches!(read, Err(Error::OffsetOutOfRange { .. })), "{read:?}");
    }
    let read = topic.partitions[0].read(0, Isolation::ReadCommitted, 1, true).expect("at the end");
    assert!(read.range.is_none() && read.aborted == Some(Vec::new()));
}
