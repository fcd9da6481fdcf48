//! What Apache Kafka 4.3.1 answered to good and bad batches, asked of the real handler.

use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;

use super::*;
use crate::handlers::tests::{ask, core_in_folder, create, produce, records};
use crate::names::Principal;
use crate::storage::batch::{BatchBuilder, BatchHeader, crc_of};
use crate::topics::NewTopic;

const NOW: i64 = 1_795_443_260_703;

/// One record with key `k` and value `v`, as in the recorded conversation.
fn batch(timestamp: i64) -> BatchBuilder {
    let mut batch = BatchBuilder::new(Compression::None);
    batch.push(timestamp, Some(b"k"), Some(b"v"), &[]);
    batch
}

/// Good bytes with some of them changed, and the right CRC.
fn changed(change: impl FnOnce(&mut [u8])) -> Bytes {
    let mut bytes = batch(NOW).build().bytes().to_vec();
    change(&mut bytes);
    let crc = crc_of(&bytes);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

/// The answer for partition 0.
async fn send(core: &Core, request: ProduceRequest) -> PartitionProduceResponse {
    ask(core, &request, 9).await.responses.remove(0).partition_responses.remove(0)
}

/// The error code and the log start offset.
async fn outcome(core: &Core, records: Option<Bytes>) -> (i16, i64) {
    let answer = send(core, produce("t", uuid::Uuid::nil(), 9, records)).await;
    if answer.error_code != 0 {
        assert_eq!((answer.base_offset, answer.log_append_time_ms), (-1, -1));
    }
    (answer.error_code, answer.log_start_offset)
}

#[tokio::test]
async fn batches_get_the_answers_that_kafka_gave() {
    let (core, _folder) = core_in_folder(|_| {});
    create(&core, "t").await;
    let good = batch(NOW).build().bytes().clone();
    let twice = Bytes::from([&good[..], &good[..]].concat());
    let two_hours_ahead = core.clock().now_ms() + 7_200_000;
    let huge = records(&[&vec![b'x'; 1_048_600]]);
    let mut bad_crc = good.to_vec();
    bad_crc[17] ^= 1;
    let expected = [
        ("good", Some(good.clone()), (0, 0)),
        ("bad CRC", Some(bad_crc.into()), (2, -1)),
        ("empty record set", Some(Bytes::new()), (87, -1)),
        ("null record set", None, (87, -1)),
        ("two batches", Some(twice), (87, -1)),
        ("base offset 77", Some(changed(|bytes| bytes[7] = 77)), (87, 0)),
        ("5 records counted, 1 there", Some(changed(|bytes| bytes[60] = 5)), (87, 0)),
        ("last offset delta 9", Some(changed(|bytes| bytes[26] = 9)), (87, 0)),
        ("magic 1", Some(changed(|bytes| bytes[16] = 1)), (87, -1)),
        ("truncated", Some(good.slice(..good.len() - 3)), (87, -1)),
        ("8 garbage bytes behind", Some([&good[..], &[0xff; 8]].concat().into()), (0, 0)),
        ("codec 5", Some(changed(|bytes| bytes[22] = 5)), (-1, 0)),
        ("gzip that is none", Some(changed(|bytes| bytes[22] = 1)), (-1, 0)),
        ("control bit", Some(changed(|bytes| bytes[22] = 0x20)), (87, 0)),
        ("transactional", Some(batch(NOW).transactional().build().bytes().clone()), (53, -1)),
        ("two hours ahead", Some(batch(two_hours_ahead).build().bytes().clone()), (32, 0)),
        ("timestamp -1", Some(batch(-1).build().bytes().clone()), (0, 0)),
        ("larger than max.message.bytes", Some(huge), (10, -1)),
    ];
    for (what, records, answer) in expected {
        assert_eq!(outcome(&core, records).await, answer, "{what}");
    }
    assert_eq!(send(&core, produce("t", uuid::Uuid::nil(), 9, Some(good))).await.base_offset, 3);
}

#[tokio::test]
async fn places_and_acks_that_are_not_there_get_kafkas_codes() {
    let (core, _folder) = core_in_folder(|_| {});
    create(&core, "t").await;
    let request = |name| produce(name, uuid::Uuid::nil(), 9, Some(records(&[b"v"])));
    assert_eq!(send(&core, request("t").with_acks(2)).await.error_code, 21);
    assert_eq!(send(&core, request("nosuch")).await.error_code, 3);
    assert_eq!(send(&core, request("bad/x")).await.error_code, 3);
    let mut elsewhere = request("t");
    elsewhere.topic_data[0].partition_data[0].index = 9;
    assert_eq!(send(&core, elsewhere).await.error_code, 3);
    create(&core, "__consumer_offsets").await;
    assert_eq!(send(&core, request("__consumer_offsets")).await.error_code, 17);
}

#[tokio::test]
async fn a_late_timestamp_is_explained_record_by_record() {
    let (core, _folder) = core_in_folder(|_| {});
    create(&core, "t").await;
    let ahead = core.clock().now_ms() + 7_200_000;
    let records = batch(ahead).build().bytes().clone();
    let answer = send(&core, produce("t", uuid::Uuid::nil(), 9, Some(records))).await;
    let sentence = answer.error_message.as_deref().map(str::to_owned);
    assert_eq!(sentence.as_deref(), Some("One or more records have been rejected due to invalid timestamp"));
    assert_eq!(answer.record_errors[0].batch_index, 0);
    let detail = answer.record_errors[0].batch_index_error_message.as_deref().expect("a sentence").to_owned();
    assert!(detail.starts_with(&format!("Timestamp {ahead} of message with offset 0 is out of range.")), "{detail}");
}

#[tokio::test]
async fn a_retry_gets_the_offset_of_the_first_try() {
    let (core, _folder) = core_in_folder(|_| {});
    create(&core, "t").await;
    let try_with = |epoch, sequence| {
        let records = batch(NOW).from_producer(8, epoch, sequence).build().bytes().clone();
        produce("t", uuid::Uuid::nil(), 9, Some(records))
    };
    for sequence in 0..2 {
        assert_eq!(send(&core, try_with(0, sequence)).await.base_offset, i64::from(sequence));
    }
    let retry = send(&core, try_with(0, 0)).await;
    assert_eq!((retry.error_code, retry.base_offset, retry.log_append_time_ms), (0, 0, NOW));
    let gap = send(&core, try_with(0, 5)).await;
    assert_eq!((gap.error_code, gap.log_start_offset), (45, 0));
    assert_eq!(send(&core, try_with(1, 0)).await.error_code, 0);
    assert_eq!(send(&core, try_with(0, 2)).await.error_code, 47);
}

#[tokio::test]
async fn zstd_needs_version_7() {
    let (core, _folder) = core_in_folder(|_| {});
    create(&core, "t").await;
    let mut batch = BatchBuilder::new(Compression::Zstd);
    batch.push(NOW, None, Some(b"v"), &[]);
    let records = batch.build().bytes().clone();
    for (version, code) in [(6, 76), (7, 0)] {
        let request = produce("t", uuid::Uuid::nil(), version, Some(records.clone()));
        let response = ask(&core, &request, version).await;
        assert_eq!(response.responses[0].partition_responses[0].error_code, code, "version {version}");
    }
}

/// A request to the partitions from 0 on of topic `t`.
fn to_partitions(batches: impl IntoIterator<Item = Bytes>) -> ProduceRequest {
    let mut request = produce("t", uuid::Uuid::nil(), 9, None);
    let partition = request.topic_data[0].partition_data.remove(0);
    let with = |(index, records)| partition.clone().with_index(index).with_records(Some(records));
    request.topic_data[0].partition_data = (0..).zip(batches).map(with).collect();
    request
}

/// A core with a topic `t` of so many partitions, and how often it flushes.
async fn core_with_topic(partitions: i32, flush_messages: &str) -> (Arc<Core>, tempfile::TempDir) {
    let (core, folder) = core_in_folder(|_| {});
    let configs = vec![("flush.messages".into(), Some(flush_messages.into()))];
    let wish = NewTopic { name: "t".into(), partitions, replication_factor: 1, configs, ..NewTopic::default() };
    core.topics.create(&Principal::anonymous(), wish, false).await.expect("created");
    (core, folder)
}

fn ends(core: &Core) -> Vec<i64> {
    core.topics
        .get("t")
        .expect("it was created")
        .partitions
        .iter()
        .map(|partition| partition.log_end_offset())
        .collect()
}

#[tokio::test]
async fn a_format_of_the_future_fails_the_whole_request() {
    let (core, _folder) = core_with_topic(2, "1000").await;
    let good = batch(NOW).build().bytes().clone();
    let response = ask(&core, &to_partitions([good, changed(|bytes| bytes[16] = 3)]), 9).await;
    for answer in &response.responses[0].partition_responses {
        assert_eq!((answer.error_code, answer.base_offset, answer.log_start_offset), (2, -1, -1));
        assert_eq!(answer.error_message.as_deref(), Some("Invalid magic found in record: 3"));
    }
    assert_eq!(ends(&core), [0, 0]);
}

#[tokio::test]
async fn all_batches_of_a_request_are_appended_before_the_first_flush_is_awaited() {
    let (core, _folder) = core_with_topic(20, "1").await;
    let request = to_partitions(vec![batch(NOW).build().bytes().clone(); 20]);
    let mut answer = Box::pin(ask(&core, &request, 9));
    let first = poll_fn(|task| Poll::Ready(answer.as_mut().poll(task))).await;
    assert_eq!(ends(&core), [1; 20]);
    let response = match first {
        Poll::Ready(response) => response,
        Poll::Pending => answer.await,
    };
    let partitions = &response.responses[0].partition_responses;
    assert!(partitions.iter().all(|partition| partition.error_code == 0), "{partitions:?}");
    assert!(partitions.iter().map(|partition| partition.index).eq(0..20));
}

/// The one thread for blocking work is held up meanwhile, so that only what is done in place can be done at once.
#[test]
fn a_batch_that_decompresses_to_much_leaves_the_runtimes_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
    runtime.expect("a runtime").block_on(send_a_small_batch_and_a_bomb());
}

