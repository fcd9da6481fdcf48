//! Settings that are altered while the broker runs: in force at once, there after a restart, whole after a power cut.

use super::*;
use crate::config::{Alteration, Alterations, Operation, Scope};

fn set(key: &str, value: &str) -> Alterations {
    Alterations::Of(vec![Alteration { key: key.into(), operation: Operation::Set, value: Some(value.into()) }])
}

pub(super) async fn alter(topics: &Topics, name: &str, key: &str, value: &str) {
    topics.alter(&Principal::anonymous(), name, set(key, value), false).await.expect("altered");
}

async fn alter_broker(topics: &Topics, scope: Scope, key: &str, value: &str) {
    topics.alter_broker(&Principal::anonymous(), scope, set(key, value), false).await.expect("altered");
}

fn retention_ms(topics: &Topics, name: &str) -> i64 {
    topics.get(name).expect("there").config.retention_ms
}

#[tokio::test]
async fn a_log_obeys_at_once_and_after_a_restart() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    topic.partitions[0].append(&batch("x")).await.expect("appended");
    alter(&topics, "t", "flush.messages", "1").await;
    let synced = bench.sync_count("t-0/00000000000000000000.log");
    topic.partitions[0].append(&batch("x")).await.expect("appended");
    assert!(bench.sync_count("t-0/00000000000000000000.log") > synced, "each record is flushed before its answer");
    alter(&topics, "t", "internal.segment.bytes", "100").await;
    let segments = || {
        let names = Disk::default().list(&bench.data().join("t-0")).expect("a folder");
        names.iter().filter(|name| name.ends_with(".log")).count()
    };
    assert_eq!(segments(), 1);
    topic.partitions[0].append(&batch("x")).await.expect("appended");
    assert_eq!(segments(), 2, "a full segment is rolled");
    let altered = topics.get("t").expect("there");
    assert_eq!((altered.id, altered.config.flush_messages, altered.config.segment_bytes), (topic.id, 1, 100));
    drop((topics, topic, altered));

    let topics = bench.topics();
    let found = topics.get("t").expect("there");
    assert_eq!((found.config.flush_messages, found.config.segment_bytes), (1, 100));
    assert_eq!(found.overrides.len(), 2);
}

#[tokio::test]
async fn settings_wait_for_a_batch_that_was_judged_by_the_former_ones() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    let former = topic.in_force().await;
    let altering = {
        let topics = Arc::clone(&topics);
        tokio::spawn(async move { alter(&topics, "t", "cleanup.policy", "compact").await })
    };
    Clock::system().sleep(Duration::from_millis(100)).await;
    assert!(!altering.is_finished() && !former.cleanup_policy_compact, "the batch is not appended yet");
    topic.partitions[0].append(&batch("x")).await.expect("appended");
    drop(former);
    altering.await.expect("altered");
    assert!(topic.in_force().await.cleanup_policy_compact, "also for who looked the topic up before");
}

#[tokio::test]
async fn a_shorter_timer_takes_the_place_of_a_longer_one() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    alter(&topics, "t", "flush.ms", "3600000").await;
    topic.partitions[0].append(&batch("x")).await.expect("appended");
    alter(&topics, "t", "flush.ms", "1").await;
    while topic.partitions[0].recovery_point() != Some(1) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_topic_sets_counts_also_where_a_default_contradicts_it_later() {
    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "t", 1).await;
    for (key, value) in [("max.compaction.lag.ms", "50"), ("flush.messages", "1"), ("max.message.bytes", "777")] {
        alter(&topics, "t", key, value).await;
    }
    alter_broker(&topics, Scope::Cluster, "log.cleaner.min.compaction.lag.ms", "100").await;
    let own = |topics: &Topics| {
        let config = Arc::clone(&topics.get("t").expect("there").config);
        (config.max_compaction_lag_ms, config.flush_messages, config.max_message_bytes, config.min_compaction_lag_ms)
    };
    assert_eq!(own(&topics), (50, 1, 777, 100));
    drop(topics);
    assert_eq!(own(&bench.topics()), (50, 1, 777, 100));
    assert_eq!(bench.findings(), "");
}

#[tokio::test]
async fn what_only_logs_know_reaches_them() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    alter_broker(&topics, Scope::Broker, "producer.id.expiration.ms", "5").await;
    let options = topic.partitions[0].writer().expect("usable").log.options().clone();
    assert_eq!(options.producer_id_expiration_ms, 5);
}

#[tokio::test]
async fn a_deletion_in_doubt_takes_no_records_that_it_could_take_away() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    let syncs = std::sync::atomic::AtomicUsize::new(0);
    bench.script.fail_when(move |change| match change {
        Change::Sync(path) if path.ends_with(METADATA_FILE) => {
            let is_second = syncs.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
            is_second.then(|| std::io::Error::other("the disk is gone"))
        }
        _ => None,
    });
    let deleted = topics.delete(&Principal::anonymous(), &topic).await;
    assert!(matches!(deleted, Err(TopicError::Storage(_))), "{deleted:?}");
    let appended = topic.partitions[0].append(&batch("x")).await;
    assert!(matches!(appended, Err(Error::Poisoned { .. })), "{appended:?}");
}

#[tokio::test]
async fn nothing_is_altered_in_a_folder_that_is_gone() {
    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "t", 1).await;
    std::fs::remove_dir_all(bench.data()).expect("removed");
    let anonymous = Principal::anonymous();
    assert!(topics.alter(&anonymous, "t", set("flush.ms", "5"), false).await.is_err());
    assert!(topics.alter_broker(&anonymous, Scope::Broker, set("log.retention.ms", "5"), false).await.is_err());
    assert!(topics.new_producer_id().await.is_err());
}

