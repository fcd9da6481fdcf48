//! One partition: a log behind its mutex, and the readable end published beside it.
//!
//! Writers take the mutex; readers never do. They read up to the *high watermark*, an atomic that [`Partition::append`]
//! moves when it is done: at once, or, where the topic asks for flushes, when the disk has the records. How flushes
//! are grouped is told in [`flush`](super::flush), how a fetch waits in [`waiter`](super::waiter).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::task::JoinError;

use super::FetchWaiter;
use super::flush::{FlushRules, Flushes};
use super::isolation::{Isolation, PartitionRead};
use super::upkeep::Upkeep;
use super::waiter::Waiters;
use crate::config::TopicConfig;
use crate::names::TopicPartition;
use crate::storage::batch::RecordBatch;
use crate::storage::disk::Disk;
use crate::storage::log::{ActiveProducer, Appended, EpochEnd, Log, LogOptions, LogReader, TimestampOffset};
use crate::storage::{Error, Result};

/// One partition of one topic.
#[derive(Debug)]
pub struct Partition {
    id: TopicPartition,
    leader_epoch: i32,
    /// Readable below this. Moves only forward, and only under the writer's lock.
    high_watermark: AtomicI64,
    log_end_offset: AtomicI64,
    deleted: AtomicBool,
    waiters: Waiters,
    log: std::result::Result<Usable, Unusable>,
    pub(super) upkeep: Arc<Upkeep>,
    /// The partition itself, for tasks that outlive a call.
    pub(super) this: Weak<Partition>,
}

/// A log that can be used.
#[derive(Debug)]
struct Usable {
    reader: Arc<LogReader>,
    writer: Mutex<Writer>,
    flushes: Flushes,
}

/// Why a log cannot be used: one bad folder must not keep the broker from starting.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) dir: PathBuf,
    pub(super) leader_epoch: i32,
    pub(super) log_start_offset: i64,
    pub(super) why: String,
}

/// What the mutex guards.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) log: Log,
    /// Why appends are refused, once the broker stops.
    stopped: bool,
    /// The offset below which a flush was asked for; the high watermark stays below it until that flush is done.
    pub(super) flush_wanted: i64,
    /// A thread is flushing.
    pub(super) is_flushing: bool,
    /// The flushing thread must go once more, though nobody waits for it.
    pub(super) flush_again: bool,
    /// The timer for `flush.ms` runs.
    pub(super) is_timer_set: bool,
    /// Bytes appended in this run; of these flushed; of these counted against waiting fetches.
    pub(super) appended_bytes: i64,
    pub(super) flushed_bytes: i64,
    published_bytes: i64,
    pub(super) flush_rules: FlushRules,
}

impl Partition {
    /// A partition whose log was opened; everything in it is readable.
    pub(super) fn new(id: TopicPartition, log: Log, config: &TopicConfig, upkeep: Arc<Upkeep>) -> Arc<Partition> {
        let (end, leader_epoch) = (log.log_end_offset(), log.leader_epoch());
        let writer = Writer {
            stopped: false,
            flush_wanted: 0,
            is_flushing: false,
            flush_again: false,
            is_timer_set: false,
            appended_bytes: 0,
            flushed_bytes: 0,
            published_bytes: 0,
            flush_rules: FlushRules::of(config),
            log,
        };
        let log = Usable {
            reader: writer.log.reader(),
            flushes: Flushes::new(writer.log.dir().to_owned(), writer.log.recovery_point()),
            writer: Mutex::new(writer),
        };
        Self::assemble(id, leader_epoch, end, Ok(log), upkeep)
    }

    /// A partition whose folder could not be opened; it answers everything with the reason.
    pub(super) fn unusable(id: TopicPartition, unusable: Unusable, upkeep: Arc<Upkeep>) -> Arc<Partition> {
        Self::assemble(id, unusable.leader_epoch, 0, Err(unusable), upkeep)
    }

    fn assemble(
        id: TopicPartition,
        leader_epoch: i32,
        end: i64,
        log: std::result::Result<Usable, Unusable>,
        upkeep: Arc<Upkeep>,
    ) -> Arc<Partition> {
        Arc::new_cyclic(|this| Partition {
            id,
            leader_epoch,
            high_watermark: AtomicI64::new(end),
            log_end_offset: AtomicI64::new(end),
            deleted: AtomicBool::new(false),
            waiters: Waiters::default(),
            log,
            upkeep,
            this: this.clone(),
        })
    }

    /// The topic and the number.
    pub fn id(&self) -> &TopicPartition {
        &self.id
    }

    /// The epoch stamped into new batches; rises with every start of the broker.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// The first offset that may be read.
    pub fn log_start_offset(&self) -> i64 {
        match &self.log {
            Ok(log) => log.reader.log_start_offset(),
            Err(unusable) => unusable.log_start_offset,
        }
    }

    /// The offset that the next record gets.
    pub fn log_end_offset(&self) -> i64 {
        self.log_end_offset.load(Ordering::SeqCst)
    }

