//! Batches as producers send them: what Kafka answered, each refusal, and batches made by chance.

use proptest::prelude::*;

use super::*;
use crate::names::{TopicName, TopicPartition};
use crate::storage::record::{Record, records};

const NOW_MS: TimestampMs = 1_795_443_267_267;
const NO_LIMIT: usize = usize::MAX;

fn praw() -> TopicPartition {
    TopicPartition { topic: TopicName::parse("praw").expect("a legal name"), partition: 0 }
}

/// Kafka's defaults, at the time of the recording.
fn rules(partition: &TopicPartition) -> BatchRules<'_> {
    BatchRules {
        partition,
        max_message_bytes: 1_048_588,
        max_decompressed_bytes: 1 << 20,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        target: None,
        now_ms: NOW_MS,
    }
}

fn receive(records: Bytes) -> Result<RecordBatch, Refusal> {
    RecordBatch::single(records)?.admit(&rules(&praw()))
}

fn one_record(compression: Compression) -> RecordBatch {
    let mut builder = BatchBuilder::new(compression);
    builder.push(NOW_MS, Some(b"k"), Some(b"v"), &[]);
    builder.build()
}

/// The batch with another header, and a length and CRC that fit.
fn with_header(batch: &RecordBatch, change: impl FnOnce(&mut BatchHeader)) -> RecordBatch {
    let mut header = *batch.header();
    change(&mut header);
    RecordBatch::seal(header, &batch.bytes()[BatchHeader::SIZE..])
}

fn error_code(refusal: &Refusal) -> i16 {
    match refusal {
        Refusal::Malformed(_) | Refusal::Corrupt(_) => 2,
        Refusal::TooLarge(_) => 10,
        Refusal::LargerThanSegment(_) => 18,
        Refusal::Timestamp { .. } => 32,
        Refusal::UnsupportedCompression(_) => 76,
        Refusal::NotOneBatch(_) | Refusal::Invalid { .. } => 87,
        Refusal::Undecodable(_) => -1,
        Refusal::OutOfOrderSequence(_) => 45,
        Refusal::ProducerEpoch(_) => 47,
    }
}

fn from_hex(hex: &str) -> Bytes {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex")).collect()
}

#[test]
fn kafkas_recorded_answers_are_given() {
    let recording = include_str!("../../../../tests/fixtures/kafka-4.3.1/produce.txt");
    let mut count = 0;
    for block in recording.split("\n\n").filter(|block| block.contains("\nrecords")) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        let name = field("name ").expect("every block has a name");
        let number = |name| field(name).expect("in every block").parse::<i16>().expect("a number");
        let outcome = receive(from_hex(field("records ").expect("every block has records")));
        let refusal = outcome.as_ref().err();
        assert_eq!(refusal.map_or(0, error_code), number("error "), "{name}: {outcome:?}");
        assert_eq!(refusal.is_none_or(Refusal::knows_log_start), number("log_start ") == 0, "{name}");
        let message = refusal.and_then(Refusal::message_for_client);
        assert_eq!(message.as_deref(), field("message "), "{name}");
        let errors = refusal.map(Refusal::record_errors).unwrap_or_default();
        let error = errors.first().map(|(index, message)| format!("{index} {message}"));
        assert_eq!(error.as_deref(), field("record_error "), "{name}");
        count += 1;
    }
    assert_eq!(count, 18);
}

#[test]
fn an_accepted_batch_keeps_its_bytes_and_is_not_copied() {
    let sent = one_record(Compression::None).bytes().clone();
    let mut with_garbage = sent.to_vec();
    with_garbage.extend_from_slice(&[0xff; 11]);
    let received = Bytes::from(with_garbage);
    let kept = receive(received.clone()).expect("acceptable");
    assert_eq!(kept.bytes(), &sent);
    assert_eq!(kept.bytes().as_ptr(), received.as_ptr());
}

#[test]
fn garbage_that_looks_like_the_start_of_a_batch_is_judged_as_kafka_does() {
    let sent = one_record(Compression::None).bytes().clone();
    let followed_by = |garbage: &[u8]| RecordBatch::single([&sent[..], garbage].concat().into());
    // A length below the minimum, then an unknown magic: corrupt. A second batch that is cut short is left out.
    assert!(matches!(followed_by(&[0; 12]), Err(Refusal::Corrupt(_))));
    assert!(followed_by(&[1; 17]).is_ok());
    assert!(followed_by(&sent[..sent.len() - 1]).is_ok());
    let mut unknown_magic = sent[..17].to_vec();
    unknown_magic[16] = 9;
    assert!(matches!(followed_by(&unknown_magic), Err(Refusal::Corrupt(_))));
    assert!(matches!(RecordBatch::single(unknown_magic.into()), Err(Refusal::Malformed(_))));
    // Long enough for an old format, too short for this one.
    let mut short = sent[..40].to_vec();
    short[8..12].copy_from_slice(&28i32.to_be_bytes());
    assert!(matches!(RecordBatch::single(short.into()), Err(Refusal::Corrupt(_))));
}