#[tokio::test]
async fn what_is_set_for_brokers_counts_for_topics_that_set_nothing() {
    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "plain", 1).await;
    create(&topics, "own", 1).await;
    alter(&topics, "own", "retention.ms", "7").await;
    alter_broker(&topics, Scope::Cluster, "log.retention.ms", "5").await;
    alter_broker(&topics, Scope::Broker, "log.retention.ms", "6").await;
    create(&topics, "later", 1).await;
    let all = |topics: &Topics| ["plain", "own", "later"].map(|name| retention_ms(topics, name));
    assert_eq!(all(&topics), [6, 7, 6]);
    topics.close().await.expect("closed");
    drop(topics);

    let topics = bench.topics();
    assert_eq!(all(&topics), [6, 7, 6]);
    let delete = Alterations::Replace(BTreeMap::new());
    topics.alter_broker(&Principal::anonymous(), Scope::Broker, delete, false).await.expect("altered");
    assert_eq!(all(&topics), [5, 7, 5]);
}

#[tokio::test]
async fn validating_changes_nothing_and_neither_does_a_refusal() {
    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "t", 1).await;
    let before = bench.script.changes().len();
    let anonymous = Principal::anonymous();
    topics.alter(&anonymous, "t", set("retention.ms", "5"), true).await.expect("valid");
    topics.alter_broker(&anonymous, Scope::Cluster, set("log.retention.ms", "5"), true).await.expect("valid");
    let refused = topics.alter(&anonymous, "t", set("retention.ms", "-2"), false).await;
    assert!(matches!(refused, Err(TopicError::InvalidConfig(_))), "{refused:?}");
    let refused = topics.alter(&anonymous, "none", set("retention.ms", "5"), false).await;
    assert!(matches!(refused, Err(TopicError::NoSuchTopic(_))), "{refused:?}");
    let refused = topics.alter_broker(&anonymous, Scope::Cluster, set("log.dirs", "/x"), false).await;
    assert!(matches!(refused, Err(TopicError::InvalidRequest(_))), "{refused:?}");
    assert_eq!(retention_ms(&topics, "t"), 604_800_000);
    assert_eq!(bench.script.changes().len(), before);
}

#[tokio::test]
async fn what_changes_nothing_is_neither_written_nor_told() {
    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "t", 1).await;
    alter(&topics, "t", "retention.ms", "5").await;
    alter_broker(&topics, Scope::Cluster, "log.retention.ms", "6").await;
    let told = || -> Vec<Event> {
        let events = bench.journal.recent().into_iter().map(|entry| entry.event.clone());
        events.filter(|event| matches!(event, Event::SettingsAltered { .. })).collect()
    };
    let before = (bench.script.changes().len(), told().len());
    alter(&topics, "t", "retention.ms", "5").await;
    alter_broker(&topics, Scope::Cluster, "log.retention.ms", "6").await;
    assert_eq!((bench.script.changes().len(), told().len()), before);
    let [Event::SettingsAltered { keys: first, .. }, Event::SettingsAltered { keys: second, .. }] = &told()[..] else {
        panic!("{:?}", told())
    };
    assert_eq!((first[0].as_str(), second[0].as_str()), ("retention.ms", "log.retention.ms"));
}

#[tokio::test]
async fn alterations_that_no_longer_fit_the_file_are_passed_over() {
    let bench = Bench::new();
    let topics = bench.topics();
    alter_broker(&topics, Scope::Cluster, "log.cleaner.max.compaction.lag.ms", "5").await;
    drop(topics);
    let bench = bench.with("log.cleaner.min.compaction.lag.ms", "9");
    let topics = bench.topics();
    assert_eq!(topics.config().topic_defaults.max_compaction_lag_ms, i64::MAX);
    assert!(bench.findings().contains("the settings that clients altered are not in force"), "{}", bench.findings());
    drop(topics);
    let bench = bench.with("log.cleaner.min.compaction.lag.ms", "0");
    assert_eq!(
        bench.topics().config().topic_defaults.max_compaction_lag_ms,
        5,
        "they are kept until the file is mended"
    );
}

#[tokio::test]
async fn a_power_cut_leaves_the_old_settings_or_the_new_ones() {
    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "t", 1).await;
    let created = bench.script.changes().len();
    alter(&topics, "t", "retention.ms", "5").await;
    let altered = bench.script.changes().len();
    alter_broker(&topics, Scope::Broker, "log.segment.bytes", "2097152").await;
    drop(topics);
    let changes = bench.script.changes();
    for kept in created..=changes.len() {
        let image = bench.folder.path().join(format!("image-{kept}"));
        Script::crash_image(&changes, kept, kept % 2 == 0, &bench.data(), &image).expect("an image");
        let topics = bench.open_at(&image).unwrap_or_else(|error| panic!("after {kept} changes: {error}"));
        let config = Arc::clone(&topics.get("t").expect("a created topic").config);
        let is_altered = config.retention_ms == 5;
        assert!(is_altered || (config.retention_ms == 604_800_000 && kept < altered), "after {kept}: {config:?}");
        let is_smaller = config.segment_bytes == 2_097_152;
        assert!(is_smaller || (config.segment_bytes == 1_073_741_824 && kept < changes.len()), "after {kept}");
    }
}
