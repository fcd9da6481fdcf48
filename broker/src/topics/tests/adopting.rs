//! What another broker wrote is taken over whole or not at all, and what cannot be is refused with a sentence.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;

use super::*;

/// The folder of a broker that wrote two topics and was stopped: `one` with two partitions, `two` with one, in which a
/// transaction was aborted and another is open.
async fn elsewhere() -> (Bench, PathBuf) {
    let bench = Bench::new();
    let topics = bench.topics();
    let one = create(&topics, "one", 2).await;
    for value in ["a", "b", "c"] {
        one.partitions[1].append(&batch(value)).await.expect("appended");
    }
    let two = create(&topics, "two", 1).await;
    for producer in [7, 8] {
        let mut records = BatchBuilder::new(Compression::None).from_producer(producer, 0, 0).transactional();
        records.push(1_000, None, Some(b"x"), &[]);
        two.partitions[0].append(&records.build()).await.expect("appended");
    }
    let mut marker = BatchBuilder::new(Compression::None).from_producer(7, 0, -1).transactional().control();
    marker.push(1_000, Some(&[0, 0, 0, 0]), Some(&[0; 6]), &[]);
    two.partitions[0].append(&marker.build()).await.expect("appended");
    topics.close().await.expect("closed");
    let data = bench.data();
    (bench, data)
}

fn offered(folder: &Path) -> Vec<Adoption> {
    Offer::of(&Disk::default(), &[folder.to_owned()]).expect("an offer").topics
}

fn refusal(folders: &[PathBuf]) -> String {
    Offer::of(&Disk::default(), folders).expect_err("no offer").to_string()
}

/// The ends of all logs by topic.
fn ends(topics: &Topics) -> BTreeMap<String, Vec<i64>> {
    let ends = |topic: Arc<Topic>| topic.partitions.iter().map(|one| one.high_watermark()).collect();
    topics.list().into_iter().map(|topic| (topic.name.to_string(), ends(topic))).collect()
}

fn whole() -> BTreeMap<String, Vec<i64>> {
    BTreeMap::from([("one".into(), vec![0, 3]), ("two".into(), vec![3])])
}

#[tokio::test]
async fn adopted_topics_keep_their_ids_records_and_transactions() {
    let (_theirs, source) = elsewhere().await;
    let bench = Bench::new();
    let topics = bench.topics();
    let adopted = topics.adopt(&Principal::anonymous(), offered(&source)).await.expect("adopted");
    assert_eq!(ends(&topics), whole());
    assert!(adopted.iter().all(|one| one.findings.is_empty()), "{adopted:?}");
    let two = topics.get("two").expect("served");
    let metadata = Metadata::open(&Disk::default(), &source.join(METADATA_FILE), None).expect("opened");
    let ids: BTreeSet<TopicId> = metadata.topics().expect("readable").iter().map(|topic| topic.id).collect();
    assert!(ids.contains(&two.id));
    let partition = &two.partitions[0];
    assert_eq!((partition.last_stable_offset(), partition.aborted_transactions()), (1, 1));
    assert!(partition.leader_epoch() > 0, "above those of its batches");
    partition.append(&batch("after")).await.expect("appended");
    topics.close().await.expect("closed");
    drop(topics);
    let again = bench.topics();
    assert_eq!(ends(&again)["two"], [4]);
    assert_eq!(bench.findings(), "");
}

#[tokio::test]
async fn an_open_transaction_can_be_ended_on_the_way() {
    let (_theirs, source) = elsewhere().await;
    let bench = Bench::new();
    let topics = bench.topics();
    let mut wanted = offered(&source);
    wanted.iter_mut().for_each(|one| one.abort_open = true);
    topics.adopt(&Principal::anonymous(), wanted).await.expect("adopted");
    let partition = Arc::clone(&topics.get("two").expect("served").partitions[0]);
    assert_eq!((partition.last_stable_offset(), partition.high_watermark()), (4, 4));
    assert_eq!(partition.aborted_transactions(), 2);
}

