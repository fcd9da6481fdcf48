//! All segments of one partition, from the writer's side.
//!
//! [`Log::append`] is the whole write path: judge the producer's sequence, roll if the segment is full, stamp base
//! offset and leader epoch into the first 16 bytes (both outside the CRC, so nothing is encoded again), one vectored
//! write, index entries by Kafka's rule, publish. A write that fails is cut back and refused; an fsync that fails closes
//! the log to writes until a restart, because the kernel may already have forgotten which pages were dirty.
//!
//! A log lives in a mutex of its partition. Readers use the [`LogReader`] and never wait for it.

pub(super) mod active;
mod flush;
pub(super) mod options;
mod reader;
mod roll;
mod start;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::TimestampMs;
use crate::names::TopicId;
use crate::storage::batch::{BatchHeader, RecordBatch};
use crate::storage::checkpoint::identity::{self, PARTITION_METADATA_FILE};
use crate::storage::disk::Disk;
use crate::storage::leader_epochs::LeaderEpochs;
use crate::storage::producers::{Producers, Verdict};
use crate::storage::recovery::folder::restore_topic_id;
use crate::storage::recovery::{self, Opened};
use crate::storage::segment::scan::{Located, Rules};
use crate::storage::transactions::{Marker, Transactions};
use crate::storage::{Error, Result};
use active::ActiveSegment;

pub use crate::storage::leader_epochs::EpochEnd;
pub use crate::storage::producers::ActiveProducer;
pub use crate::storage::recovery::Finding;
pub use crate::storage::recovery::folder::is_log_file;
pub use flush::Flush;
pub use options::{LogOptions, Opening};
pub use reader::{AbortedTransaction, LogReader, Read, TimestampOffset};
pub use start::Dropped;

/// Where a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of the first record.
    pub base_offset: i64,
    /// The offset of the last record.
    pub last_offset: i64,
    /// -1 for CreateTime; for a duplicate the timestamp of the batch that it repeats.
    pub log_append_time_ms: TimestampMs,
    /// The first offset that may be read.
    pub log_start_offset: i64,
    /// A retry of a batch that is there already: nothing was written.
    pub duplicate: bool,
    /// The base offset of the segment that it went to, which is the name of its file.
    pub segment_base_offset: i64,
    /// The byte where the batch begins in that file.
    pub position: u64,
}

/// The writer's side of one partition's log.
#[derive(Debug)]
pub struct Log {
    disk: Disk,
    dir: PathBuf,
    /// `topic-0`, for error texts.
    name: String,
    options: LogOptions,
    leader_epoch: i32,
    active: ActiveSegment,
    producers: Producers,
    recovery_point: i64,
    unflushed_count: u64,
    /// The folder is not as the last clean stop left it.
    changed: bool,
    /// A segment may have been made since the folder was synced.
    folder_is_dirty: bool,
    poisoned: Option<String>,
    /// The segments whose index of aborted transactions a full disk had no room for.
    owed_indexes: Vec<i64>,
    reader: Arc<LogReader>,
}

impl Log {
    /// Makes the folder, with nothing in it but `partition.metadata`. Neither is durable: the folder is once the caller
    /// has synced the one above, what is in it with the first flush.
    pub fn create(
        disk: &Disk,
        dir: &Path,
        topic_id: TopicId,
        leader_epoch: i32,
        options: LogOptions,
        now_ms: TimestampMs,
    ) -> Result<Log> {
        disk.create_dir_all(dir)?;
        identity::write_first_topic_id(disk, &dir.join(PARTITION_METADATA_FILE), topic_id)?;
        let rules = Rules { gaps_allowed: options.gaps_allowed, leader_epoch, offset_limit: i64::MAX };
        let active = ActiveSegment::first(disk, dir, &options, rules, now_ms);
        let opened = Opened {
            segments: vec![Arc::clone(&active.segment)],
            active,
            producers: Producers::default(),
            epochs: LeaderEpochs::empty(dir),
            transactions: Transactions::default(),
            owed_indexes: Vec::new(),
            scanned: false,
            findings: Vec::new(),
        };
        Ok(Log::assemble(disk, dir, leader_epoch, 0, options, opened))
    }

    /// Opens a folder, recovers what needs it, and tells what it found.
    pub fn open(
        disk: &Disk,
        dir: &Path,
        topic_id: TopicId,
        opening: Opening,
        options: LogOptions,
        now_ms: TimestampMs,
    ) -> Result<(Log, Vec<Finding>)> {
        let mut opened = recovery::open(disk, dir, opening, &options, now_ms)?;
        close_files(disk, &mut opened);
        let mut findings = std::mem::take(&mut opened.findings);
        let is_blank = opened.active.next_offset() == 0 && opened.active.size() == 0;
        findings.extend(restore_topic_id(disk, dir, topic_id, is_blank)?);
        let recovery_point = opening.recovery_point.clamp(0, opened.active.next_offset());
        let log = Log::assemble(disk, dir, opening.leader_epoch, recovery_point, options, opened);
        if log.changed
            && let Err(error) = log.reader.write_leader_epochs(disk)
        {
            // On a full disk what is there can be read all the same; the next roll or the stop writes the file.
            tracing::warn!("{error}; the file lacks leader epoch {} until there is room", opening.leader_epoch);
        }
        let start = log.reader.log_start_offset();
        if (start..=log.log_end_offset()).contains(&opening.log_start_offset) {
            log.reader.set_log_start_offset(opening.log_start_offset);
        }
        Ok((log, findings))
    }

