//! Reads records: lines of stdin, lines of files, or files as a whole. A thread of its own, because reading blocks.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use bytes::Bytes;
use cutaway::clock::{Clock, TimestampMs};
use cutaway::config::limits::CLIENT_RECORD_MAX_BYTES;
use cutaway::storage::disk::Disk;
use tokio::sync::mpsc;

use super::options::RecordOptions;

/// How much is read at a time.
const WINDOW_BYTES: usize = 256 * 1024;

/// How many bytes of records are handed over at a time, if they come that fast; and how many times that much may wait.
const CHUNK_BYTES: usize = 64 * 1024;
const WAITING_CHUNKS: usize = 16;

/// One record to be sent; its headers are those of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewRecord {
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) timestamp: TimestampMs,
    /// `line 7`, or the file that it is.
    pub(super) source: Source,
}

/// Where a record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A line of its input, from 1.
    Line(u64),
    /// A whole file, by its number among those named.
    File(usize),
}

impl NewRecord {
    /// Bytes of key and value.
    pub(super) fn size(&self) -> usize {
        self.key.as_ref().map_or(0, Bytes::len) + self.value.as_ref().map_or(0, Bytes::len)
    }
}

/// What was read, in order; an error is the last.
pub(super) type Input = mpsc::Receiver<anyhow::Result<Vec<NewRecord>>>;

/// Begins to read.
pub(super) fn start(options: &RecordOptions, clock: Clock) -> Input {
    let (sender, input) = mpsc::channel(WAITING_CHUNKS);
    let options = options.clone();
    std::thread::spawn(move || {
        if let Err(error) = read_all(&options, &clock, &sender) {
            // Nobody listens any more once the command has failed for another reason.
            let _ = sender.blocking_send(Err(error));
        }
    });
    input
}

type Sender = mpsc::Sender<anyhow::Result<Vec<NewRecord>>>;

fn read_all(options: &RecordOptions, clock: &Clock, sender: &Sender) -> anyhow::Result<()> {
    if options.files.is_empty() {
        return read_lines(io::stdin().lock(), "stdin", options, clock, sender);
    }
    for (index, path) in options.files.iter().enumerate() {
        match options.lines {
            true => {
                let name = path.display().to_string();
                read_lines(Disk::default().open_to_read(path)?, &name, options, clock, sender)?;
            }
            false => {
                let value = Bytes::from(whole_file(path)?);
                let key = options.key.clone().map(Bytes::from);
                let record = new_record(key, value, options.null, clock.now_ms(), Source::File(index));
                if sender.blocking_send(Ok(vec![record])).is_err() {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn whole_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut contents = Vec::new();
    let mut file = Disk::default().open_to_read(path)?.take(CLIENT_RECORD_MAX_BYTES as u64 + 1);
    file.read_to_end(&mut contents).with_context(|| format!("cannot read {}", path.display()))?;
    if contents.len() > CLIENT_RECORD_MAX_BYTES {
        bail!("{}; add -l to send its lines", too_large(&path.display().to_string()));
    }
    Ok(contents)
}

/// Hands lines over as they come: in chunks while there are more, at once when the next may take a while.
fn read_lines(
    input: impl Read,
    name: &str,
    options: &RecordOptions,
    clock: &Clock,
    sender: &Sender,
) -> anyhow::Result<()> {
    let mut input = BufReader::with_capacity(WINDOW_BYTES, input);
    let (mut chunk, mut chunk_bytes) = (Vec::new(), 0);
    for number in 1.. {
        let mut line = Vec::new();
        let count = (&mut input).take(CLIENT_RECORD_MAX_BYTES as u64 + 1).read_until(b'\n', &mut line);
        let count = count.with_context(|| format!("cannot read {name}"))?;
        let is_over = count == 0;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if count > CLIENT_RECORD_MAX_BYTES {
            bail!(too_large(&format!("{name} line {number}")));
        }
        // An empty line is nothing, as in kcat, unless nulls were asked for.
        if !is_over && (!line.is_empty() || options.null) {
            let record = of_line(line.into(), options, clock.now_ms(), number);
            chunk_bytes += record.size();
            chunk.push(record);
        }
        let is_last_for_now = is_over || chunk_bytes >= CHUNK_BYTES || !input.buffer().contains(&b'\n');
        if is_last_for_now && !chunk.is_empty() {
            chunk_bytes = 0;
            if sender.blocking_send(Ok(std::mem::take(&mut chunk))).is_err() {
                return Ok(());
            }
        }
        if is_over {
            break;
        }
    }
    Ok(())
}

fn of_line(line: Bytes, options: &RecordOptions, now_ms: TimestampMs, number: u64) -> NewRecord {
    let delimiter = options.key_delimiter.as_ref().map(|delimiter| &delimiter.0[..]);
    let split = delimiter.and_then(|delimiter| Some((find(&line, delimiter)?, delimiter.len())));
    let (key, value) = match split {
        Some((place, length)) => (Some(line.slice(..place)), line.slice(place + length..)),
        None => (options.key.clone().map(Bytes::from), line),
    };
    new_record(key, value, options.null, now_ms, Source::Line(number))
}

fn new_record(
    key: Option<Bytes>,
    value: Bytes,
    empty_is_null: bool,
    timestamp: TimestampMs,
    source: Source,
) -> NewRecord {
    let is_kept = |bytes: &Bytes| !(empty_is_null && bytes.is_empty());
    NewRecord { key: key.filter(is_kept), value: Some(value).filter(is_kept), timestamp, source }
}

fn find(line: &[u8], delimiter: &[u8]) -> Option<usize> {
    line.windows(delimiter.len()).position(|window| window == delimiter)
}

fn too_large(what: &str) -> String {
    let limit = CLIENT_RECORD_MAX_BYTES;
    format!(
        "{what} has more than {limit} bytes: no broker takes such a record, whatever max.message.bytes of its topic says"
    )
}
