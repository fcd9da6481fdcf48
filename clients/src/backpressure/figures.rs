//! The numbers of a round, as a line, as JSON, and as a row of the table at the end.

use std::time::Duration;

use serde::Serialize;

use crate::produce::report::per_second;
use crate::talk::{grouped, print};

/// Where a round is.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    pub(super) kind: &'static str,
    pub(super) program: &'static str,
    pub(super) technique: &'static str,
    pub(super) seconds: f64,
    pub(super) received: u64,
    pub(super) duplicates: u64,
    pub(super) malformed: u64,
    pub(super) connections: u64,
    /// Done: the work, and the broker's acknowledgement.
    pub(super) processed: u64,
    pub(super) dropped: u64,
    pub(super) errors: u64,
    pub(super) queue: usize,
    pub(super) queue_high_water: usize,
    pub(super) rate_received: f64,
    pub(super) rate_processed: f64,
    pub(super) latency_p50_ms: Option<f64>,
    pub(super) latency_p99_ms: Option<f64>,
    pub(super) records_per_batch: i64,
    pub(super) requests_per_second: f64,
}

impl Figures {
    /// Sets the rates from what came and went in that time.
    pub(super) fn set_rates(&mut self, (received, processed, requests): (u64, u64, i64), time: Duration) {
        self.rate_received = rounded(per_second(received, time));
        self.rate_processed = rounded(per_second(processed, time));
        self.requests_per_second = rounded(per_second(requests.unsigned_abs(), time));
    }

    /// Prints a line.
    pub(super) fn print(&self, is_json: bool) -> std::io::Result<()> {
        if is_json {
            return print(serde_json::to_string(self)?);
        }
        print(format_args!(
            "{:<17} received {} ({:.0}/s), processed {} ({:.0}/s), dropped {}, errors {}, queue {} (most {}), {} per batch, \
             {:.0} requests/s",
            self.technique,
            grouped(self.received),
            self.rate_received,
            grouped(self.processed),
            self.rate_processed,
            grouped(self.dropped),
            grouped(self.errors),
            grouped(self.queue as u64),
            grouped(self.queue_high_water as u64),
            self.records_per_batch,
            self.requests_per_second
        ))
    }
}

fn rounded(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

/// Prints all rounds below each other.
pub(super) fn table(rounds: &[Figures]) -> std::io::Result<()> {
    print(format_args!(
        "\n{:<17}{:>11}{:>11}{:>10}{:>9}{:>9}{:>11}{:>11}",
        "technique", "received", "processed", "done/s", "dropped", "queue", "p50 send", "p99 send"
    ))?;
    for round in rounds {
        let time = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
        print(format_args!(
            "{:<17}{:>11}{:>11}{:>10.0}{:>9}{:>9}{:>11}{:>11}",
            round.technique,
            grouped(round.received),
            grouped(round.processed),
            round.rate_processed,
            grouped(round.dropped),
            grouped(round.queue_high_water as u64),
            time(round.latency_p50_ms),
            time(round.latency_p99_ms)
        ))?;
    }
    Ok(())
}
