//! Tests of flushes: who waits for which, what a reader may see meanwhile, and what a failure means.

use std::sync::mpsc;

use super::*;
use crate::topics::flush::is_flush_due;
use std::sync::atomic::AtomicUsize;

/// A topic whose every record must reach the disk.
async fn durable(topics: &Topics) -> Arc<Topic> {
    let configs = vec![("flush.messages".into(), Some("1".into()))];
    let wish = NewTopic { configs, ..wanted("t", 1) };
    topics.create(&Principal::anonymous(), wish, false).await.expect("created")
}

#[tokio::test]
async fn one_flush_answers_all_who_came_before_it_and_nothing_is_readable_sooner() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = durable(&topics).await;
    let partition = &topic.partitions[0];
    // As if a thread were flushing already: the appends can only queue.
    partition.writer().expect("usable").is_flushing = true;
    let waiter = FetchWaiter::new(1);
    assert!(partition.watch(&waiter, Isolation::ReadUncommitted, 0));
    let mut appends: Vec<_> = (0..100)
        .map(|_| {
            let partition = partition.clone();
            tokio::spawn(async move { partition.append(&batch("x")).await })
        })
        .collect();
    while partition.log_end_offset() < 100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(partition.high_watermark(), 0);
    assert_eq!(readable_bytes(partition), 0);
    assert!(appends.iter().all(|append| !append.is_finished()));
    let before = bench.sync_count(".log");

    let flushing = partition.clone();
    tokio::task::spawn_blocking(move || flushing.flush()).await.expect("flushed");
    for append in &mut appends {
        append.await.expect("no panic").expect("appended");
    }
    waiter.woken().await;
    assert_eq!(bench.sync_count(".log"), before + 1);
    assert_eq!(partition.high_watermark(), 100);
}

#[tokio::test]
async fn every_answer_is_durable_when_every_record_must_be() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = durable(&topics).await;
    for offset in 0..5 {
        let appended = topic.partitions[0].append(&batch("x")).await.expect("appended");
        assert_eq!(appended.base_offset, offset);
        assert!(topic.partitions[0].recovery_point() > Some(offset));
        assert_eq!(topic.partitions[0].high_watermark(), offset + 1);
    }
}

#[tokio::test]
async fn a_failed_flush_acknowledges_nothing_and_closes_the_log_to_writes() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = durable(&topics).await;
    let partition = &topic.partitions[0];
    partition.append(&batch("good")).await.expect("appended");
    let readable = readable_bytes(partition);
    bench.script.fail_when(|change| {
        matches!(change, Change::Sync(path) if path.to_string_lossy().ends_with(".log"))
            .then(|| io::Error::other("the disk is gone"))
    });
    for _ in 0..2 {
        let failed = partition.append(&batch("bad")).await.expect_err("not durable");
        assert!(matches!(&failed, Error::Poisoned { why, .. } if why.contains("the disk is gone")), "{failed}");
    }
    bench.script.heal();
    partition.append(&batch("late")).await.expect_err("until a restart");
    assert_eq!((partition.high_watermark(), readable_bytes(partition)), (1, readable));
    topics.close().await.expect_err("this was no clean stop");
    assert!(!bench.data().join(".kafka_cleanshutdown").exists());
}

/// The disk tells of a failure once, and of what it lost then it says afterwards that all is well. A record that came while the
/// flush was failing had set the timer anew, and that flush moved the recovery point over what was lost.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_flush_no_other_one_is_believed() {
    let bench = Bench::new().with("log.flush.interval.ms", "3600000");
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    let partition = topic.partitions[0].clone();
    partition.append(&batch("lost")).await.expect("appended");
    let (meanwhile, runtime) = (partition.clone(), tokio::runtime::Handle::current());
    bench.script.fail_when(move |change| {
        let is_flush = matches!(change, Change::Sync(path) if path.to_string_lossy().ends_with(".log"));
        is_flush.then(|| {
            runtime.block_on(meanwhile.append(&batch("later"))).expect("appended");
            io::Error::other("the disk is gone")
        })
    });
    partition.make_durable().await.expect_err("not durable");
    bench.script.heal();
    assert!(partition.writer().expect("usable").log.unflushed_count() > 0);
    assert!(!is_flush_due(&mut partition.writer().expect("usable")), "a flush would succeed, and prove nothing");
    partition.make_durable().await.expect_err("not until a restart");
    assert_eq!(partition.recovery_point(), Some(0));
}

