//! When events happen: a timeline gives each event, by its number, its moment, and each moment the number of events before it.
//!
//! ```text
//! rate(t) = asked × day(t) / day(from)  +  asked × (factor - 1) while a burst lasts
//! ```
//!
//! `day` is a wave around 1 with its peak at 18:00 UTC, so the rate is the one asked for where the simulation begins. There
//! is one burst in each period, at a moment left to chance. The integral of this has a closed form, so no event needs those
//! before it; the moment of an event is where the integral reaches its number, shaken a little.

use std::f64::consts::TAU;

use crate::chance::{Chance, Purpose};
use crate::settings::Bursts;

/// How far the day's wave goes from its mean.
const AMPLITUDE: f64 = 0.25;

/// Where the day's wave crosses its mean upwards: 12:00 UTC.
const RISING_S: f64 = 12.0 * 3600.0;

const DAY_S: f64 = 86_400.0;

/// Moments are whole microseconds, each event has its own, and each is shaken by up to half of the distance to the next.
pub(crate) const MAX_EVENTS_PER_S: f64 = 400_000.0;

/// The moments of a stream's events, in microseconds since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    seed: u64,
    begin_us: u64,
    rate: f64,
    scale: f64,
    bursts: Option<Bursts>,
}

impl Timeline {
    /// A timeline whose event 0 lies at `begin_us` and whose rate at `from_us` is so many events a second.
    pub(crate) fn new(seed: u64, begin_us: u64, from_us: u64, rate: f64, bursts: Option<Bursts>) -> Timeline {
        let wave = 1.0 + AMPLITUDE * angle(from_us as f64 / 1e6).sin();
        Timeline { seed, begin_us, rate, scale: rate / wave, bursts }
    }

    /// The highest rate that there will be, in events a second.
    pub(crate) fn peak_per_s(&self) -> f64 {
        let factor = self.bursts.as_ref().map_or(1.0, |bursts| bursts.factor);
        self.scale * (1.0 + AMPLITUDE) + self.rate * (factor - 1.0)
    }

    /// The moment of an event. Later events have later moments.
    pub(crate) fn time_us(&self, number: u64) -> u64 {
        let shaken = number as f64 + 0.5 * Chance::of(self.seed, Purpose::Moment, number).fraction();
        self.begin_us + (self.reaches(shaken) * 1e6) as u64
    }

    /// How many events lie before a moment.
    pub(crate) fn count_before(&self, time_us: u64) -> u64 {
        if time_us <= self.begin_us {
            return 0;
        }
        let mut number = self.integral((time_us - self.begin_us) as f64 / 1e6) as u64;
        while number > 0 && self.time_us(number - 1) >= time_us {
            number -= 1;
        }
        while self.time_us(number) < time_us {
            number += 1;
        }
        number
    }

    /// Seconds after the beginning at which the integral reaches a value: Newton's steps, kept between bounds that close in.
    fn reaches(&self, value: f64) -> f64 {
        let (mut low, mut high) = (0.0, value / (self.scale * (1.0 - AMPLITUDE)) + 1.0);
        let mut guess = (value / self.peak_per_s()).clamp(low, high);
        for _ in 0..60 {
            let error = self.integral(guess) - value;
            if error > 0.0 {
                high = guess;
            } else {
                low = guess;
            }
            let step = guess - error / self.rate_at(guess);
            let next = if step > low && step < high { step } else { f64::midpoint(low, high) };
            if (next - guess).abs() < 1e-9 {
                return next;
            }
            guess = next;
        }
        guess
    }

    /// How many events lie in the first seconds.
    fn integral(&self, seconds: f64) -> f64 {
        let begin = self.begin_us as f64 / 1e6;
        let waves = (angle(begin).cos() - angle(begin + seconds).cos()) * AMPLITUDE * DAY_S / TAU;
        let extra =
            self.bursts.as_ref().map_or(0.0, |bursts| (bursts.factor - 1.0) * self.burst_seconds(bursts, seconds));
        self.scale * (seconds + waves) + self.rate * extra
    }

