//! Cuts the power after every change to the disk while a topic is created, written and deleted, and opens what is
//! left with the real thing.

use super::*;

/// How many changes had happened when each step was acknowledged.
struct Acknowledged {
    opened: usize,
    created: usize,
    appended: usize,
    deleted: usize,
}

#[tokio::test]
async fn a_power_cut_at_any_change_leaves_a_topic_whole_or_gone() {
    let bench = Bench::new().with("log.flush.interval.messages", "1").with("log.index.size.max.bytes", "4096");
    let topics = bench.topics();
    let opened = bench.script.changes().len();
    let topic = create(&topics, "t", 2).await;
    let created = bench.script.changes().len();
    topic.partitions[1].append(&batch("x")).await.expect("appended");
    let appended = bench.script.changes().len();
    topics.delete(&Principal::anonymous(), &topic).await.expect("deleted");
    let deleted = bench.script.changes().len();
    drop(topics);
    let (changes, at) = (bench.script.changes(), Acknowledged { opened, created, appended, deleted });
    for kept in 0..=at.deleted {
        // In turn what was not synced is there or lost; both are checked at every second change.
        let image = bench.folder.path().join(format!("image-{kept}"));
        Script::crash_image(&changes, kept, kept % 2 == 0, &bench.data(), &image).expect("an image");
        let topics = bench.open_at(&image).unwrap_or_else(|error| panic!("after {kept} changes: {error}"));
        check(&topics, kept, &at);
        drop(topics);
        std::fs::remove_dir_all(&image).expect("removed");
    }
}

fn check(topics: &Topics, kept: usize, at: &Acknowledged) {
    let topic = topics.get("t");
    assert!(topic.is_none() || kept > at.opened, "a topic from nowhere after {kept}");
    assert!(topic.is_none() || kept < at.deleted, "a deleted topic is back after {kept}");
    // Between the append and the answer to the deletion it may be either.
    assert!(topic.is_some() || !(at.created..=at.appended).contains(&kept), "a created topic is gone after {kept}");
    let Some(topic) = topic else { return };
    assert_eq!(topic.partitions.len(), 2, "half a topic after {kept}");
    let is_there = topic.partitions[1].high_watermark() == 1;
    assert!(is_there || kept < at.appended, "an acknowledged record is gone after {kept}");
}