/// Where a log begins stands in no file of its folder, but in a checkpoint beside it.
#[tokio::test]
async fn records_that_were_deleted_elsewhere_stay_deleted_also_after_a_kill() {
    let (_theirs, source) = elsewhere().await;
    std::fs::write(source.join("log-start-offset-checkpoint"), "0\n1\none 1 2\n").expect("written");
    let bench = Bench::new();
    let topics = bench.topics();
    let starts = |topics: &Topics| {
        topics.get("one").expect("served").partitions.iter().map(|one| one.log_start_offset()).collect()
    };
    topics.adopt(&Principal::anonymous(), offered(&source)).await.expect("adopted");
    let before: Vec<i64> = starts(&topics);
    // As by a kill: nothing is closed.
    drop(topics);
    let after: Vec<i64> = starts(&bench.topics());
    assert_eq!((before, after), (vec![0, 2], vec![0, 2]));
}

#[tokio::test]
async fn what_is_damaged_elsewhere_is_told_and_the_rest_is_served() {
    let (_theirs, source) = elsewhere().await;
    let log = source.join("one-1/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).expect("written");
    let bench = Bench::new();
    let topics = bench.topics();
    let adopted = topics.adopt(&Principal::anonymous(), offered(&source)).await.expect("adopted");
    assert_eq!(adopted[0].findings.len(), 1, "{adopted:?}");
    assert_eq!(ends(&topics), whole(), "the offsets stay as they were");
    assert!(bench.findings().contains("one-1") && bench.findings().contains("offsets 1 to 1"), "{}", bench.findings());
    topics.close().await.expect("closed");
    let late = topics.adopt(&Principal::anonymous(), offered(&source.join("two-0"))).await;
    assert!(late.expect_err("closed").to_string().contains("stopping"));
}

#[tokio::test]
async fn a_power_cut_at_any_change_leaves_all_topics_or_none() {
    let (_theirs, source) = elsewhere().await;
    let bench = Bench::new();
    let topics = bench.topics();
    let begun = bench.script.changes().len();
    topics.adopt(&Principal::anonymous(), offered(&source)).await.expect("adopted");
    let adopted = bench.script.changes().len();
    drop(topics);
    let changes = bench.script.changes();
    let mut seen = BTreeSet::new();
    for kept in begun..=adopted {
        for is_lossy in [true, false] {
            let image = bench.folder.path().join(format!("image-{kept}-{is_lossy}"));
            Script::crash_image(&changes, kept, is_lossy, &bench.data(), &image).expect("an image");
            let topics = bench.open_at(&image).unwrap_or_else(|error| panic!("after {kept} changes: {error}"));
            let ends = ends(&topics);
            assert!(ends.is_empty() || ends == whole(), "after {kept}: {ends:?}");
            assert!(!ends.is_empty() || kept < adopted, "an adopted topic is gone after {kept}");
            seen.insert(ends.is_empty());
            topics.close().await.expect("closed");
            drop(topics);
            let told = std::fs::read_to_string(image.join("recovery-findings.txt")).unwrap_or_default();
            assert_eq!(told, "", "after {kept}, lossy: {is_lossy}");
            std::fs::remove_dir_all(&image).expect("removed");
        }
    }
    assert_eq!(seen.len(), 2, "the commit was always or never missing");
}

#[tokio::test]
async fn a_change_that_fails_leaves_nothing_behind() {
    let (_theirs, source) = elsewhere().await;
    let mut failures = 0;
    for fails_at in 0.. {
        let bench = Bench::new();
        let topics = bench.topics();
        let changes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&changes);
        // Only this one: what is to be undone can be undone.
        let is_due = move || counted.fetch_add(1, Ordering::SeqCst) == fails_at;
        bench.script.fail_when(move |_| is_due().then(|| std::io::Error::from_raw_os_error(28)));
        let outcome = topics.adopt(&Principal::anonymous(), offered(&source)).await;
        bench.script.heal();
        let expected = if outcome.is_ok() { whole() } else { BTreeMap::new() };
        assert_eq!(ends(&topics), expected, "change {fails_at} failed");
        // Where the disk closed the metadata file, the next start does what is left to do.
        let _ = topics.close().await;
        drop(topics);
        let topics = bench.topics();
        let found = ends(&topics);
        assert!(found == expected || found == whole(), "change {fails_at} failed: {found:?}");
        failures += usize::from(outcome.is_err());
        if changes.load(Ordering::SeqCst) <= fails_at {
            break;
        }
    }
    assert!(failures > 20, "only {failures} changes could fail");
}

