//! The log as a textbook: each script in `scripts/log/` is a page, and its output is what the log really did.
//!
//! To write a page, leave the output away and run `UPDATE_GOLDENFILES=1 cargo test -p cutaway-tests log`.

mod show;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use cutaway::clock::Clock;
use cutaway::names::TopicId;
use cutaway::storage::batch::{BatchBuilder, BatchHeader};
use cutaway::storage::compression::Compression;
use cutaway::storage::disk::{Change, Disk, Script};
use cutaway::storage::log::{Appended, Log, LogOptions, Opening, Read};
use cutaway::storage::record;
use goldenscript::{ArgumentConsumer, Command, Context};

#[test]
fn scripts() {
    let mut pages: Vec<PathBuf> = std::fs::read_dir(scripts_dir())
        .expect("the folder of scripts")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    pages.sort();
    assert!(!pages.is_empty());
    for page in pages {
        goldenscript::run(&mut Bench::new(), &page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    }
}

fn scripts_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/log")
}

/// One log on a bench, with a disk that can be told to fail.
struct Bench {
    folder: tempfile::TempDir,
    script: Arc<Script>,
    disk: Disk,
    clock: Clock,
    options: LogOptions,
    topic_id: TopicId,
    log: Option<Log>,
    /// What the checkpoint would say.
    recovery_point: i64,
    leader_epoch: i32,
}

impl Bench {
    fn new() -> Bench {
        let script = Arc::new(Script::default());
        Bench {
            folder: cutaway_tests::folders::in_memory(),
            disk: Disk::scripted(Arc::clone(&script)),
            script,
            clock: Clock::frozen_at(1_700_000_000_000),
            options: LogOptions {
                segment_bytes: 1 << 30,
                segment_ms: 7 * 24 * 3600 * 1000,
                index_interval_bytes: 4096,
                segment_index_bytes: 10 * 1024 * 1024,
                gaps_allowed: false,
                producer_id_expiration_ms: 24 * 3600 * 1000,
            },
            topic_id: TopicId::parse("VP5XWQ1pSVaNHauegixrcA").expect("a topic id"),
            log: None,
            recovery_point: 0,
            leader_epoch: 0,
        }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("t-0")
    }

    fn log(&mut self) -> Result<&mut Log, Box<dyn Error>> {
        self.log.as_mut().ok_or_else(|| "the log is closed".into())
    }

    fn create(&mut self, mut args: ArgumentConsumer<'_>) -> Result<String, Box<dyn Error>> {
        self.options.segment_bytes = number(&mut args, "segment", self.options.segment_bytes)?;
        self.options.segment_ms = number(&mut args, "segment_ms", self.options.segment_ms)?;
        self.options.index_interval_bytes = number(&mut args, "interval", self.options.index_interval_bytes)?;
        args.reject_next()?;
        let (dir, now) = (self.dir(), self.clock.now_ms());
        self.log = Some(Log::create(&self.disk, &dir, self.topic_id, 0, self.options.clone(), now)?);
        Ok(String::new())
    }

    /// `append a k=v` appends one batch of two records: value a without a key, and key k with value v.
    fn append(&mut self, mut args: ArgumentConsumer<'_>) -> Result<String, Box<dyn Error>> {
        let codec = args.take_key("codec").map_or(Ok(Compression::None), codec)?;
        let timestamp = number(&mut args, "ts", self.clock.now_ms())?;
        let producer: i64 = number(&mut args, "producer", -1)?;
        let (epoch, sequence) = (number(&mut args, "epoch", 0)?, number(&mut args, "seq", 0)?);
        let transactional = number(&mut args, "txn", 0)? == 1;
        let (count, size): (usize, usize) = (number(&mut args, "count", 1)?, number(&mut args, "size", 0)?);
        let mut records: Vec<(Option<&str>, &str)> = Vec::new();
        while let Some(value) = args.next_pos() {
            records.push((None, value));
        }
        while let Some((key, value)) = args.next_key() {
            records.push((Some(key), value));
        }
        let mut output = String::new();
        for _ in 0..count {
            let mut builder = BatchBuilder::new(codec);
            if producer >= 0 {
                builder = builder.from_producer(producer, epoch, sequence);
            }
            if transactional {
                builder = builder.transactional();
            }
            for (key, value) in &records {
                let padded =
                    value.as_bytes().iter().copied().chain(std::iter::repeat_n(b'.', size)).collect::<Vec<_>>();
                builder.push(timestamp, key.map(str::as_bytes), Some(&padded), &[]);
            }
            let now = self.clock.now_ms();
            let appended = self.log()?.append(&builder.build(), now)?;
            output = describe(&appended);
        }
        Ok(output)
    }

