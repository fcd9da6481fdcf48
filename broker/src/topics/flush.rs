//! Flushes in groups: everything appended before one starts is made durable by it.
//!
//! ```text
//!  append a ── wants offset 1 ── starts a thread: [ fsync …………… ] done up to 1 → a is answered
//!  append b ── wants offset 2 ───────────────── waits … ─────────┘ [ fsync …… ] done up to 3 → b, c are answered
//!  append c ── wants offset 3 ───────────────────── waits … ───────┘
//! ```
//!
//! One thread of the blocking pool flushes a partition for as long as somebody waits; the log's lock is not held while
//! the disk works. A flush that fails closes the log to writes, answers all who wait with the reason, and is never
//! tried again. `flush.ms` is a timer that is set by the first record that is not yet on disk, and delays nobody.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Partition;
use super::partition::Writer;
use crate::config::TopicConfig;
use crate::storage::{Error, Result};

/// When a partition flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlushRules {
    /// As soon as so many records wait for it.
    messages: u64,
    /// After so long; `None` for never.
    ms: Option<u64>,
}

/// How far the flushes of one partition have come, for those who wait.
#[derive(Debug)]
pub(super) struct Flushes {
    dir: PathBuf,
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Debug)]
struct Progress {
    durable_below: i64,
    failure: Option<Arc<str>>,
}

impl FlushRules {
    /// `flush.messages` and `flush.ms`.
    pub(super) fn of(config: &TopicConfig) -> FlushRules {
        FlushRules {
            messages: u64::try_from(config.flush_messages).unwrap_or(1).max(1),
            ms: u64::try_from(config.flush_ms).ok().filter(|_| config.flush_ms < i64::MAX),
        }
    }
}

impl Flushes {
    pub(super) fn new(dir: PathBuf, durable_below: i64) -> Flushes {
        Flushes { dir, progress: watch::Sender::new(Progress { durable_below, failure: None }) }
    }

    /// Waits until everything below `end_offset` is durable, or will never be.
    pub(super) async fn reached(&self, end_offset: i64) -> Result<()> {
        let mut progress = self.progress.subscribe();
        let is_over = |progress: &Progress| progress.durable_below >= end_offset || progress.failure.is_some();
        let progress = progress.wait_for(is_over).await.expect("the sender lives as long as the partition");
        match &progress.failure {
            Some(why) if progress.durable_below < end_offset => Err(self.failed(why)),
            _ => Ok(()),
        }
    }

    /// Nothing beyond this is going to be durable.
    pub(super) fn ended(&self, durable_below: i64) {
        self.progress.send_modify(|progress| {
            progress.durable_below = progress.durable_below.max(durable_below);
            progress.failure.get_or_insert_with(|| "the broker is stopping".into());
        });
    }

    fn failed(&self, why: &str) -> Error {
        Error::Poisoned { path: self.dir.clone(), why: why.to_owned() }
    }
}

impl Partition {
    /// Asks for a flush when enough records wait for one, else makes sure that the timer runs.
    pub(super) fn see_to_flush(&self, writer: &mut Writer) {
        if writer.log.unflushed_count() == 0 {
            return;
        }
        if writer.log.unflushed_count() >= writer.flush_rules.messages {
            writer.flush_wanted = writer.log.log_end_offset();
            if !std::mem::replace(&mut writer.is_flushing, true) {
                let partition = self.this.upgrade().expect("whoever calls holds the partition");
                self.upkeep.runtime.spawn_blocking(move || partition.flush());
            }
        } else if let Some(flush_ms) = writer.flush_rules.ms
            && !std::mem::replace(&mut writer.is_timer_set, true)
        {
            self.set_timer(flush_ms);
        }
    }

    /// Waits until everything appended so far is on the disk, whatever the settings ask for.
    pub async fn make_durable(self: &Arc<Self>) -> Result<()> {
        let (end_offset, is_due) = {
            let mut writer = self.open_writer()?;
            if let Some(error) = writer.log.poisoned() {
                return Err(error);
            }
            (writer.log.log_end_offset(), is_flush_due(&mut writer))
        };
        if is_due {
            let partition = Arc::clone(self);
            self.upkeep.runtime.spawn_blocking(move || partition.flush());
        }
        self.flushes()?.reached(end_offset).await
    }

