//! Asks a parked request to answer with what it has.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Set once, by the connection, when its client leaves or the broker stops.
#[derive(Debug, Default)]
pub struct Hurry {
    asked: AtomicBool,
    news: Notify,
}

impl Hurry {
    /// Asks; every wait ends, now and from now on.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.news.notify_waiters();
    }

    /// Whether it was asked.
    pub fn is_asked_for(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Waits until it is asked.
    pub async fn asked(&self) {
        let news = self.news.notified();
        if !self.is_asked_for() {
            news.await;
        }
    }
}