    /// The settings that it obeys.
    pub fn options(&self) -> &LogOptions {
        &self.options
    }

    /// Obeys other settings from now on; what is written stays as it is.
    pub fn set_options(&mut self, options: LogOptions) {
        self.options = options;
    }

    fn assemble(
        disk: &Disk,
        dir: &Path,
        leader_epoch: i32,
        recovery_point: i64,
        options: LogOptions,
        opened: Opened,
    ) -> Log {
        let Opened { segments, active, producers, mut epochs, transactions, owed_indexes, scanned, .. } = opened;
        let end = active.next_offset();
        epochs.assign(leader_epoch, end);
        let start = segments.first().map_or(0, |segment| segment.base_offset);
        Log {
            disk: disk.clone(),
            dir: dir.to_owned(),
            name: dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            options,
            leader_epoch,
            active,
            producers,
            recovery_point,
            unflushed_count: u64::try_from(end - recovery_point).unwrap_or(0),
            changed: scanned,
            // What a kill left there may have been made just before it.
            folder_is_dirty: scanned,
            poisoned: None,
            owed_indexes,
            reader: Arc::new(LogReader::new(segments, start, epochs, transactions)),
        }
    }

    /// Appends one batch, or recognises it as a retry.
    pub fn append(&mut self, batch: &RecordBatch, now_ms: TimestampMs) -> Result<Appended> {
        if let Some(error) = self.poisoned() {
            return Err(error);
        }
        let base_offset = self.active.next_offset();
        if let Verdict::Duplicate(known) = self.producers.check(batch.header(), base_offset, &self.name)? {
            return Ok(self.repeated(known.last_offset, known.offset_delta, known.timestamp));
        }
        let header = BatchHeader { base_offset, partition_leader_epoch: self.leader_epoch, ..*batch.header() };
        self.make_room(&header, batch.bytes().len() as u64, now_ms)?;
        let position = self.active.size();
        self.note_change()?;
        if position == 0 {
            self.folder_is_dirty = true;
            self.active.segment.make_files()?;
        }
        self.write(position, &header, batch.bytes())?;
        self.active.note(&Located { position, header }, self.options.index_interval_bytes);
        self.producers.expire(now_ms, self.options.producer_id_expiration_ms);
        self.remember(&header, batch);
        self.unflushed_count += u64::try_from(i64::from(header.last_offset_delta) + 1).unwrap_or(1);
        Ok(Appended {
            base_offset,
            last_offset: header.last_offset(),
            log_append_time_ms: if header.is_log_append_time() { header.max_timestamp } else { -1 },
            log_start_offset: self.reader.log_start_offset(),
            duplicate: false,
            segment_base_offset: self.active.segment.base_offset,
            position,
        })
    }

    /// The readers' side.
    pub fn reader(&self) -> Arc<LogReader> {
        Arc::clone(&self.reader)
    }

    /// The first offset that may be read.
    pub fn log_start_offset(&self) -> i64 {
        self.reader.log_start_offset()
    }

    /// The offset that the next record gets.
    pub fn log_end_offset(&self) -> i64 {
        self.active.next_offset()
    }