#[tokio::test]
async fn what_waits_for_a_flush_hears_of_the_end() {
    let bench = Bench::new().with("log.flush.interval.ms", "3600000");
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    let partition = topic.partitions[0].clone();
    partition.append(&batch("x")).await.expect("appended");
    topics.close().await.expect("closed");
    partition.flushes().expect("usable").reached(1).await.expect("closing has flushed");
    partition.flushes().expect("usable").reached(2).await.expect_err("nothing comes any more");
    partition.make_durable().await.expect_err("nobody flushes");
    partition.begin_at(1).await.expect_err("the folder may be somebody else's");
}

#[tokio::test]
async fn the_timer_flushes_what_nobody_waits_for() {
    let bench = Bench::new().with("log.flush.interval.ms", "1");
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    for offset in 1..=3 {
        topic.partitions[0].append(&batch("x")).await.expect("appended");
        topic.partitions[0].flushes().expect("usable").reached(offset).await.expect("flushed");
    }
    assert_eq!(topic.partitions[0].recovery_point(), Some(3));
}

#[tokio::test]
async fn the_timer_runs_for_what_a_kill_left_unflushed() {
    let mut bench = Bench::new().with("log.flush.interval.ms", "3600000");
    let topics = bench.topics();
    let topic = create(&topics, "t", 2).await;
    topic.partitions[0].append(&batch("x")).await.expect("appended");
    drop((topics, topic));
    let topic = bench.topics().get("t").expect("there");
    let is_timer_set = |partition: usize| topic.partitions[partition].writer().expect("usable").is_timer_set;
    assert!(is_timer_set(0));
    assert!(!is_timer_set(1), "there is nothing to flush");

    drop(topic);
    bench = bench.with("log.flush.interval.ms", "1");
    let topic = bench.topics().get("t").expect("there");
    topic.partitions[0].flushes().expect("usable").reached(1).await.expect("flushed");
}

#[tokio::test]
async fn without_a_timer_nothing_is_flushed() {
    let bench = Bench::new().with("log.flush.interval.ms", &i64::MAX.to_string());
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    topic.partitions[0].append(&batch("x")).await.expect("appended");
    assert_eq!(topic.partitions[0].high_watermark(), 1);
    assert!(!topic.partitions[0].writer().expect("usable").is_timer_set);
}

#[tokio::test]
async fn a_panic_under_the_lock_closes_the_log_to_writes_but_not_to_readers() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    let partition = topic.partitions[0].clone();
    partition.append(&batch("x")).await.expect("appended");
    let panicking = partition.clone();
    let thread = std::thread::spawn(move || {
        let _writer = panicking.writer().expect("usable");
        panic!("on purpose");
    });
    assert!(thread.join().is_err());
    assert!(matches!(partition.append(&batch("y")).await, Err(Error::Poisoned { .. })));
    assert!(readable_bytes(&partition) > 0);
}

#[tokio::test]
async fn checkpoints_are_written_only_when_they_tell_something_new() {
    let bench = Bench::new();
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    topic.partitions[0].append(&batch("x")).await.expect("appended");
    topics.folder.write_checkpoints().expect("written");
    assert_eq!(bench.file("replication-offset-checkpoint"), "0\n1\nt 0 1\n");
    assert_eq!(bench.file("recovery-point-offset-checkpoint"), "0\n1\nt 0 0\n");
    assert_eq!(bench.file("log-start-offset-checkpoint"), "0\n0\n");
    let before = bench.script.changes().len();
    topics.folder.write_checkpoints().expect("nothing to do");
    assert_eq!(bench.script.changes().len(), before);
}