    /// Records below may be read.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark.load(Ordering::SeqCst)
    }

    /// Records below belong to no open transaction.
    pub fn last_stable_offset(&self) -> i64 {
        // In this order: a transaction is known to be open before its first record can be read.
        let high_watermark = self.high_watermark();
        let first_open = self.log.as_ref().ok().and_then(|log| log.reader.first_open_transaction());
        high_watermark.min(first_open.unwrap_or(i64::MAX))
    }

    /// Bytes in the partition's `.log` files.
    pub fn size(&self) -> u64 {
        self.reader().map_or(0, |reader| reader.size())
    }

    /// Appends, waits for the flush when the settings ask for one, publishes the readable end, wakes fetches.
    pub async fn append(&self, batch: &RecordBatch) -> Result<Appended> {
        self.count_the_start().await?;
        let (appended, awaited) = self.append_in_place(batch)?;
        if let Some(end_offset) = awaited {
            self.usable()?.flushes.reached(end_offset).await?;
        }
        Ok(appended)
    }

    /// What is readable from `offset`; OffsetOutOfRange outside [log start, log end].
    pub fn read(&self, offset: i64, isolation: Isolation, max_bytes: u32, at_least_one: bool) -> Result<PartitionRead> {
        let reader = self.reader()?;
        let (start, end) = (reader.log_start_offset(), self.log_end_offset());
        if !(start..=end).contains(&offset) {
            return Err(Error::OffsetOutOfRange { offset, start, end });
        }
        let (high_watermark, last_stable_offset) = (self.high_watermark(), self.last_stable_offset());
        let end = isolation.readable_end(high_watermark, last_stable_offset);
        let read = reader.read(offset, end, max_bytes, at_least_one)?;
        let aborted = match isolation {
            Isolation::ReadCommitted => Some(read.as_ref().map_or(Ok(Vec::new()), |read| reader.aborted_in(read))?),
            Isolation::ReadUncommitted => None,
        };
        let range = read.map(|read| read.range);
        Ok(PartitionRead { high_watermark, last_stable_offset, log_start_offset: start, range, aborted })
    }

    /// Registers a fetch that saw `readable_end` as the end; false when the end has moved since (read again).
    pub fn watch(&self, waiter: &Arc<FetchWaiter>, isolation: Isolation, readable_end: i64) -> bool {
        self.waiters.park(waiter);
        self.readable_end(isolation) == readable_end && !self.deleted.load(Ordering::SeqCst)
    }

    /// The first record at or after a time, below the readable end. Blocks on decompression: runs on the blocking pool.
    pub async fn find_by_timestamp(
        self: &Arc<Self>,
        timestamp: i64,
        isolation: Isolation,
    ) -> Result<Option<TimestampOffset>> {
        let end = self.readable_end(isolation);
        self.search(move |reader| reader.find_by_timestamp(timestamp, end)).await
    }

    /// The record with the largest timestamp.
    pub async fn find_max_timestamp(self: &Arc<Self>, isolation: Isolation) -> Result<Option<TimestampOffset>> {
        let end = self.readable_end(isolation);
        self.search(move |reader| reader.find_max_timestamp(end)).await
    }

    /// The epoch under which `offset` was written.
    pub fn leader_epoch_of(&self, offset: i64) -> Option<i32> {
        self.reader().ok()?.leader_epoch_of(offset)
    }

    /// Where the largest epoch up to `epoch` ends; `None` for one that is still to come.
    pub fn end_of_epoch(&self, epoch: i32) -> Option<EpochEnd> {
        self.reader().ok()?.end_of_epoch(epoch, self.log_end_offset())
    }

    /// Where reading goes on behind damage that a read at `offset` has met.
    pub fn behind_damage(&self, offset: i64) -> Option<i64> {
        self.reader().ok()?.behind_damage(offset)
    }

    /// How many transactions in it were aborted.
    pub fn aborted_transactions(&self) -> usize {
        self.reader().map_or(0, |reader| reader.aborted_transactions())
    }

    /// The producers that wrote here lately.
    pub fn active_producers(&self) -> Result<Vec<ActiveProducer>> {
        Ok(self.writer()?.log.active_producers(self.upkeep.clock.now_ms()))
    }

    /// Takes no more records until a restart, for this reason; reads go on.
    pub(super) fn refuse_appends(&self, why: &str) {
        if let Ok(mut writer) = self.writer() {
            writer.log.poison(why.to_owned());
        }
    }

    /// Obeys other settings from now on.
    pub(super) fn reconfigure(&self, config: &TopicConfig, options: LogOptions) {
        // A log that cannot be used, or is being deleted, has nothing to obey them with.
        let Ok(mut writer) = self.writer() else { return };
        writer.log.set_options(options);
        let rules = FlushRules::of(config);
        // A timer that runs is for the former rules; one that goes off too early only flushes early.
        writer.is_timer_set &= rules == writer.flush_rules;
        writer.flush_rules = rules;
        self.see_to_flush(&mut writer);
    }

    /// Closes the log: everything durable, and no append afterwards.
    pub(super) fn close(&self) -> Result<()> {
        let Ok(log) = &self.log else { return Ok(()) };
        let mut writer = log.lock();
        writer.stopped = true;
        let closed = writer.log.close();
        // Nobody flushes any more, so nobody shall wait for it.
        log.flushes.ended(writer.log.recovery_point());
        closed
    }

    /// Gives the folder another name, refuses everything from now on, and wakes those who wait.
    pub(super) fn retire(&self, disk: &Disk, to: &Path) -> Result<()> {
        self.deleted.store(true, Ordering::SeqCst);
        self.waiters.wake_all();
        match &self.log {
            Ok(log) => log.lock().log.rename(to),
            Err(unusable) => disk.rename(&unusable.dir, to),
        }
    }

    /// Below this offset everything is on disk.
    pub(super) fn recovery_point(&self) -> Option<i64> {
        self.log.as_ref().ok().map(|log| log.lock().log.recovery_point())
    }

    /// The writer's side, unless the partition is gone.
    pub(super) fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.usable()?.lock();
        // Deletion marks the partition before it takes the lock to rename the folder.
        self.check_deleted().map(|()| writer)
    }

    /// The writer's side, unless the partition is gone or the broker stops.
    pub(super) fn open_writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer()?;
        if writer.stopped {
            return Err(Error::Poisoned { path: writer.log.dir().to_owned(), why: "the broker is stopping".into() });
        }
        Ok(writer)
    }

    /// Who waits for flushes.
    pub(super) fn flushes(&self) -> Result<&Flushes> {
        self.usable().map(|log| &log.flushes)
    }

    /// Moves the readable end to where it may be, and tells the waiting fetches.
    pub(super) fn publish(&self, writer: &mut Writer) {
        let (end, flushed) = (writer.log.log_end_offset(), writer.log.recovery_point());
        self.log_end_offset.store(end, Ordering::SeqCst);
        let is_held_back = writer.flush_wanted > flushed;
        let (readable, bytes) =
            if is_held_back { (flushed, writer.flushed_bytes) } else { (end, writer.appended_bytes) };
        if readable > self.high_watermark() {
            self.high_watermark.store(readable, Ordering::SeqCst);
            self.waiters.published(bytes - writer.published_bytes);
            writer.published_bytes = bytes;
            self.upkeep.note_change();
        }
    }

    /// The part of an append that needs the lock. Also returns the offset that a flush must reach before the answer.
    fn append_in_place(&self, batch: &RecordBatch) -> Result<(Appended, Option<i64>)> {
        let mut writer = self.open_writer()?;
        let appended = writer.log.append(batch, self.upkeep.clock.now_ms())?;
        if !appended.duplicate {
            writer.appended_bytes += i64::try_from(batch.bytes().len()).expect("a batch is smaller than 2 GiB");
        }
        self.see_to_flush(&mut writer);
        self.publish(&mut writer);
        // A retry of a batch whose flush still runs waits for it like the first attempt.
        let end_offset = appended.last_offset + 1;
        let must_wait = end_offset <= writer.flush_wanted && end_offset > writer.log.recovery_point();
        Ok((appended, must_wait.then_some(end_offset)))
    }

    /// Before the first append after a start on a full disk; see [`Run`](super::run::Run).
    async fn count_the_start(&self) -> Result<()> {
        if self.upkeep.run.is_counted() {
            return Ok(());
        }
        let upkeep = Arc::clone(&self.upkeep);
        let outcome = self.upkeep.runtime.spawn_blocking(move || upkeep.run.count()).await;
        outcome.unwrap_or_else(|broken| Err(self.interrupted_by(broken, "count a start for")))
    }

    async fn search(
        &self,
        search: impl FnOnce(&LogReader) -> Result<Option<TimestampOffset>> + Send + 'static,
    ) -> Result<Option<TimestampOffset>> {
        let reader = Arc::clone(self.reader()?);
        let outcome = self.upkeep.runtime.spawn_blocking(move || search(&reader)).await;
        outcome.unwrap_or_else(|broken| Err(self.interrupted_by(broken, "search")))
    }

    pub(super) fn interrupted_by(&self, broken: JoinError, action: &'static str) -> Error {
        Error::io(action, Path::new(&self.id.to_string()))(io::Error::other(broken))
    }

    fn readable_end(&self, isolation: Isolation) -> i64 {
        isolation.readable_end(self.high_watermark(), self.last_stable_offset())
    }

    fn reader(&self) -> Result<&Arc<LogReader>> {
        let log = self.usable()?;
        self.check_deleted().map(|()| &log.reader)
    }

    fn usable(&self) -> Result<&Usable> {
        self.log.as_ref().map_err(|Unusable { dir, why, .. }| Error::io("open", dir)(io::Error::other(why.clone())))
    }

    fn check_deleted(&self) -> Result<()> {
        if self.deleted.load(Ordering::SeqCst) {
            return Err(Error::Deleted { partition: self.id.to_string() });
        }
        Ok(())
    }
}

impl Usable {
    /// A panic under the lock may have left the log half changed: it takes no more writes, but can be read.
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(|poisoned| {
            let mut writer = poisoned.into_inner();
            writer.log.poison("a bug in the broker interrupted an append".into());
            self.writer.clear_poison();
            writer
        })
    }
}
