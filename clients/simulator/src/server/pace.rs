//! The simulation's clock: its time goes by `speed` times as fast as the machine's, from a beginning that was asked for.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The shortest wait.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// The simulation's clock.
#[derive(Debug)]
pub(crate) struct Pace {
    from_us: u64,
    speed: f64,
    began: OnceLock<Instant>,
    /// The simulation's time does not go beyond this.
    end_us: OnceLock<u64>,
}

impl Pace {
    /// A clock that stands still at `from_us` until it is started.
    pub(crate) fn new(from_us: u64, speed: f64) -> Pace {
        Pace { from_us, speed, began: OnceLock::new(), end_us: OnceLock::new() }
    }

    /// Starts the clock, if it does not run yet.
    pub(crate) fn start(&self) {
        self.began.get_or_init(Instant::now);
    }

    /// Stops the clock for good.
    pub(crate) fn stop(&self) {
        self.end_us.get_or_init(|| self.running_us(Instant::now()));
    }

    /// Whether the clock was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.end_us.get().is_some()
    }

    /// The simulation's time, in microseconds since 1970.
    pub(crate) fn now_us(&self) -> u64 {
        self.end_us.get().copied().unwrap_or_else(|| self.running_us(Instant::now()))
    }

    fn running_us(&self, now: Instant) -> u64 {
        let elapsed = self.began.get().map_or(Duration::ZERO, |began| now.duration_since(*began));
        self.from_us + (elapsed.as_secs_f64() * self.speed * 1e6) as u64
    }

    /// How long it takes on the machine until the simulation's time has come this far, and a moment at the least: events
    /// that come quickly after each other go together.
    pub(crate) fn until(&self, time_us: u64) -> Duration {
        let left_us = time_us.saturating_sub(self.now_us()) as f64;
        Duration::from_secs_f64((left_us / self.speed / 1e6).min(3600.0)).max(SHORTEST_PAUSE)
    }

    /// How long ago, by the machine, the simulation's time was this.
    pub(crate) fn since(&self, time_us: u64) -> Duration {
        let gone_us = self.now_us().saturating_sub(time_us) as f64;
        Duration::from_secs_f64((gone_us / self.speed / 1e6).min(1e9))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_until_it_is_started() {
        let pace = Pace::new(1_000_000, 10.0);
        assert_eq!(pace.now_us(), 1_000_000);
        assert_eq!(pace.until(2_000_000), Duration::from_millis(100));
        pace.start();
        let began = *pace.began.get().expect("it is started");
        assert_eq!(pace.running_us(began + Duration::from_millis(5)), 1_050_000);
        assert!(pace.since(0) >= Duration::from_millis(100));
        pace.stop();
        let end_us = pace.now_us();
        assert!(pace.is_stopped() && pace.running_us(began + Duration::from_secs(5)) > end_us);
        assert_eq!((pace.now_us(), pace.since(end_us)), (end_us, Duration::ZERO));
    }
}