#[tokio::test]
async fn what_cannot_be_adopted_is_refused_with_a_sentence() {
    let (theirs, source) = elsewhere().await;
    let empty = tempfile::tempdir().expect("a folder");
    let inside = |name: &str| empty.path().join(name);
    assert!(refusal(&[inside("missing")]).ends_with("is not a folder"));
    assert!(refusal(&[empty.path().to_owned()]).contains("is neither a partition's folder"));
    std::fs::create_dir(inside("t-0")).expect("made");
    assert!(refusal(&[inside("t-0")]).contains("there is no .log file"));
    let copy = |from: &str, to: &str| {
        std::fs::create_dir_all(inside(to)).expect("made");
        for name in Disk::default().list(&source.join(from)).expect("a folder") {
            std::fs::copy(source.join(from).join(&name), inside(to).join(&name)).expect("copied");
        }
    };
    copy("one-0", "mixed-0");
    copy("two-0", "mixed-1");
    assert!(refusal(&[inside("mixed-0"), inside("mixed-1")]).contains("are of two topics"));
    assert!(refusal(&[source.join("one-1"), source.clone()]).contains("one-1 is there twice"));
    copy("one-0", "__consumer_offsets-0");
    assert!(refusal(&[inside("__consumer_offsets-0")]).contains("but those that a broker keeps for itself"));
    std::fs::write(inside("mixed-0/00000000000000000000.log.swap"), "").expect("written");
    assert!(refusal(&[inside("mixed-0")]).contains("was stopped while it compacted"));
    let twice = Offer::of(&Disk::default(), &[source.join("one-0"), source.join("../data/two-0")]);
    assert_eq!(twice.expect("two spellings of one folder").topics.len(), 2);
    std::os::unix::fs::symlink(source.join("one-0"), inside("linked-0")).expect("linked");
    let running = theirs.topics();
    assert!(refusal(&[inside("linked-0")]).contains("stop it first"), "the lock is where the link leads");
    assert!(refusal(&[source.join("one-0")]).contains("stop it first"));
    running.close().await.expect("closed");
    drop(running);

    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "two", 1).await;
    let taken = topics.adopt(&Principal::anonymous(), offered(&source)).await.expect_err("the name is taken");
    assert_eq!(taken.to_string(), "Topic 'two' already exists.");
    assert!(topics.get("one").is_none(), "all or none");
    let mut wanted = offered(&source.join("one-1"));
    wanted[0].configs = vec![("retention.ms".into(), Some("never".into()))];
    let bad = topics.adopt(&Principal::anonymous(), wanted.clone()).await.expect_err("no number");
    assert!(bad.to_string().contains("retention.ms"), "{bad}");
    wanted[0].configs = vec![("retention.ms".into(), Some("-1".into()))];
    topics.adopt(&Principal::anonymous(), wanted).await.expect("adopted");
    assert_eq!(ends(&topics)["one"], [0, 3], "the partition that is missing is empty");
    copy("two-0", "other-5000");
    let lonely = topics.adopt(&Principal::anonymous(), offered(&inside("other-5000"))).await.expect_err("far above");
    assert!(lonely.to_string().contains("other-5000 is far above"), "{lonely}");
    copy("one-1", "namesake-0");
    let taken =
        topics.adopt(&Principal::anonymous(), offered(&inside("namesake-0"))).await.expect_err("its id is taken");
    assert!(taken.to_string().contains("namesake has the id of topic one"), "{taken}");
    assert_eq!(topics.get("one").expect("served").overrides["retention.ms"], "-1");
}