#[test]
fn the_header_must_agree_with_itself_and_with_the_records() {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(NOW_MS, None, Some(b"a"), &[]);
    builder.push(NOW_MS, None, Some(b"b"), &[]);
    let batch = builder.build();
    let refused = |change: fn(&mut BatchHeader)| match receive(with_header(&batch, change).bytes().clone()) {
        Err(Refusal::Invalid { message, records }) if records.is_empty() => message,
        other => panic!("not refused as a whole: {other:?}"),
    };
    assert!(refused(|it| it.last_offset_delta = -1).starts_with("Batch has an invalid offset range: [0, -1]"));
    assert!(refused(|it| it.records_count = -2).starts_with("Invalid reported count for record batch: -2"));
    assert!(refused(|it| it.records_count = 1).starts_with("Inconsistent batch offset range [0, 1]"));
    assert!(refused(|it| (it.records_count, it.last_offset_delta) = (1, 0)).contains("bytes follow"));
    assert!(refused(|it| (it.records_count, it.last_offset_delta) = (3, 2)).contains("ends before"));
    assert!(refused(|it| (it.records_count, it.last_offset_delta) = (i32::MAX, i32::MAX - 1)).contains("ends before"));
    assert!(refused(|it| (it.producer_id, it.base_sequence) = (7, -1)).starts_with("Invalid sequence number -1"));
    assert!(refused(|it| it.attributes |= header::CONTROL).starts_with("Clients are not allowed"));
    assert!(refused(|it| it.base_offset = 1).contains("should be 0, but it is 1"));
}

#[test]
fn offsets_within_a_batch_count_up_by_one() {
    for compression in Compression::ALL {
        let mut records = Vec::new();
        crate::storage::record::write(&mut records, 0, 0, None, None, &[]);
        crate::storage::record::write(&mut records, 0, 2, None, None, &[]);
        let header = BatchHeader {
            records_count: 2,
            last_offset_delta: 1,
            attributes: compression.id(),
            ..*one_record(Compression::None).header()
        };
        let refusal = receive(RecordBatch::seal(header, &compression.compress(&records)).bytes().clone());
        assert_eq!(refusal, Err(Refusal::invalid("Record 1 of the batch has offset delta 2")));
    }
}

#[test]
fn a_compacted_topic_wants_keys_and_names_those_without() {
    let partition = praw();
    let rules = BatchRules { compacted: true, ..rules(&partition) };
    let mut builder = BatchBuilder::new(Compression::Zstd);
    for index in 0..5 {
        builder.push(NOW_MS, if index == 2 { Some(b"") } else { None }, None, &[]);
    }
    let refusal = builder.build().admit(&rules).expect_err("keys are missing");
    let errors: Vec<i32> = refusal.record_errors().iter().map(|(index, _)| *index).collect();
    assert_eq!(errors, [0, 1, 3, 4]);
    let sentence = "Compacted topic cannot accept message without key in topic partition praw-0";
    assert_eq!(refusal.record_errors()[0].1, sentence);
    let message = refusal.message_for_client().expect("bad records are explained");
    assert!(message.starts_with(
        "One or more records have been rejected due to 4 record errors in total, and only showing the first three errors at most: [RecordError(batchIndex=0, message='Compacted"
    ));
    assert_eq!(message.matches("RecordError").count(), 3);
}

#[test]
fn one_bad_timestamp_decides_the_error_of_all() {
    let partition = praw();
    let rules = BatchRules { compacted: true, timestamp_before_max_ms: 10, ..rules(&partition) };
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(NOW_MS, None, None, &[]);
    builder.push(NOW_MS - 11, Some(b"k"), None, &[]);
    builder.push(NOW_MS - 10, Some(b"k"), None, &[]);
    builder.push(-1, Some(b"k"), None, &[]);
    let refusal = builder.build().admit(&rules).expect_err("one key is missing, one record is old");
    assert_eq!(error_code(&refusal), 32);
    let errors: Vec<i32> = refusal.record_errors().iter().map(|(index, _)| *index).collect();
    assert_eq!(errors, [0, 1]);
}

