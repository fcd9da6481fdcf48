//! What the partitions of one broker share for their upkeep: the time, the number of this start, a runtime for what must
//! not be done in place, a limit on flushes in the background, and a bell that rings when the checkpoints no longer tell the truth.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use super::run::Run;
use crate::clock::Clock;
use crate::config::limits::BACKGROUND_FLUSHES;

/// Shared by all partitions of one broker.
#[derive(Debug)]
pub(super) struct Upkeep {
    pub(super) clock: Clock,
    pub(super) run: Run,
    pub(super) runtime: Handle,
    pub(super) background_flushes: Semaphore,
    changed: AtomicBool,
    bell: Notify,
}

impl Upkeep {
    /// Upkeep on the runtime of the caller, who must be inside one.
    pub(super) fn new(clock: Clock, run: Run) -> Upkeep {
        Upkeep {
            clock,
            run,
            runtime: Handle::current(),
            background_flushes: Semaphore::new(BACKGROUND_FLUSHES),
            changed: AtomicBool::new(false),
            bell: Notify::new(),
        }
    }

    /// An offset changed that a checkpoint tells. Costs one load while that is known already.
    pub(super) fn note_change(&self) {
        if !self.changed.load(Ordering::Relaxed) && !self.changed.swap(true, Ordering::AcqRel) {
            self.bell.notify_one();
        }
    }

    /// Waits until something changed.
    pub(super) async fn change(&self) {
        self.bell.notified().await;
    }

    /// Whoever writes the checkpoints says so before it collects them, so that no later change is missed.
    pub(super) fn forget_changes(&self) {
        self.changed.store(false, Ordering::Release);
    }
}