    /// Everything below is on disk for certain.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point
    }

    /// The epoch stamped into batches.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Records appended since the last flush began, for `flush.messages`.
    pub fn unflushed_count(&self) -> u64 {
        self.unflushed_count
    }

    /// What has to reach the disk for everything appended so far to be durable. The caller runs it without holding the
    /// log's lock, and reports back with [`Log::end_flush`].
    pub fn begin_flush(&mut self) -> Flush {
        let segments = self.reader.segments();
        let dirty = segments.iter().filter(|segment| segment.published().next_offset > self.recovery_point);
        let files = dirty.map(|segment| segment.log.clone()).collect();
        self.unflushed_count = 0;
        let folder = std::mem::take(&mut self.folder_is_dirty).then(|| (self.disk.clone(), self.dir.clone()));
        Flush::new(files, folder, self.log_end_offset())
    }

    /// Notes how a flush ended; a failed one closes the log to writes.
    pub fn end_flush(&mut self, outcome: Result<i64>) -> Result<()> {
        match outcome {
            Ok(flushed) => {
                self.recovery_point = self.recovery_point.max(flushed);
                Ok(())
            }
            Err(error) => {
                self.poison(error.to_string());
                Err(error)
            }
        }
    }

    /// Why the log takes no writes until a restart; flushes are of no use then, either.
    pub fn poisoned(&self) -> Option<Error> {
        let why = self.poisoned.clone()?;
        Some(Error::Poisoned { path: self.dir.clone(), why })
    }

    /// Closes the log to writes until a restart, with the reason.
    pub fn poison(&mut self, why: String) {
        self.poisoned.get_or_insert(why);
    }

    /// The end of a clean stop: everything durable, indexes cut to their length, producers in a snapshot.
    pub fn close(&mut self) -> Result<()> {
        if let Some(error) = self.poisoned() {
            return Err(error);
        }
        self.write_owed_indexes()?;
        if !self.changed {
            return Ok(());
        }
        self.active.finish()?;
        self.reader.write_leader_epochs(&self.disk)?;
        let outcome = self.begin_flush().run();
        self.end_flush(outcome)?;
        if self.log_end_offset() > self.log_start_offset() {
            self.write_aborted()?;
            self.write_snapshot(self.log_end_offset())?;
        }
        Ok(())
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Renames the folder; open handles stay valid.
    pub fn rename(&mut self, to: &Path) -> Result<()> {
        self.reader.segments().iter().for_each(|segment| segment.seal());
        self.disk.rename(&self.dir, to)?;
        self.dir = to.to_owned();
        Ok(())
    }

    /// Every producer id that wrote here lately, so that none of them is given out again.
    pub fn producer_ids(&self) -> impl Iterator<Item = i64> {
        self.producers.ids()
    }

    /// The producers that wrote here lately.
    pub fn active_producers(&mut self, now_ms: TimestampMs) -> Vec<ActiveProducer> {
        self.producers.expire(now_ms, self.options.producer_id_expiration_ms);
        self.producers.active()
    }

    /// What the log knows of producers and transactions once it has this batch.
    fn remember(&mut self, header: &BatchHeader, batch: &RecordBatch) {
        let marker = if header.is_control() { Marker::of(batch.bytes()) } else { None };
        let aborted = self.producers.remember(header, marker);
        if header.is_transactional() {
            self.reader.note_transaction(aborted, self.producers.first_open());
        }
    }

    /// Ends every open transaction with the marker of an abort, as their coordinator does when they last too long.
    pub fn abort_open_transactions(&mut self, now_ms: TimestampMs) -> Result<()> {
        for producer in self.active_producers(now_ms).iter().filter(|producer| producer.transaction_first_offset >= 0) {
            self.append(&Marker::abort(producer.id, producer.epoch, now_ms), now_ms)?;
        }
        Ok(())
    }

    fn repeated(&self, last_offset: i64, offset_delta: i32, timestamp: TimestampMs) -> Appended {
        Appended {
            base_offset: last_offset - i64::from(offset_delta),
            last_offset,
            log_append_time_ms: timestamp,
            log_start_offset: self.reader.log_start_offset(),
            duplicate: true,
            segment_base_offset: self.active.segment.base_offset,
            position: self.active.size(),
        }
    }

    /// The first change since the log was opened makes the new leader epoch known on disk: not earlier, so that a
    /// start with many partitions does not wait for as many fsyncs. Before the very first record it need not be durable:
    /// until the first segment is sealed the log itself tells.
    fn note_change(&mut self) -> Result<()> {
        if !self.changed {
            if self.log_end_offset() == 0 {
                self.reader.write_first_leader_epoch(&self.disk)?;
            } else {
                self.reader.write_leader_epochs(&self.disk)?;
            }
            self.changed = true;
        }
        Ok(())
    }

    /// Writes a batch with its final base offset and leader epoch in place of the client's.
    fn write(&mut self, position: u64, header: &BatchHeader, bytes: &[u8]) -> Result<()> {
        let mut stamped = [0; 16];
        stamped[..8].copy_from_slice(&header.base_offset.to_be_bytes());
        stamped[8..12].copy_from_slice(&header.batch_length.to_be_bytes());
        stamped[12..].copy_from_slice(&header.partition_leader_epoch.to_be_bytes());
        self.active.reserve(bytes.len() as u64, self.options.segment_bytes);
        let file = &self.active.segment.log;
        let Err(error) = file.write_at(position, &[&stamped, &bytes[16..]]) else { return Ok(()) };
        if let Err(cut) = file.set_len(position) {
            self.poison(format!("{error}; and then {cut}"));
        }
        Err(error)
    }
}

/// Closes what recovery had to open: a log that nobody uses costs no descriptor.
fn close_files(disk: &Disk, opened: &mut Opened) {
    // The active segment is in the list too; for this moment each must have one owner.
    opened.segments.pop();
    let sealed = opened.segments.iter_mut().filter_map(Arc::get_mut);
    sealed.chain(Arc::get_mut(&mut opened.active.segment)).for_each(|segment| segment.close(disk));
    opened.segments.push(Arc::clone(&opened.active.segment));
}