async fn send_a_small_batch_and_a_bomb() {
    let (core, _folder) = core_with_topic(1, "1000").await;
    let of_zeros = |count| {
        let mut batch = BatchBuilder::new(Compression::Zstd);
        batch.push(NOW, None, Some(&vec![0; count]), &[]);
        batch.build().bytes().clone()
    };
    let (small, bomb) = (of_zeros(1000), of_zeros(16 * SMALL_CONTENT_BYTES));
    assert!(bomb.len() < SMALL_COMPRESSED_BYTES);
    let (go_on, held_up) = std::sync::mpsc::channel::<()>();
    let holder = tokio::task::spawn_blocking(move || held_up.recv());
    for (offset, records, in_place) in [(0, small, true), (1, bomb, false)] {
        let request = to_partitions([records]);
        let mut answer = Box::pin(ask(&core, &request, 9));
        let first = poll_fn(|task| Poll::Ready(answer.as_mut().poll(task))).await;
        assert_eq!(first.is_ready(), in_place, "offset {offset}");
        let response = match first {
            Poll::Ready(response) => response,
            Poll::Pending => {
                go_on.send(()).expect("the thread waits");
                answer.await
            }
        };
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (0, offset));
    }
    holder.await.expect("no panic").expect("it was told to go on");
}

#[tokio::test]
async fn many_compressed_batches_make_pauses() {
    let (core, _folder) = core_with_topic(9, "1000").await;
    let mut compressed = BatchBuilder::new(Compression::Zstd);
    compressed.push(NOW, None, Some(b"v"), &[]);
    let request = to_partitions(vec![compressed.build().bytes().clone(); 9]);
    let mut answer = Box::pin(ask(&core, &request, 9));
    for appended in [4, 8] {
        assert!(poll_fn(|task| Poll::Ready(answer.as_mut().poll(task))).await.is_pending());
        assert_eq!(ends(&core).iter().sum::<i64>(), appended);
    }
    answer.await;
    assert_eq!(ends(&core), [1; 9]);
}

#[test]
fn the_transactional_bit_is_seen_before_anything_is_checked() {
    let transactional = batch(NOW).transactional().build();
    assert!(is_transactional(transactional.bytes()));
    assert!(!is_transactional(batch(NOW).build().bytes()));
    assert!(!is_transactional(&transactional.bytes()[..BatchHeader::SIZE - 40]));
}
