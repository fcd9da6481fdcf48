//! Batches that Kafka wrote, and batches that go wrong while they are read.

use super::*;
use crate::storage::batch::{BatchBuilder, RecordBatch, crc_of};

const NO_LIMIT: usize = usize::MAX;

/// The batches of a log file, one after another.
fn batches(log: &'static [u8]) -> Vec<Bytes> {
    let mut rest = Bytes::from_static(log);
    let mut batches = Vec::new();
    while let Some(header) = rest.first_chunk() {
        let size = BatchHeader::parse(header).total_size().expect("Kafka wrote whole batches");
        batches.push(rest.split_to(size));
    }
    assert!(rest.is_empty());
    batches
}

fn read_all(log: &'static [u8]) -> Vec<Record> {
    let all = batches(log).into_iter().flat_map(|batch| records(batch, NO_LIMIT));
    all.collect::<Result<_, _>>().expect("Kafka wrote readable records")
}

#[test]
fn every_codec_of_kafkas_files_gives_the_same_records() {
    let plain = read_all(include_bytes!("../../../../tests/fixtures/kafka-4.3.1/c-none-0.log"));
    let offsets: Vec<i64> = plain.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (0..10).collect::<Vec<_>>());
    assert_eq!(plain[0].timestamp, 1_700_000_000_000);
    assert_eq!(plain[5].key, None);
    assert_eq!((plain[6].key.as_deref(), &plain[6].value), (Some(&b"k0"[..]), &None));
    let header_keys: Vec<&[u8]> = plain[7].headers.iter().map(|(key, _)| &key[..]).collect();
    assert_eq!(header_keys, [b"h1", b"h2", b"h3"]);
    assert_eq!((plain[9].timestamp, plain[9].value.as_deref()), (1_700_000_001_001, Some(&b"batch2"[..])));

    for log in [
        &include_bytes!("../../../../tests/fixtures/kafka-4.3.1/c-gzip-0.log")[..],
        include_bytes!("../../../../tests/fixtures/kafka-4.3.1/c-snappy-0.log"),
        include_bytes!("../../../../tests/fixtures/kafka-4.3.1/c-lz4-0.log"),
        include_bytes!("../../../../tests/fixtures/kafka-4.3.1/c-zstd-0.log"),
    ] {
        assert_eq!(read_all(log), plain);
        for batch in batches(log) {
            let brief: Vec<_> = timestamps(batch.clone(), NO_LIMIT).map(|it| it.expect("readable")).collect();
            let whole: Vec<_> = records(batch, NO_LIMIT).map(|it| it.expect("readable")).collect();
            assert_eq!(brief, whole.iter().map(|it| (it.offset, it.timestamp)).collect::<Vec<_>>());
        }
    }
}

#[test]
fn kafkas_checksums_producers_and_markers_are_understood() {
    let idempotent = batches(include_bytes!("../../../../tests/fixtures/kafka-4.3.1/idem-0.log"));
    let transactions = batches(include_bytes!("../../../../tests/fixtures/kafka-4.3.1/txn2-0.log"));
    for batch in idempotent.iter().chain(&transactions) {
        let (header, _) = BatchHeader::split(batch).expect("whole");
        assert_eq!(header.crc, crc_of(batch));
        assert_eq!(records(batch.clone(), NO_LIMIT).filter(Result::is_ok).count() as i32, header.records_count);
    }
    let (second, _) = BatchHeader::split(&idempotent[1]).expect("whole");
    assert_eq!((second.producer_id, second.base_sequence, second.last_sequence()), (0, 3, 5));
    let controls = transactions.iter().filter(|batch| BatchHeader::split(batch).expect("whole").0.is_control());
    for marker in controls.clone() {
        let marker = records(marker.clone(), NO_LIMIT).next().expect("one record").expect("readable");
        assert_eq!(marker.key.map(|key| key.len()), Some(4), "version and type");
    }
    assert!(controls.count() > 0);
}

#[test]
fn headers_keep_order_duplicates_and_nulls() {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(5, Some(b""), None, &[(b"a", Some(b"1")), (b"a", None), (b"", Some(b""))]);
    let record = records(builder.build().bytes().clone(), NO_LIMIT).next().expect("one").expect("readable");
    assert_eq!(record.key, Some(Bytes::new()));
    assert_eq!(record.value, None);
    let expected: [(&[u8], Option<&[u8]>); 3] = [(b"a", Some(b"1")), (b"a", None), (b"", Some(b""))];
    let read: Vec<_> = record.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
    assert_eq!(read, expected);
}

