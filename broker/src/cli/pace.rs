//! Holds back what would be told too often: the first few of a kind in full, then how many more there were.

use std::time::Duration;

use cutaway::clock::TimestampMs;

/// How many of a kind may be told in a window of time, which begins with the first of them. Time is handed in.
#[derive(Debug)]
pub(crate) struct Pace {
    most: u32,
    window_ms: i64,
    begun_ms: TimestampMs,
    told: u32,
    held_back: u64,
}

/// What is to be done with one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Tell it, after telling that so many were held back before it.
    Tell {
        /// Since the last one that was told.
        held_back: u64,
    },
    /// Hold it back.
    HoldBack {
        /// True for the first since one was told.
        is_first: bool,
        /// Until the window ends.
        left: Duration,
    },
}

impl Pace {
    /// At most so many in each window.
    pub(crate) fn new(most: u32, window: Duration) -> Pace {
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        Pace { most, window_ms, begun_ms: TimestampMs::MIN, told: 0, held_back: 0 }
    }

    /// Judges one more.
    pub(crate) fn judge(&mut self, now_ms: TimestampMs) -> Verdict {
        let mut passed_ms = now_ms.saturating_sub(self.begun_ms);
        // A clock that was set back begins a window as well.
        if !(0..self.window_ms).contains(&passed_ms) {
            (self.begun_ms, self.told, passed_ms) = (now_ms, 0, 0);
        }
        if self.told < self.most {
            self.told += 1;
            return Verdict::Tell { held_back: self.take_held_back() };
        }
        self.held_back += 1;
        let left = Duration::from_millis(u64::try_from(self.window_ms - passed_ms).unwrap_or(0));
        Verdict::HoldBack { is_first: self.held_back == 1, left }
    }

    /// How many were held back; they count as told from now on.
    pub(crate) fn take_held_back(&mut self) -> u64 {
        std::mem::take(&mut self.held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_back(is_first: bool, left_ms: u64) -> Verdict {
        Verdict::HoldBack { is_first, left: Duration::from_millis(left_ms) }
    }

    #[test]
    fn the_first_few_are_told_and_the_rest_is_counted() {
        let mut pace = Pace::new(2, Duration::from_secs(1));
        let verdicts = [5000, 5100, 5200, 5999, 6000, 6001].map(|now_ms| pace.judge(now_ms));
        let told = |held_back| Verdict::Tell { held_back };
        assert_eq!(verdicts, [told(0), told(0), held_back(true, 800), held_back(false, 1), told(2), told(0)]);
        assert_eq!(pace.judge(6002), held_back(true, 998));
        assert_eq!((pace.take_held_back(), pace.take_held_back()), (1, 0));
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nothing() {
        let mut pace = Pace::new(1, Duration::from_secs(1));
        assert_eq!(pace.judge(100_000), Verdict::Tell { held_back: 0 });
        assert_eq!(pace.judge(5), Verdict::Tell { held_back: 0 });
    }
}
