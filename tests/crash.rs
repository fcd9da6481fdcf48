//! Damaged folders and power cuts, against a model of what was written.
//!
//! Whatever happens to the files, four things hold: the log opens; what is read at an offset is what was written at
//! that offset, byte for byte, or an error; batches that were not touched can be read; and an offset that was
//! acknowledged is never given to another record.

mod beginnings;
mod flips;
mod rolls;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use cutaway::names::TopicId;
use cutaway::storage::batch::{BatchBuilder, BatchHeader, RecordBatch};
use cutaway::storage::compression::Compression;
use cutaway::storage::disk::{Change, Disk, Script};
use cutaway::storage::log::{Log, LogOptions, Opening};
use cutaway_tests::chance::Chance;
use cutaway_tests::folders;

const NOW_MS: i64 = 1_700_000_000_000;
/// How many batches one start of the broker writes: then comes the next, with the next leader epoch.
const BATCHES_PER_START: usize = 7;
/// The leader epoch under which damaged folders are opened: many epochs below it are possible, though not right.
const LEADER_EPOCH: i32 = 40;
/// Where the leader epoch stands in a batch: outside the CRC.
const EPOCH: std::ops::Range<usize> = 12..16;

fn options() -> LogOptions {
    options_with(false)
}

/// Folders that Kafka wrote and compacted topics may have gaps between offsets.
fn options_with(gaps_allowed: bool) -> LogOptions {
    LogOptions {
        segment_bytes: 3_000,
        segment_ms: i64::MAX,
        index_interval_bytes: 300,
        segment_index_bytes: 1 << 20,
        gaps_allowed,
        producer_id_expiration_ms: i64::MAX,
    }
}

fn topic_id() -> TopicId {
    TopicId::parse("VP5XWQ1pSVaNHauegixrcA").expect("a topic id")
}

/// A batch as it was written: its bytes, and where they are.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    bytes: Vec<u8>,
    last_offset: i64,
    file: String,
    position: usize,
}

/// All batches by base offset.
pub(crate) type Model = BTreeMap<i64, Written>;

fn batch(chance: &mut Chance, number: usize) -> RecordBatch {
    batch_of(chance, number, 120)
}

