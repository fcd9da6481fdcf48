//! Cuts the power after every change to the disk while a topic is created, extended, written and deleted, and opens what
//! is left with the real thing.

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
        // What was not synced is there, or lost.
        for unsynced in [true, false] {
            let image = bench.folder.path().join(format!("image-{kept}"));
            Script::crash_image(&changes, kept, unsynced, &bench.data(), &image).expect("an image");
            let topics = bench.open_at(&image).unwrap_or_else(|error| panic!("after {kept} changes: {error}"));
            check(&topics, kept, &at);
            drop(topics);
            std::fs::remove_dir_all(&image).expect("removed");
        }
    }
}

/// The same while three topics are made together and each gets a record.
#[tokio::test]
async fn a_power_cut_at_any_change_leaves_each_of_many_topics_whole_or_gone() {
    let bench = Bench::new().with("log.flush.interval.messages", "1");
    let topics = bench.topics();
    let opened = bench.script.changes().len();
    let names = ["a", "b", "c"];
    let wishes = names.iter().map(|name| wanted(name, 2)).collect();
    let created: Vec<_> = topics.create_all(&Principal::anonymous(), wishes, false).await;
    let made = bench.script.changes().len();
    let mut appended = Vec::new();
    for topic in &created {
        let partition = &topic.as_ref().expect("created").partitions[1];
        partition.append(&batch("x")).await.expect("appended");
        appended.push(bench.script.changes().len());
    }
    drop((topics, created));
    let changes = bench.script.changes();
    for kept in opened..=changes.len() {
        for unsynced in [true, false] {
            let image = bench.folder.path().join(format!("image-{kept}-{unsynced}"));
            Script::crash_image(&changes, kept, unsynced, &bench.data(), &image).expect("an image");
            let topics = bench.open_at(&image).unwrap_or_else(|error| panic!("after {kept} changes: {error}"));
            for (name, appended) in names.iter().zip(&appended) {
                let topic = topics.get(name);
                assert!(topic.is_some() || kept < made, "{name} is gone after {kept}");
                let Some(topic) = topic else { continue };
                assert_eq!(topic.partitions.len(), 2, "half of {name} after {kept}");
                let is_there = topic.partitions[1].high_watermark() == 1;
                assert!(is_there || kept < *appended, "the record of {name} is gone after {kept}");
            }
            let told = std::fs::read_to_string(image.join("recovery-findings.txt")).unwrap_or_default();
            assert_eq!(told, "", "after {kept}, unsynced kept: {unsynced}");
            drop(topics);
            std::fs::remove_dir_all(&image).expect("removed");
        }
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

#[tokio::test]
async fn a_power_cut_at_any_change_leaves_all_new_partitions_or_none() {
    let bench = Bench::new().with("log.flush.interval.messages", "1").with("log.index.size.max.bytes", "4096");
    let topics = bench.topics();
    let topic = create(&topics, "t", 2).await;
    topic.partitions[1].append(&batch("x")).await.expect("appended");
    let begun = bench.script.changes().len();
    let wanted = MorePartitions { topic: "t".into(), count: 5, assignments: None };
    let topic = topics.extend(&Principal::anonymous(), wanted, false).await.expect("extended");
    let extended = bench.script.changes().len();
    topic.partitions[4].append(&batch("y")).await.expect("appended");
    let appended = bench.script.changes().len();
    drop((topics, topic));
    let changes = bench.script.changes();
    let mut counts = std::collections::BTreeSet::new();
    for kept in begun..=appended {
        for is_lossy in [true, false] {
            let image = bench.folder.path().join(format!("image-{kept}-{is_lossy}"));
            Script::crash_image(&changes, kept, is_lossy, &bench.data(), &image).expect("an image");
            // The second start finds what the first one made of it.
            for start in ["first", "second"] {
                let topics = bench.open_at(&image).unwrap_or_else(|error| panic!("after {kept} changes: {error}"));
                let topic = topics.get("t").expect("the topic is there whatever happens");
                let ends: Vec<i64> = topic.partitions.iter().map(|partition| partition.high_watermark()).collect();
                let is_extended = ends.starts_with(&[0, 1, 0, 0]) && ends.len() == 5;
                assert!(ends == [0, 1] || is_extended, "{start} start after {kept}: {ends:?}");
                assert!(is_extended || kept < extended, "{start} start after {kept}: an extension is undone");
                assert!(ends.last() == Some(&1) || kept < appended, "{start} start after {kept}: {ends:?}");
                counts.insert((kept, ends.len()));
            }
            let metadata = Metadata::open(&Disk::default(), &image.join(METADATA_FILE), None).expect("opened");
            let states: Vec<_> = metadata.topics().expect("readable").iter().map(|topic| topic.state).collect();
            assert_eq!(states, [TopicState::Live], "after {kept}");
            let findings = std::fs::read_to_string(image.join("recovery-findings.txt")).unwrap_or_default();
            assert!(!findings.contains("the folder was missing"), "after {kept}: {findings}");
            std::fs::remove_dir_all(&image).expect("removed");
        }
    }
    assert!(counts.iter().any(|(kept, count)| *kept < extended && *count == 2), "the commit was never missing");
    assert!(counts.iter().any(|(kept, count)| *kept < extended && *count == 5), "nothing was ever finished at a start");
}
