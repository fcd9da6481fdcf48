//! How long sends took: a histogram of constant size, good to an eighth.

use std::time::Duration;

/// Sub-buckets in each power of two of microseconds.
const STEPS: u64 = 8;

/// Up to 2^40 microseconds, twelve days.
const BUCKETS: usize = 41 * STEPS as usize;

/// Counts of durations.
#[derive(Debug)]
pub(super) struct Latency {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Latency {
    fn default() -> Latency {
        Latency { buckets: vec![0; BUCKETS], count: 0 }
    }
}

impl Latency {
    /// Adds one.
    pub(super) fn add(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(micros).min(BUCKETS - 1)] += 1;
        self.count += 1;
    }

    /// The duration that this share of all did not exceed, in milliseconds; nothing when there are none.
    #[allow(clippy::cast_precision_loss, reason = "a share of a count, and a time that is good to an eighth")]
    pub(super) fn percentile_ms(&self, percent: u64) -> Option<f64> {
        let wanted = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let index = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(upper_end(index as u64) as f64 / 1000.0)
    }
}

/// Values below 8 have a bucket each; above, each power of two has eight.
fn bucket(micros: u64) -> usize {
    let power = u64::from(micros.max(1).ilog2());
    let index = match power {
        0..=2 => micros,
        _ => (power - 2) * STEPS + ((micros >> (power - 3)) - STEPS),
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest value of a bucket.
fn upper_end(index: u64) -> u64 {
    match index / STEPS {
        0 => index,
        group => ((index % STEPS + STEPS + 1) << (group - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for micros in (0..2000).chain([10_000, 123_456, 1_000_000, 77_777_777]) {
            let end = upper_end(bucket(micros) as u64);
            assert!(end >= micros && end <= micros + micros / 8, "{micros} ends at {end}");
        }
    }

    #[test]
    fn percentiles_are_good_to_an_eighth() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile_ms(50), None);
        (1..=100).for_each(|ms| latency.add(Duration::from_millis(ms)));
        let (half, most) = (latency.percentile_ms(50).unwrap(), latency.percentile_ms(99).unwrap());
        assert!((50.0..57.0).contains(&half) && (99.0..112.0).contains(&most), "{half} {most}");
        latency.add(Duration::MAX);
    }
}
