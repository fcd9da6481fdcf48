//! Tests of producer ids: none is given twice, whatever the logs say, and taking a block of them keeps nobody waiting.

use super::*;
use crate::storage::metadata::Founding;

/// A batch as a producer of this id sends it.
fn batch_of(producer_id: i64) -> RecordBatch {
    let mut builder = BatchBuilder::new(Compression::None).from_producer(producer_id, 0, 0);
    builder.push(1_000, None, Some(b"x"), &[]);
    builder.build()
}

#[tokio::test]
async fn producer_ids_never_repeat() {
    let bench = Bench::new();
    let mut last = -1;
    for is_clean in [true, false, false, true] {
        let topics = bench.topics();
        for _ in 0..1_500 {
            let id = topics.new_producer_id().await.expect("an id");
            assert!(id > last, "{id} after {last}");
            last = id;
        }
        if is_clean {
            topics.close().await.expect("closed");
        }
    }
}

/// A client may send any id, and what it sent is found in the log at the next start.
#[tokio::test]
async fn ids_that_a_client_made_up_do_not_use_up_the_real_ones() {
    for made_up in [i64::MAX, 1 << 60, 1 << 40] {
        let bench = Bench::new();
        let topics = bench.topics();
        let topic = create(&topics, "t", 1).await;
        topic.partitions[0].append(&batch_of(made_up)).await.expect("appended");
        assert_eq!(topics.new_producer_id().await.expect("an id"), 0);
        let cluster_id = topics.cluster_id().to_owned();
        drop((topics, topic));
        let id = bench.topics().new_producer_id().await.expect("an id");
        assert_eq!(id, 1_000, "after {made_up} with the metadata at hand");

        std::fs::remove_file(bench.data().join(METADATA_FILE)).expect("removed");
        // A kill right after the new file was made must not lose what the logs tell.
        let founding = Founding { cluster_id, next_producer_id: 0, altered: BTreeMap::new() };
        Metadata::create(&Disk::default(), &bench.data().join(METADATA_FILE), &founding).expect("made");
        let id = bench.topics().new_producer_id().await.expect("an id");
        assert_eq!(id > made_up, made_up == 1 << 40, "{id} after {made_up} without the metadata");
    }
}

#[tokio::test]
async fn when_all_ids_are_used_up_that_is_an_error() {
    let bench = Bench::new();
    drop(bench.topics());
    let metadata = Metadata::open(&Disk::default(), &bench.data().join(METADATA_FILE), None).expect("opened");
    metadata.raise_next_producer_id(i64::MAX - 10).expect("raised");
    drop(metadata);
    let topics = bench.topics();
    for _ in 0..2 {
        let refusal = topics.new_producer_id().await.expect_err("there are none").to_string();
        assert!(refusal.contains("used up"), "{refusal}");
    }
    create(&topics, "t", 1).await;
}

#[tokio::test]
async fn the_thread_that_serves_does_not_wait_for_the_disk() {
    let bench = Bench::new();
    let topics = bench.topics();
    let serving = std::thread::current().id();
    bench.script.fail_when(move |_| {
        (std::thread::current().id() == serving).then(|| io::Error::other("this thread serves others"))
    });
    for _ in 0..1_500 {
        topics.new_producer_id().await.expect("an id");
    }
}
