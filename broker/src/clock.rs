//! The only file that reads time or sleeps.
//!
//! A broker has one [`Clock`]. Wall-clock readings stamp records, decide rolls and expiry, and name events; sleeping
//! is monotonic. A frozen clock moves only when told to, so that a test of "seven days later" takes no days.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, the unit of every timestamp in Kafka.
pub type TimestampMs = i64;

/// One broker's source of time; clones share it.
#[derive(Clone, Debug)]
pub struct Clock {
    /// `None`: the system's time. `Some`: a time that stands still until [`Clock::advance`].
    frozen_ms: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// A clock that follows the system's.
    pub fn system() -> Clock {
        Clock { frozen_ms: None }
    }

    /// A clock that stands at `now_ms`.
    pub fn frozen_at(now_ms: TimestampMs) -> Clock {
        Clock { frozen_ms: Some(Arc::new(AtomicI64::new(now_ms))) }
    }

    /// The wall-clock time.
    pub fn now_ms(&self) -> TimestampMs {
        match &self.frozen_ms {
            Some(frozen) => frozen.load(Ordering::Relaxed),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        }
    }

    /// Moves a frozen clock forward; a system clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Some(frozen) = &self.frozen_ms {
            frozen.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
        }
    }

    /// A monotonic reading, for measuring how long something took.
    pub fn instant(&self) -> Instant {
        Instant::now()
    }

    /// The monotonic time since an earlier reading.
    pub fn elapsed_since(&self, start: Instant) -> Duration {
        start.elapsed()
    }

    /// Sleeps for `duration` of monotonic time.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A moment in the Gregorian calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Moment {
    pub year: i64,
    /// From 1.
    pub month: i64,
    /// Of the month, from 1.
    pub day: i64,
    /// 0 is Sunday.
    pub weekday: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub millisecond: i64,
}

impl Moment {
    /// The arithmetic counts years from March, so that the leap day ends one, in eras of 400 years, which all have the same
    /// number of days.
    pub fn of(time_ms: TimestampMs) -> Moment {
        const MS_PER_DAY: i64 = 24 * 60 * 60 * 1000;
        let (days, ms) = (time_ms.div_euclid(MS_PER_DAY), time_ms.rem_euclid(MS_PER_DAY));
        let days_since_march_0000 = days + 719_468;
        let era = days_since_march_0000.div_euclid(146_097);
        let day_of_era = days_since_march_0000.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Moment {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            // 1970 began on a Thursday.
            weekday: (days + 4).rem_euclid(7),
            hour: ms / 3_600_000,
            minute: ms / 60_000 % 60,
            second: ms / 1000 % 60,
            millisecond: ms % 1000,
        }
    }
}

/// The first moment of a day, in UTC: the inverse of [`Moment::of`]. `None` for a day that the calendar does not have.
pub fn midnight_ms(year: i64, month: i64, day: i64) -> Option<TimestampMs> {
    // The year of the arithmetic begins in March.
    let march_year = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = march_year.div_euclid(4) - march_year.div_euclid(100) + march_year.div_euclid(400);
    let time_ms = (365 * march_year + leap_days + day_of_year - 719_468) * 24 * 60 * 60 * 1000;
    let there = Moment::of(time_ms);
    ((there.year, there.month, there.day) == (year, month, day)).then_some(time_ms)
}

/// A time as RFC 3339 writes it, in UTC: `2026-11-23T14:05:53.042Z`.
pub fn rfc3339(time_ms: TimestampMs) -> String {
    let Moment { year, month, day, hour, minute, second, millisecond, .. } = Moment::of(time_ms);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
    }
}