#[test]
fn a_million_bad_records_are_counted_but_not_all_described() {
    let partition = praw();
    let rules = BatchRules { compacted: true, max_decompressed_bytes: NO_LIMIT, ..rules(&partition) };
    let mut builder = BatchBuilder::new(Compression::Zstd);
    for _ in 0..20_000 {
        builder.push(NOW_MS, None, None, &[]);
    }
    let refusal = builder.build().admit(&rules).expect_err("keys are missing");
    assert_eq!(refusal.record_errors().len(), 1000);
    assert!(refusal.to_string().contains("due to 20000 record errors"));
}

#[test]
fn too_large_batches_are_refused_before_they_are_read() {
    let partition = praw();
    let batch = one_record(Compression::None);
    let size = i32::try_from(batch.bytes().len()).expect("small");
    assert!(batch.admit(&BatchRules { max_message_bytes: size, ..rules(&partition) }).is_ok());
    let refusal = batch.admit(&BatchRules { max_message_bytes: size - 1, ..rules(&partition) });
    assert!(matches!(refusal, Err(Refusal::TooLarge(_))));
    let limit = BatchRules { max_message_bytes: 1 << 30, max_decompressed_bytes: 1 << 20, ..rules(&partition) };
    for compression in Compression::ALL.into_iter().skip(1) {
        let mut builder = BatchBuilder::new(compression);
        builder.push(NOW_MS, None, Some(&vec![0; 16 << 20]), &[]);
        let bomb = builder.build();
        assert!(matches!(bomb.admit(&limit), Err(Refusal::TooLarge(_))), "{compression:?}");
        assert!(bomb.admit(&BatchRules { max_decompressed_bytes: 17 << 20, ..limit }).is_ok());
    }
}

#[test]
fn a_wrong_largest_timestamp_is_corrected_as_kafka_does() {
    let mut builder = BatchBuilder::new(Compression::Gzip);
    builder.push(NOW_MS - 5, None, None, &[]);
    builder.push(NOW_MS, None, None, &[]);
    builder.push(NOW_MS - 7, None, None, &[]);
    let honest = builder.build();
    assert_eq!(honest.validate(&rules(&praw())), Ok(NOW_MS));
    let lying = with_header(&honest, |it| it.max_timestamp = 3);
    assert_eq!(receive(lying.bytes().clone()), Ok(honest));
}

#[test]
fn the_topic_decides_the_type_of_timestamp() {
    let partition = praw();
    let appended = BatchRules { timestamp_type: TimestampType::LogAppendTime, ..rules(&partition) };
    let batch = one_record(Compression::None);
    let kept = batch.admit(&appended).expect("acceptable");
    assert!(kept.header().is_log_append_time());
    assert_eq!((kept.header().max_timestamp, kept.header().crc), (NOW_MS, crc_of(kept.bytes())));
    assert_eq!(&kept.bytes()[BatchHeader::SIZE..], &batch.bytes()[BatchHeader::SIZE..]);

    // A producer may not claim it for itself; in a topic of producers' times Kafka takes the claim back instead.
    let claimed = with_header(&batch, |it| it.attributes |= LOG_APPEND_TIME | 0x4000);
    let refusal = claimed.admit(&appended).expect_err("claimed by the producer");
    assert_eq!(
        refusal.record_errors(),
        [(
            0,
            format!(
                "Invalid timestamp type in message DefaultRecord(offset=0, timestamp={NOW_MS}, key=1 bytes, value=1 bytes). Producer should not set timestamp type to LogAppendTime."
            )
        )]
    );
    assert_eq!(claimed.admit(&rules(&partition)), Ok(batch));
}

fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let headers = prop::collection::vec((bytes(), prop::option::of(bytes())), 0..3);
    let timestamp = prop_oneof![Just(-1), 0..NOW_MS];
    let record = (timestamp, prop::option::of(bytes()), prop::option::of(bytes()), headers)
        .prop_map(|(timestamp, key, value, headers)| Record { offset: 0, timestamp, key, value, headers });
    prop::collection::vec(record, 1..20)
}