#[tokio::test]
async fn checkpoints_follow_by_themselves() {
    let bench = Bench::new().with("log.flush.offset.checkpoint.interval.ms", "0");
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    topic.partitions[0].append(&batch("x")).await.expect("appended");
    while bench.file("replication-offset-checkpoint") != "0\n1\nt 0 1\n" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn checkpoints_follow_again_and_after_a_failure() {
    let bench = Bench::new().with("log.flush.offset.checkpoint.interval.ms", "0");
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    let is_checkpoint =
        |change: &Change| matches!(change, Change::Rename(_, to) if to.ends_with("replication-offset-checkpoint"));
    for end in 1..=3 {
        let failures = Arc::new(AtomicUsize::new(0));
        if end == 3 {
            let failures = Arc::clone(&failures);
            bench.script.fail_when(move |change| {
                is_checkpoint(change).then(|| {
                    failures.fetch_add(1, Ordering::SeqCst);
                    io::Error::from_raw_os_error(28)
                })
            });
        }
        topic.partitions[0].append(&batch("x")).await.expect("appended");
        if end == 3 {
            until(|| failures.load(Ordering::SeqCst) > 1).await;
            bench.script.heal();
        }
        let told = format!("0\n1\nt 0 {end}\n");
        until(|| bench.file("replication-offset-checkpoint") == told).await;
    }
}

/// The timer goes off for a record that came while an earlier one is being flushed.
#[tokio::test(flavor = "multi_thread")]
async fn a_timer_that_meets_a_running_flush_has_it_go_once_more() {
    let bench = Bench::new().with("log.flush.interval.ms", "1");
    let topics = bench.topics();
    let topic = create(&topics, "t", 1).await;
    let partition = Arc::clone(&topic.partitions[0]);
    let ((is_held, held), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
    let (is_held, released) = (std::sync::Mutex::new(is_held), std::sync::Mutex::new(released));
    bench.script.fail_when(move |change| {
        if matches!(change, Change::Sync(path) if path.extension().is_some_and(|suffix| suffix == "log")) {
            // Only the first flush is held: afterwards the sender is gone, and nobody waits.
            let _ = is_held.lock().expect("nobody panicked").send(());
            let _ = released.lock().expect("nobody panicked").recv();
        }
        None
    });
    partition.append(&batch("x")).await.expect("appended");
    held.recv().expect("a flush has begun");
    partition.append(&batch("y")).await.expect("appended");
    until(|| partition.writer().expect("usable").flush_again).await;
    drop(release);
    until(|| partition.recovery_point() == Some(2)).await;
}

/// Waits for what comes by itself.
async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it never came");
}

/// Two threads for what blocks: if those who wait for a change took them, nothing could be flushed meanwhile.
#[test]
fn changes_that_wait_for_one_another_leave_threads_for_flushes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let bench = Bench::new().with("log.flush.interval.messages", "1");
        let topics = bench.topics();
        let topic = create(&topics, "t", 1).await;
        let ((is_held, held), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
        let folder = Arc::clone(&topics.folder);
        std::thread::spawn(move || {
            let _changes = folder.changes.lock().expect("nobody panicked");
            is_held.send(()).expect("the test listens");
            // It ends with the test.
            let _ = released.recv();
        });
        held.recv().expect("the thread has begun");
        let creations = (0..4).map(|number| {
            let topics = Arc::clone(&topics);
            tokio::spawn(async move { create(&topics, &format!("t{number}"), 1).await })
        });
        let creations: Vec<_> = creations.collect();
        // All of them have asked for their threads before the append asks for one.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let one = batch("x");
        let append = topic.partitions[0].append(&one);
        let appended = tokio::time::timeout(Duration::from_secs(60), append).await;
        drop(release);
        appended.expect("a thread is left for the flush").expect("appended");
        for creation in creations {
            creation.await.expect("created");
        }
    });
}