/// A batch whose values are shorter than `size`.
fn batch_of(chance: &mut Chance, number: usize, size: usize) -> RecordBatch {
    let codecs = [
        Compression::None,
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    let sequence = i32::try_from(number).expect("few batches");
    let mut builder =
        BatchBuilder::new(*chance.pick(&codecs)).from_producer(if number < 1_000 { 7 } else { 8 }, 0, sequence * 3);
    for record in 0..3 {
        let value: Vec<u8> =
            (0..chance.below(size)).map(|_| u8::try_from(chance.below(26)).expect("a letter") + b'a').collect();
        let timestamp = NOW_MS + i64::try_from(number * 3 + record).expect("few records");
        builder.push(timestamp, Some(b"key"), Some(&value), &[(b"header", None)]);
    }
    builder.build()
}

/// Appends and returns the batch as it must stand in the file.
fn append(log: &mut Log, chance: &mut Chance, number: usize) -> (i64, Written) {
    let batch = batch(chance, number);
    let appended = log.append(&batch, NOW_MS).expect("an append");
    let mut bytes = batch.bytes().to_vec();
    bytes[..8].copy_from_slice(&appended.base_offset.to_be_bytes());
    bytes[EPOCH].copy_from_slice(&log.leader_epoch().to_be_bytes());
    let file = format!("{:020}.log", appended.segment_base_offset);
    let position = usize::try_from(appended.position).expect("a small file");
    (appended.base_offset, Written { bytes, last_offset: appended.last_offset, file, position })
}

/// A folder with some segments; closed cleanly or killed. Returns what was written and the recovery point.
pub(crate) fn write_folder(dir: &Path, seed: u64, batches: usize, clean: bool) -> (Model, i64) {
    let mut chance = Chance::new(seed);
    let disk = Disk::default();
    let mut log = Log::create(&disk, dir, topic_id(), 0, options(), NOW_MS).expect("a new log");
    let mut model = Model::new();
    let mut recovery_point = 0;
    for number in 0..batches {
        if number > 0 && number % BATCHES_PER_START == 0 {
            log.close().expect("a clean stop");
            recovery_point = log.log_end_offset();
            log = open(dir, true, recovery_point, log.leader_epoch() + 1, false);
        }
        let (offset, written) = append(&mut log, &mut chance, number);
        model.insert(offset, written);
        if number == batches / 3 {
            let outcome = log.begin_flush().run();
            log.end_flush(outcome).expect("a flush");
            recovery_point = log.recovery_point();
        }
    }
    if clean {
        log.close().expect("a clean stop");
        recovery_point = log.log_end_offset();
    }
    (model, recovery_point)
}

pub(crate) fn reopen(dir: &Path, clean: bool, recovery_point: i64) -> Log {
    reopen_with(dir, clean, recovery_point, false)
}

fn reopen_with(dir: &Path, clean: bool, recovery_point: i64, gaps_allowed: bool) -> Log {
    open(dir, clean, recovery_point, LEADER_EPOCH, gaps_allowed)
}

fn open(dir: &Path, clean: bool, recovery_point: i64, leader_epoch: i32, gaps_allowed: bool) -> Log {
    let opening = Opening { clean, recovery_point, log_start_offset: 0, leader_epoch };
    Log::open(&Disk::default(), dir, topic_id(), opening, options_with(gaps_allowed), NOW_MS)
        .expect("a log opens, whatever its files are")
        .0
}

/// What reading at an offset came to.
#[derive(Debug, PartialEq)]
enum Outcome {
    Bytes(Vec<u8>),
    /// The log says that it cannot be read.
    Refused,
    /// The offset is at or behind the end: it was never acknowledged, or is gone with a torn tail.
    BehindTheEnd,
}

fn read(log: &Log, offset: i64) -> Outcome {
    if offset >= log.log_end_offset() {
        return Outcome::BehindTheEnd;
    }
    let Ok(read) = log.reader().read(offset, log.log_end_offset(), 1, true) else { return Outcome::Refused };
    let range = read.map(|read| read.range).unwrap_or_else(|| panic!("silence at offset {offset}, below the end"));
    let mut bytes = vec![0; range.length as usize];
    range.file.read_at(range.position, &mut bytes).expect("a readable file");
    Outcome::Bytes(bytes)
}

fn without_epoch(bytes: &[u8]) -> Vec<u8> {
    let mut masked = bytes.to_vec();
    masked[EPOCH].fill(0);
    masked
}

/// The first three rules; returns how many batches cannot be read.
fn check(log: &Log, model: &Model, touched: impl Fn(&Written) -> bool, context: &str) -> usize {
    let mut unreadable = 0;
    for (offset, written) in model {
        for offset in [*offset, written.last_offset] {
            match read(log, offset) {
                Outcome::Bytes(bytes) if touched(written) => assert_eq!(
                    without_epoch(&bytes),
                    without_epoch(&written.bytes),
                    "{context}: wrong bytes at {offset}"
                ),
                Outcome::Bytes(bytes) => assert_eq!(bytes, written.bytes, "{context}: wrong bytes at {offset}"),
                Outcome::Refused | Outcome::BehindTheEnd => {
                    assert!(touched(written), "{context}: the good batch at {offset} cannot be read");
                    unreadable += 1;
                }
            }
        }
    }
    unreadable
}

/// The fourth rule: the next record gets an offset that no record had; and it can be read.
fn check_next_offset(log: &mut Log, at_least: i64, context: &str) {
    let (offset, written) = append(log, &mut Chance::new(99), 1_000);
    assert!(offset >= at_least, "{context}: offset {offset} was given again, {at_least} is the next");
    assert_eq!(read(log, offset), Outcome::Bytes(written.bytes), "{context}: the new record");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

fn end_of(model: &Model) -> i64 {
    model.last_key_value().map_or(0, |(_, written)| written.last_offset + 1)
}

/// The last three batches are all in the last segment; the tail is cut at every byte of them.
#[test]
fn torn_tail_at_every_byte() {
    for clean in [false, true] {
        let folder = folders::in_memory();
        let original = folder.path().join("t-0");
        let (model, recovery_point) = write_folder(&original, 5, 31, clean);
        let last: Vec<_> = model.iter().rev().take(3).collect();
        let file = &last[0].1.file;
        assert!(last.iter().all(|(_, written)| &written.file == file), "the seed must put three batches into one file");
        let (first, whole) = (last[2].1.position, last[0].1.position + last[0].1.bytes.len());
        for length in first..whole {
            let context = format!("clean {clean}, {file} cut to {length} of {whole} bytes");
            let dir = folder.path().join("cut-0");
            copy(&original, &dir);
            std::fs::OpenOptions::new()
                .write(true)
                .open(dir.join(file))
                .and_then(|f| f.set_len(length as u64))
                .expect("a cut");
            let mut log = reopen(&dir, clean, recovery_point);
            check(
                &log,
                &model,
                |written| &written.file == file && written.position + written.bytes.len() > length,
                &context,
            );
            let kept = model.iter().filter(|(_, w)| &w.file != file || w.position + w.bytes.len() <= length).count();
            let kept_end = model.values().nth(kept - 1).map_or(0, |written| written.last_offset + 1);
            assert!(log.log_end_offset() >= if clean { recovery_point } else { kept_end }, "{context}");
            check_next_offset(&mut log, if clean { recovery_point } else { kept_end }, &context);
            std::fs::remove_dir_all(dir).expect("clean up");
        }
    }
}

/// Zeros, garbage and a stale valid batch behind the end change nothing.
#[test]
fn rubbish_behind_the_end() {
    for clean in [false, true] {
        let folder = folders::in_memory();
        let original = folder.path().join("t-0");
        let (model, recovery_point) = write_folder(&original, 5, 31, clean);
        let last = model.last_key_value().expect("batches").1;
        let mut chance = Chance::new(3);
        let garbage: Vec<u8> = (0..5_000).map(|_| chance.number().to_le_bytes()[0]).collect();
        let stale = model.values().next().expect("batches").bytes.clone();
        for (name, rubbish) in
            [("zeros", vec![0; 5_000]), ("one zero", vec![0]), ("garbage", garbage), ("stale", stale)]
        {
            let context = format!("clean {clean}, {name}");
            let dir = folder.path().join("rubbish-0");
            copy(&original, &dir);
            let path = dir.join(&last.file);
            let mut bytes = std::fs::read(&path).expect("a file");
            bytes.extend(rubbish);
            std::fs::write(&path, bytes).expect("a file");
            let mut log = reopen(&dir, clean, recovery_point);
            assert_eq!(check(&log, &model, |_| false, &context), 0);
            assert_eq!(log.log_end_offset(), end_of(&model), "{context}");
            check_next_offset(&mut log, end_of(&model), &context);
            std::fs::remove_dir_all(dir).expect("clean up");
        }
    }
}

/// The power fails after every single change to the disk, with and without the writes that no fsync covered.
#[test]
fn power_cut_at_every_change() {
    let folder = folders::in_memory();
    let root = folder.path().join("live");
    let dir = root.join("t-0");
    let script = Arc::new(Script::default());
    let disk = Disk::scripted(Arc::clone(&script));
    let mut chance = Chance::new(7);
    let mut log = Log::create(&disk, &dir, topic_id(), 0, options(), NOW_MS).expect("a new log");
    disk.sync_dir(&root).expect("whoever makes logs makes their folders durable");
    let mut model = Model::new();
    // After which change how much was acknowledged: written, and flushed.
    let mut acknowledged = vec![(script.changes().len(), 0, 0)];
    for number in 0..40 {
        let (offset, written) = append(&mut log, &mut chance, number);
        let end = written.last_offset + 1;
        model.insert(offset, written);
        if number % 4 == 3 {
            let outcome = log.begin_flush().run();
            log.end_flush(outcome).expect("a flush");
        }
        acknowledged.push((script.changes().len(), end, log.recovery_point()));
    }
    log.close().expect("a clean stop");
    let changes = script.changes();
    for kept in acknowledged[0].0..=changes.len() {
        let (_, written, flushed) =
            *acknowledged.iter().rev().find(|(at, ..)| *at <= kept).expect("the first is at the start");
        for unsynced in [true, false] {
            let promised = if unsynced { written } else { flushed };
            let context = format!(
                "{kept} of {} changes, unsynced writes kept: {unsynced}, last {:?}",
                changes.len(),
                changes.get(kept.saturating_sub(1)).map(kind)
            );
            let image = folder.path().join("image");
            // The data folder was there before the log.
            std::fs::create_dir(&image).expect("a folder");
            Script::crash_image(&changes, kept, unsynced, &root, &image).expect("an image");
            let mut log = reopen(&image.join("t-0"), false, flushed);
            check(&log, &model, |written| written.last_offset >= promised, &context);
            assert!(
                log.log_end_offset() >= promised,
                "{context}: the end is {}, {promised} was promised",
                log.log_end_offset()
            );
            check_next_offset(&mut log, promised, &context);
            std::fs::remove_dir_all(&image).expect("clean up");
        }
    }
}

fn kind(change: &Change) -> String {
    let text = format!("{change:?}");
    text.chars().take(80).collect()
}

/// The model's batches are what the headers say.
#[test]
fn the_model_is_what_is_written() {
    let folder = folders::in_memory();
    let dir = folder.path().join("t-0");
    let (model, _) = write_folder(&dir, 5, 31, true);
    let files: std::collections::BTreeSet<_> = model.values().map(|written| written.file.clone()).collect();
    assert!(files.len() >= 3, "several segments: {files:?}");
    for (offset, written) in &model {
        let file = Bytes::from(std::fs::read(dir.join(&written.file)).expect("a file"));
        let header = BatchHeader::parse(file[written.position..].first_chunk().expect("a header"));
        assert_eq!((header.base_offset, header.last_offset()), (*offset, written.last_offset));
    }
}