    /// `end abort producer=1` appends a transaction's marker, as its coordinator does.
    fn end(&mut self, mut args: ArgumentConsumer<'_>) -> Result<String, Box<dyn Error>> {
        let kind: i16 = if args.next_pos() == Some("commit") { 1 } else { 0 };
        let producer = number(&mut args, "producer", 1)?;
        args.reject_next()?;
        let mut builder = BatchBuilder::new(Compression::None).from_producer(producer, 0, -1).transactional().control();
        let now = self.clock.now_ms();
        let key = [0i16.to_be_bytes(), kind.to_be_bytes()].concat();
        builder.push(now, Some(&key), Some(&[0, 0, 0, 0, 0, 7]), &[]);
        let appended = self.log()?.append(&builder.build(), now)?;
        Ok(describe(&appended))
    }

    /// What a reader of committed records is told with what it gets.
    fn committed(&mut self, mut args: ArgumentConsumer<'_>) -> Result<String, Box<dyn Error>> {
        let offset: i64 = args.next_pos().ok_or("an offset is missing")?.parse()?;
        let max = number(&mut args, "max", u32::MAX)?;
        args.reject_next()?;
        let (end, reader) = (self.log()?.log_end_offset(), self.log()?.reader());
        let stable = reader.first_open_transaction().unwrap_or(end);
        let read = reader.read(offset, stable, max, true)?;
        let aborted = read.map_or(Ok(Vec::new()), |read| reader.aborted_in(&read))?;
        let aborted = aborted.iter().map(|one| format!("producer {} from {}", one.producer_id, one.first_offset));
        let aborted: Vec<String> = aborted.collect();
        Ok(format!("last stable offset {stable}; aborted: {}", aborted.join(", ")))
    }

    fn read(&mut self, mut args: ArgumentConsumer<'_>) -> Result<String, Box<dyn Error>> {
        let offset: i64 = args.next_pos().ok_or("an offset is missing")?.parse()?;
        let max = number(&mut args, "max", u32::MAX)?;
        let end = number(&mut args, "end", self.log()?.log_end_offset())?;
        let at_least_one = number(&mut args, "at_least_one", 1)? == 1;
        args.reject_next()?;
        let Some(Read { range, .. }) = self.log()?.reader().read(offset, end, max, at_least_one)? else {
            return Ok("nothing".into());
        };
        let mut bytes = vec![0; range.length as usize];
        range.file.read_at(range.position, &mut bytes)?;
        let name = range.file.path().file_name().expect("a name").to_string_lossy().into_owned();
        let mut output = format!("{} bytes from byte {} of {name}", range.length, range.position);
        for batch in batches(&bytes) {
            output.push_str("\n  ");
            output.push_str(&values(batch));
        }
        Ok(output)
    }

    fn open(&mut self, mut args: ArgumentConsumer<'_>) -> Result<String, Box<dyn Error>> {
        let clean = args.next_pos() == Some("clean");
        let recovery_point = number(&mut args, "recovery_point", self.recovery_point)?;
        args.reject_next()?;
        self.leader_epoch += 1;
        let opening = Opening { clean, recovery_point, log_start_offset: 0, leader_epoch: self.leader_epoch };
        let (dir, now) = (self.dir(), self.clock.now_ms());
        let (log, findings) = Log::open(&self.disk, &dir, self.topic_id, opening, self.options.clone(), now)?;
        let mut output = format!("offsets {} to {}", log.log_start_offset(), log.log_end_offset());
        for finding in findings {
            let name = finding.file.file_name().expect("a name").to_string_lossy().into_owned();
            write!(output, "\n{name} at byte {}: {}", finding.position, finding.sentence)?;
        }
        self.log = Some(log);
        Ok(output)
    }

    fn close(&mut self) -> Result<String, Box<dyn Error>> {
        let log = self.log()?;
        log.close()?;
        let end = log.log_end_offset();
        (self.recovery_point, self.log) = (end, None);
        Ok(format!("recovery point {end}"))
    }

    fn flush(&mut self) -> Result<String, Box<dyn Error>> {
        let log = self.log()?;
        let outcome = log.begin_flush().run();
        log.end_flush(outcome)?;
        self.recovery_point = self.log()?.recovery_point();
        Ok(format!("recovery point {}", self.recovery_point))
    }

    fn files(&self) -> Result<String, Box<dyn Error>> {
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(self.dir())? {
            let entry = entry?;
            lines.push(format!("{} {}", entry.file_name().to_string_lossy(), entry.metadata()?.len()));
        }
        lines.sort();
        Ok(lines.join("\n"))
    }

    /// Changes a file behind the log's back.
    fn damage(&self, how: &str, mut args: ArgumentConsumer<'_>) -> Result<String, Box<dyn Error>> {
        let path = self.dir().join(args.next_pos().ok_or("a file is missing")?);
        let mut bytes = std::fs::read(&path)?;
        match how {
            "flip" => {
                let at = number(&mut args, "byte", 0usize)?;
                let bit: u8 = number(&mut args, "bit", 0)?;
                bytes[at] ^= 1 << bit;
            }
            "cut" => {
                let by = number(&mut args, "by", 0usize)?;
                bytes.truncate(bytes.len() - by);
            }
            "zeros" => bytes.extend(vec![0; number(&mut args, "count", 0usize)?]),
            "copy" => {
                let (from, to) = (number(&mut args, "from", 0usize)?, number(&mut args, "to", 0usize)?);
                bytes.extend_from_within(from..to);
            }
            other => return Err(format!("no such damage: {other}").into()),
        }
        args.reject_next()?;
        std::fs::write(path, bytes)?;
        Ok(String::new())
    }