    /// After a start: the timer runs for what a kill left unflushed, as if it had just been appended.
    pub(super) fn see_to_what_is_found(&self) {
        // An unusable log has nothing to flush.
        if let Ok(mut writer) = self.writer() {
            self.see_to_flush(&mut writer);
        }
    }

    /// Makes everything appended so far durable, and goes on while more is wanted. Blocks; one thread at a time.
    pub(super) fn flush(&self) {
        // A bug in here must not leave others waiting for ever.
        let flush = || catch_unwind(AssertUnwindSafe(|| self.flush_once()));
        while flush().unwrap_or_else(|_| self.tell(Err(self.interrupted()))) {}
    }

    fn interrupted(&self) -> Error {
        let why = "a bug in the broker interrupted a flush";
        if let Ok(mut writer) = self.writer() {
            writer.log.poison(why.into());
        }
        Error::Poisoned { path: PathBuf::from(self.id().to_string()), why: why.into() }
    }

    /// One flush; true when another one is wanted already.
    fn flush_once(&self) -> bool {
        let begun = self.writer().map(|mut writer| {
            writer.flush_again = false;
            (writer.log.begin_flush(), writer.appended_bytes)
        });
        // A deleted partition needs no flush, and its waiters no answer but that.
        let outcome = begun.map(|(flush, bytes)| (flush.run(), bytes));
        let finished = outcome.and_then(|(outcome, bytes)| {
            let mut writer = self.writer()?;
            let outcome = writer.log.end_flush(outcome);
            writer.flushed_bytes = bytes;
            if outcome.is_ok() {
                self.publish(&mut writer);
            }
            let flushed = writer.log.recovery_point();
            writer.is_flushing = outcome.is_ok() && (writer.flush_wanted > flushed || writer.flush_again);
            outcome.map(|()| (flushed, writer.is_flushing))
        });
        self.upkeep.note_change();
        self.tell(finished)
    }

    /// Tells those who wait how a flush ended.
    fn tell(&self, finished: Result<(i64, bool)>) -> bool {
        let Ok(flushes) = self.flushes() else { return false };
        match finished {
            Ok((durable_below, goes_on)) => {
                flushes.progress.send_modify(|progress| progress.durable_below = durable_below);
                goes_on
            }
            Err(error) => {
                if error.is_fault() {
                    tracing::error!("{}: a flush failed, no more records are taken: {error}", self.id());
                }
                flushes.progress.send_modify(|progress| progress.failure = Some(error.to_string().into()));
                false
            }
        }
    }

    /// Flushes in `flush_ms`, if the partition is still there then.
    fn set_timer(&self, flush_ms: u64) {
        let (partition, clock) = (self.this.clone(), self.upkeep.clock.clone());
        self.upkeep.runtime.spawn(async move {
            clock.sleep(Duration::from_millis(flush_ms)).await;
            if let Some(partition) = partition.upgrade() {
                partition.flush_on_time().await;
            }
        });
    }

    async fn flush_on_time(self: Arc<Self>) {
        let upkeep = Arc::clone(&self.upkeep);
        let _permit = upkeep.background_flushes.acquire().await.expect("the semaphore is never closed");
        let is_due = self.writer().is_ok_and(|mut writer| is_flush_due(&mut writer));
        if is_due {
            let flush = upkeep.runtime.spawn_blocking(move || self.flush());
            // A panic in there has been reported by its thread.
            let _ = flush.await;
        }
    }
}

/// Something is to be flushed now: whether the caller must flush, or nobody, or the thread that does so already.
pub(super) fn is_flush_due(writer: &mut Writer) -> bool {
    writer.is_timer_set = false;
    // After a flush that failed the disk may say that all is well: it has told of its failure, and forgotten what it lost.
    if writer.log.unflushed_count() == 0 || writer.log.poisoned().is_some() {
        return false;
    }
    writer.flush_again = writer.is_flushing;
    !std::mem::replace(&mut writer.is_flushing, true)
}
