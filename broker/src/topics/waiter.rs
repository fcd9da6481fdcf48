//! Parked fetches: woken once, and only when enough bytes have come.
//!
//! A fetch that finds too little makes one [`FetchWaiter`] and registers it at every partition that it wants. Each
//! partition counts what it publishes against it; the one that completes it fires it. What the fetch then reads is
//! not decided here: it reads again, as if it had just come.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

/// Below this many waiters nobody looks for abandoned ones.
const FEW_WAITERS: usize = 8;

/// One parked fetch, registered at every partition that it wants.
#[derive(Debug)]
pub struct FetchWaiter {
    /// Not positive once the waiter has fired.
    missing_bytes: AtomicI64,
    fired: Notify,
}

impl FetchWaiter {
    /// A fetch that still lacks `missing_bytes`.
    pub fn new(missing_bytes: i64) -> Arc<FetchWaiter> {
        Arc::new(FetchWaiter { missing_bytes: AtomicI64::new(missing_bytes), fired: Notify::new() })
    }

    /// Waits for the bytes, or for a partition that was deleted; cancel-safe (the caller selects with its deadline).
    pub async fn woken(&self) {
        if self.missing_bytes.load(Ordering::Acquire) > 0 {
            self.fired.notified().await;
        }
    }

    /// Counts bytes that became readable; true once there are enough.
    fn count(&self, bytes: i64) -> bool {
        let before = self.missing_bytes.fetch_sub(bytes, Ordering::AcqRel);
        if before > 0 && before <= bytes {
            self.fired.notify_one();
        }
        before <= bytes
    }

    /// Wakes the fetch whatever it lacks.
    fn fire(&self) {
        if self.missing_bytes.swap(0, Ordering::AcqRel) > 0 {
            self.fired.notify_one();
        }
    }
}

/// The fetches that wait for one partition. While there are none, publishing costs one load.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// Set before a fetch looks at the readable end for the last time, read after that end was moved: one of the two
    /// sees the other, so nobody sleeps through a record.
    any: AtomicBool,
    parked: Mutex<Parked>,
}

#[derive(Debug, Default)]
struct Parked {
    /// A fetch that gave up just drops its waiter.
    waiters: Vec<Weak<FetchWaiter>>,
    /// How many there may be before the abandoned ones are looked for.
    crowded_at: usize,
}

impl Waiters {
    /// Registers a fetch; the caller looks at the readable end once more afterwards.
    pub(super) fn park(&self, waiter: &Arc<FetchWaiter>) {
        let mut parked = self.parked();
        if parked.waiters.len() >= parked.crowded_at.max(FEW_WAITERS) {
            parked.waiters.retain(|waiter| waiter.strong_count() > 0);
            parked.crowded_at = parked.waiters.len() * 2;
        }
        parked.waiters.push(Arc::downgrade(waiter));
        self.any.store(true, Ordering::SeqCst);
    }

    /// Tells the fetches that `bytes` more can be read; called after the readable end was moved.
    pub(super) fn published(&self, bytes: i64) {
        if self.any.load(Ordering::SeqCst) {
            self.release(|waiter| waiter.count(bytes));
        }
    }

    /// Wakes all, because the partition is gone.
    pub(super) fn wake_all(&self) {
        self.release(|waiter| {
            waiter.fire();
            true
        });
    }

    /// Forgets those waiters that are done, and those that were abandoned.
    fn release(&self, is_done: impl Fn(&FetchWaiter) -> bool) {
        let mut parked = self.parked();
        parked.waiters.retain(|waiter| waiter.upgrade().is_some_and(|waiter| !is_done(&waiter)));
        self.any.store(!parked.waiters.is_empty(), Ordering::SeqCst);
    }

    fn parked(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_woken(waiter: &FetchWaiter) -> bool {
        let future = std::pin::pin!(waiter.woken());
        future.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn a_fetch_is_woken_when_all_partitions_together_have_enough() {
        let (first, second) = (Waiters::default(), Waiters::default());
        let waiter = FetchWaiter::new(100);
        first.park(&waiter);
        second.park(&waiter);
        first.published(60);
        assert!(!is_woken(&waiter));
        second.published(40);
        assert!(is_woken(&waiter));
        assert!(!second.any.load(Ordering::SeqCst), "who has fired is forgotten");
        assert!(first.any.load(Ordering::SeqCst), "the other partition learns it at its next append");
        first.published(1);
        assert!(!first.any.load(Ordering::SeqCst));
    }

    #[test]
    fn a_fetch_that_lacks_nothing_does_not_wait() {
        assert!(is_woken(&FetchWaiter::new(0)));
    }

    #[test]
    fn deletion_wakes_whoever_waits() {
        let waiters = Waiters::default();
        let waiter = FetchWaiter::new(i64::MAX);
        waiters.park(&waiter);
        waiters.wake_all();
        assert!(is_woken(&waiter));
    }

    #[test]
    fn abandoned_waiters_do_not_pile_up() {
        let waiters = Waiters::default();
        let kept = FetchWaiter::new(1);
        waiters.park(&kept);
        for _ in 0..1000 {
            waiters.park(&FetchWaiter::new(1));
        }
        assert!(waiters.parked().waiters.len() <= FEW_WAITERS + 1);
        waiters.published(1);
        assert!(is_woken(&kept));
    }
}