    fn fail(&self, what: &str) -> String {
        let what = what.to_owned();
        self.script.fail_when(move |change| {
            let hit = match (what.as_str(), change) {
                ("write", Change::Write(path, ..)) => path.extension().is_some_and(|suffix| suffix == "log"),
                ("txnindex", Change::Rename(_, path)) => path.extension().is_some_and(|suffix| suffix == "txnindex"),
                ("cut", Change::SetLen(..) | Change::Write(..)) | ("sync", Change::Sync(_)) => true,
                _ => false,
            };
            hit.then(|| std::io::Error::from_raw_os_error(28))
        });
        String::new()
    }
}

impl goldenscript::Runner for Bench {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let folder = format!("{}/", self.folder.path().display());
        self.execute(command).map_err(|error| error.to_string().replace(&folder, "").into())
    }
}

impl Bench {
    fn execute(&mut self, command: &Command) -> Result<String, Box<dyn Error>> {
        let mut args = command.consume_args();
        match command.name.as_str() {
            "create" => self.create(args),
            "append" => self.append(args),
            "end" => self.end(args),
            "committed" => self.committed(args),
            "read" => self.read(args),
            "open" => self.open(args),
            "close" => self.close(),
            "kill" => {
                self.log = None;
                Ok(String::new())
            }
            "flush" => self.flush(),
            "begin" => {
                let offset = args.next_pos().ok_or("an offset is missing")?.parse()?;
                let mut dropped = self.log()?.begin_at(offset)?;
                let count = dropped.count();
                while dropped.remove_next()? {}
                Ok(format!("offsets from {}, {count} segments removed", self.log()?.log_start_offset()))
            }
            "files" => self.files(),
            "show" => self.show(args.next_pos().ok_or("a file is missing")?),
            how @ ("flip" | "cut" | "zeros" | "copy") => self.damage(how, args),
            "fail" => Ok(self.fail(args.next_pos().ok_or("what shall fail?")?)),
            "heal" => {
                self.script.heal();
                Ok(String::new())
            }
            "remove" => {
                std::fs::remove_file(self.dir().join(args.next_pos().ok_or("a file is missing")?))?;
                Ok(String::new())
            }
            "wait" => {
                self.clock.advance(std::time::Duration::from_millis(args.next_pos().ok_or("how long?")?.parse()?));
                Ok(String::new())
            }
            "find" => {
                let timestamp = args.next_pos().ok_or("a timestamp is missing")?;
                let end = self.log()?.log_end_offset();
                let reader = self.log()?.reader();
                let found = match timestamp {
                    "max" => reader.find_max_timestamp(end)?,
                    number => reader.find_by_timestamp(number.parse()?, end)?,
                };
                Ok(found
                    .map_or("nothing".into(), |found| format!("offset {} timestamp {}", found.offset, found.timestamp)))
            }
            other => Err(format!("no such command: {other}").into()),
        }
    }
}

fn number<T: std::str::FromStr>(args: &mut ArgumentConsumer<'_>, key: &str, default: T) -> Result<T, Box<dyn Error>>
where
    T::Err: Error + 'static,
{
    Ok(args.take_key(key).map(str::parse).transpose()?.unwrap_or(default))
}

fn codec(name: &str) -> Result<Compression, Box<dyn Error>> {
    let all = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    all.into_iter().find(|codec| codec.name() == name).ok_or_else(|| format!("no such codec: {name}").into())
}

fn describe(appended: &Appended) -> String {
    let Appended { base_offset, last_offset, segment_base_offset, position, .. } = appended;
    if appended.duplicate {
        return format!("offsets {base_offset} to {last_offset}, a duplicate");
    }
    format!("offsets {base_offset} to {last_offset} at byte {position} of segment {segment_base_offset}")
}

/// The whole batches in some bytes.
fn batches(mut bytes: &[u8]) -> Vec<Bytes> {
    let mut found = Vec::new();
    while let Some(header) = bytes.first_chunk().map(BatchHeader::parse) {
        let Some((batch, rest)) = header.total_size().and_then(|size| bytes.split_at_checked(size)) else { break };
        found.push(Bytes::copy_from_slice(batch));
        bytes = rest;
    }
    found
}

fn values(batch: Bytes) -> String {
    let text = |bytes: Option<Bytes>| bytes.map_or("null".into(), |bytes| String::from_utf8_lossy(&bytes).into_owned());
    let records = record::records(batch, 1 << 20).map(|record| {
        let record = record.expect("a good record");
        let value = text(record.value);
        let shown = if value.len() > 20 { format!("({} bytes)", value.len()) } else { value };
        format!("{}: {}={shown}", record.offset, text(record.key))
    });
    records.collect::<Vec<_>>().join(", ")
}