fn build(compression: Compression, content: &[Record]) -> RecordBatch {
    let mut builder = BatchBuilder::new(compression).from_producer(9, 1, 40);
    for record in content {
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            record.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    builder.build()
}

proptest! {
    #[test]
    fn what_was_built_is_admitted_and_read_back(mut content in any_records(), codec in 0..5i16) {
        let compression = Compression::from_id(codec).expect("one of five");
        let batch = build(compression, &content);
        prop_assert_eq!(&receive(batch.bytes().clone()), &Ok(batch.clone()));
        for (offset, record) in content.iter_mut().enumerate() {
            record.offset = offset as i64;
        }
        let read: Result<Vec<Record>, Refusal> = records(batch.bytes().clone(), NO_LIMIT).collect();
        prop_assert_eq!(read, Ok(content));
    }

    #[test]
    fn damaged_batches_never_panic_and_never_pass_the_checksum(
        content in any_records(),
        codec in 0..5i16,
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let sound = build(Compression::from_id(codec).expect("one of five"), &content);
        let mut bytes = sound.bytes().to_vec();
        for (index, flip) in &damage {
            let position = index.index(bytes.len());
            bytes[position] ^= flip;
        }
        if let Ok(batch) = receive(bytes.clone().into()) {
            prop_assert_eq!(crc_of(batch.bytes()), batch.header().crc);
        }
        prop_assert!(RecordBatch::single(bytes[..cut.index(bytes.len())].to_vec().into()).is_err());
        // With a checksum that fits, the damage reaches the decoders and the record parser.
        if let Ok((header, damaged)) = BatchHeader::split(&bytes.into()) {
            let sealed = RecordBatch::seal(header, &damaged);
            let partition = praw();
            let admitted = sealed.validate(&BatchRules { max_decompressed_bytes: 1 << 16, ..rules(&partition) });
            let whole: Result<Vec<Record>, Refusal> = records(sealed.bytes().clone(), 1 << 16).collect();
            if admitted.is_ok() {
                prop_assert!(whole.is_ok(), "admitted, but not readable: {:?}", whole);
            }
        }
    }
}

/// What a batch looks like to a consumer, whatever its codec.
fn content(batch: &RecordBatch) -> Vec<Record> {
    records(batch.bytes().clone(), NO_LIMIT).collect::<Result<_, _>>().expect("readable")
}

#[test]
fn a_topic_with_a_codec_gets_the_same_records_in_it() {
    let partition = praw();
    for from in Compression::ALL {
        let mut builder = BatchBuilder::new(from).from_producer(7, 1, 40);
        for index in 0..100 {
            let header: (&[u8], Option<&[u8]>) = (b"h", (index % 2 == 0).then_some(b"x"));
            builder.push(NOW_MS - index, (index % 3 == 0).then_some(b"key"), Some(&[b'v'; 100]), &[header]);
        }
        let sent = builder.build();
        for to in Compression::ALL {
            let target = Some(Target { compression: to, level: None });
            let stored = sent.admit(&BatchRules { target, ..rules(&partition) }).expect("legal");
            assert_eq!(stored.header().compression(), Some(to));
            assert_eq!(content(&stored), content(&sent), "{from:?} to {to:?}");
            let again = RecordBatch::single(stored.bytes().clone()).expect("a whole batch");
            let unlike = BatchHeader { crc: 0, batch_length: 0, attributes: 0, ..*again.header() };
            assert_eq!(unlike, BatchHeader { crc: 0, batch_length: 0, attributes: 0, ..*sent.header() });
            assert_eq!(stored.bytes() == sent.bytes(), from == to, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn what_grows_beyond_the_limit_is_refused_and_not_kept() {
    let partition = praw();
    let mut builder = BatchBuilder::new(Compression::Zstd);
    builder.push(NOW_MS, None, Some(&vec![0; 900_000]), &[]);
    let sent = builder.build();
    let target = Some(Target { compression: Compression::None, level: None });
    let limit = |max_message_bytes| BatchRules { target, max_message_bytes, ..rules(&partition) };
    let size = sent.admit(&limit(1 << 20)).expect("it fits").bytes().len();
    let size = i32::try_from(size).expect("small");
    assert!(sent.admit(&limit(size)).is_ok());
    assert!(matches!(sent.admit(&limit(size - 1)), Err(Refusal::TooLarge(_))));
}

#[test]
fn the_level_of_a_codec_counts() {
    let partition = praw();
    let mut builder = BatchBuilder::new(Compression::None);
    let text: Vec<u8> = (0..200_000u32).map(|index| (index % 1000 * index % 7919 % 251) as u8).collect();
    builder.push(NOW_MS, None, Some(&text), &[]);
    let sent = builder.build();
    for (compression, low, high) in [(Compression::Gzip, 1, 9), (Compression::Zstd, 1, 19)] {
        let size = |level| {
            let target = Some(Target { compression, level: Some(level) });
            sent.admit(&BatchRules { target, ..rules(&partition) }).expect("legal").bytes().len()
        };
        assert!(size(high) < size(low), "{compression:?}");
    }
}