    /// Events a second, so many seconds after the beginning.
    fn rate_at(&self, seconds: f64) -> f64 {
        let begin = self.begin_us as f64 / 1e6;
        let steady = self.scale * (1.0 + AMPLITUDE * angle(begin + seconds).sin());
        let burst = self.bursts.as_ref().filter(|bursts| {
            let since = seconds - self.burst_begin(bursts, seconds);
            (0.0..bursts.length_s).contains(&since)
        });
        steady + burst.map_or(0.0, |bursts| self.rate * (bursts.factor - 1.0))
    }

    /// How long bursts have lasted, so many seconds after the beginning.
    fn burst_seconds(&self, bursts: &Bursts, seconds: f64) -> f64 {
        let over = (seconds / bursts.every_s).floor() * bursts.length_s;
        over + (seconds - self.burst_begin(bursts, seconds)).clamp(0.0, bursts.length_s)
    }

    /// When the burst of the period begins in which this second lies.
    fn burst_begin(&self, bursts: &Bursts, seconds: f64) -> f64 {
        let period = (seconds / bursts.every_s).floor();
        let chance = Chance::of(self.seed, Purpose::Burst, period as u64).fraction();
        period * bursts.every_s + chance * (bursts.every_s - bursts.length_s)
    }
}

/// Where in the day a second since 1970 lies.
fn angle(unix_s: f64) -> f64 {
    (unix_s - RISING_S).rem_euclid(DAY_S) / DAY_S * TAU
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM_US: u64 = 1_780_000_000_000_000;
    const BEGIN_US: u64 = FROM_US - 7 * 86_400_000_000;

    fn timelines() -> Vec<Timeline> {
        let burst = |factor| Some(Bursts { factor, every_s: 60.0, length_s: 5.0 });
        let new = |rate, bursts| Timeline::new(5, BEGIN_US, FROM_US, rate, bursts);
        vec![new(0.5, None), new(36.0, None), new(36.0, burst(100.0)), new(20_000.0, burst(10.0)), new(166_000.0, None)]
    }

    #[test]
    fn moments_rise_and_counts_agree_with_them() {
        for timeline in timelines() {
            for beginning in [0, timeline.count_before(FROM_US)] {
                let moments: Vec<u64> = (beginning..beginning + 5_000).map(|number| timeline.time_us(number)).collect();
                assert!(moments.is_sorted_by(|earlier, later| earlier < later), "{timeline:?}");
                for (number, moment) in (beginning..).zip(&moments) {
                    assert_eq!(timeline.count_before(*moment), number, "{timeline:?}");
                    assert_eq!(timeline.count_before(*moment + 1), number + 1, "{timeline:?}");
                }
            }
        }
    }

    #[test]
    fn the_rate_is_the_one_asked_for_where_it_begins() {
        let timeline = &timelines()[1];
        let second = 1_000_000;
        let in_a_minute = timeline.count_before(FROM_US + 60 * second) - timeline.count_before(FROM_US);
        assert!((2150..2170).contains(&in_a_minute), "{in_a_minute}");
    }

    #[test]
    fn a_burst_is_in_every_period() {
        let timeline = &timelines()[2];
        for period in 0..20 {
            let at = |second: u64| timeline.count_before(BEGIN_US + (period * 60 + second) * 1_000_000);
            let busiest = (0..60).map(|second| at(second + 1) - at(second)).max().unwrap_or_default();
            assert!(busiest > 36 * 50, "{busiest} in the busiest second of minute {period}");
        }
    }

    #[test]
    fn the_peak_is_never_exceeded() {
        for timeline in timelines() {
            let at = |second: u64| timeline.count_before(BEGIN_US + second * 1_000_000) as f64;
            let busiest = (0..300).map(|second| at(second + 1) - at(second)).fold(0.0, f64::max);
            assert!(busiest <= timeline.peak_per_s() + 1.0, "{busiest} of {}", timeline.peak_per_s());
        }
    }
}