#[test]
fn uncompressed_records_are_slices_of_the_batch() {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(5, Some(b"key"), Some(b"value"), &[]);
    let batch = builder.build();
    let value =
        records(batch.bytes().clone(), NO_LIMIT).next().expect("one").expect("readable").value.expect("a value");
    assert!(batch.bytes().as_ptr_range().contains(&value.as_ptr()));
}

/// A batch that holds one record with these bytes after its length.
fn with_body(compression: Compression, length: i32, body: &[u8]) -> Bytes {
    let mut record = Vec::new();
    varint::write_varint(&mut record, length);
    record.extend_from_slice(body);
    let mut builder = BatchBuilder::new(compression);
    builder.push(0, None, None, &[]);
    let mut batch = builder.build().bytes()[..BatchHeader::SIZE].to_vec();
    batch.extend_from_slice(&compression.compress(&record));
    batch.into()
}

#[test]
fn lengths_that_lie_are_refused_before_anything_is_reserved() {
    // attributes, timestamp delta, offset delta, then: null key, null value, no headers
    let good = [0, 0, 0, 1, 1, 0];
    let mut huge_key = vec![0, 0, 0];
    varint::write_varint(&mut huge_key, i32::MAX);
    let mut huge_value = vec![0, 0, 0, 1];
    varint::write_varint(&mut huge_value, i32::MAX);
    let mut many_headers = vec![0, 0, 0, 1, 1];
    varint::write_varint(&mut many_headers, i32::MAX);
    for compression in Compression::ALL {
        let read = |length: i32, body: &[u8]| {
            let batch = with_body(compression, length, body);
            let whole = records(batch.clone(), NO_LIMIT).next().expect("one turn");
            assert_eq!(whole.is_ok(), timestamps(batch, NO_LIMIT).next().expect("one turn").is_ok());
            whole
        };
        assert!(read(6, &good).is_ok());
        for (length, body) in [
            (i32::MAX, &good[..]),
            (-1, &good),
            (5, &good),
            (7, &good),
            (6, &[0, 0, 0, 1, 1, 1]),
            (6, &[0, 0, 0, 1, 1, 2]),
            (8, &[0, 0, 0, 1, 1, 2, 1, 1]),
            (7, &[0, 0, 0, 1, 1, 0, 0]),
            (huge_key.len() as i32, &huge_key),
            (huge_value.len() as i32, &huge_value),
            (many_headers.len() as i32, &many_headers),
        ] {
            let refusal = read(length, body).expect_err("a lie");
            assert!(matches!(refusal, Refusal::Invalid { .. }), "{compression:?} {length} {body:?}: {refusal:?}");
        }
    }
}

#[test]
fn records_larger_than_the_window_are_read_whole() {
    let value = vec![b'x'; 3 * WINDOW_SIZE + 17];
    for compression in Compression::ALL {
        let mut builder = BatchBuilder::new(compression);
        builder.push(1, None, Some(&value), &[]);
        builder.push(2, Some(&value), None, &[(b"h", Some(&value))]);
        builder.push(3, Some(b"k"), Some(b"v"), &[]);
        let batch = builder.build();
        let read: Vec<Record> = records(batch.bytes().clone(), NO_LIMIT).map(|it| it.expect("readable")).collect();
        assert_eq!(read[0].value.as_deref(), Some(&value[..]));
        assert_eq!(read[1].headers[0].1.as_deref(), Some(&value[..]));
        let brief: Vec<_> = timestamps(batch.bytes().clone(), NO_LIMIT).map(|it| it.expect("readable")).collect();
        assert_eq!(brief, [(0, 1), (1, 2), (2, 3)]);
    }
}

#[test]
fn what_is_no_batch_gives_one_error_and_ends() {
    for bytes in [Bytes::new(), Bytes::from_static(&[0; 60]), Bytes::from_static(&[0xff; 61])] {
        let mut records = records(bytes.clone(), NO_LIMIT);
        assert!(records.next().is_some_and(|it| it.is_err()), "{bytes:?}");
        assert!(records.next().is_none());
    }
}

#[test]
fn the_time_of_the_append_replaces_the_producers() {
    let mut builder = BatchBuilder::new(Compression::Lz4);
    builder.push(1, None, Some(b"a"), &[]);
    let batch: RecordBatch = builder.build().with_log_append_time(77);
    assert_eq!(timestamps(batch.bytes().clone(), NO_LIMIT).next(), Some(Ok((0, 77))));
}
