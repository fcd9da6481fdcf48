//! What a producer counts, and how it tells it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::kafka::ledger::Ledger;
use crate::options::EndingOptions;
use crate::talk::{counted, grouped, print, say};
use crate::tally::Tally;

/// Events, by what became of them: `received` = `duplicates` + all `skipped` + `malformed` + `sent`, and `sent` =
/// `acknowledged` + `refused` + those in flight.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// All that came.
    pub received: u64,
    /// Came a second time, after a resume.
    pub duplicates: u64,
    /// No records by the demo's rules.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Should have been events.
    pub malformed: u64,
    /// Handed to the Kafka client.
    pub sent: u64,
    /// Missing at the source, by its offsets.
    pub gaps: u64,
    /// How many connections to the source stood.
    pub connections: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    kind: &'a str,
    program: &'a str,
    received: u64,
    duplicates: u64,
    skipped: &'a BTreeMap<&'static str, u64>,
    malformed: u64,
    sent: u64,
    acknowledged: u64,
    refused: u64,
    in_flight: u64,
    gaps: u64,
    connections: u64,
    rate: f64,
    types: &'a Tally,
}

/// Tells the counts, every second and at the end.
#[derive(Debug)]
pub struct Report {
    program: &'static str,
    is_json: bool,
    is_quiet: bool,
    begun: Instant,
    told: Instant,
    told_received: u64,
}

impl Report {
    /// Of that program.
    pub fn new(program: &'static str, options: &EndingOptions) -> Report {
        let now = Instant::now();
        Report { program, is_json: options.json, is_quiet: options.quiet, begun: now, told: now, told_received: 0 }
    }

    /// What there is to tell while the program runs.
    ///
    /// # Errors
    /// When nobody reads it any more.
    pub fn progress(&mut self, counts: &Counts, ledger: &Ledger) -> std::io::Result<()> {
        let rate = per_second(counts.received - self.told_received, self.told.elapsed());
        let is_news = counts.received > self.told_received;
        (self.told, self.told_received) = (Instant::now(), counts.received);
        if self.is_json {
            return self.line("progress", counts, ledger, rate);
        }
        if self.is_quiet || !is_news {
            return Ok(());
        }
        let mut text = format!(
            "{}, {rate:.0}/s, {} acknowledged, {} in flight",
            counted(counts.received, "event"),
            grouped(ledger.acknowledged().total()),
            grouped(ledger.in_flight())
        );
        for (what, count) in besides(counts, ledger) {
            text.push_str(&format!(", {} {what}", grouped(count)));
        }
        print(text)
    }

    /// What there is to tell at the end.
    ///
    /// # Errors
    /// When nobody reads it any more.
    pub fn summary(&self, counts: &Counts, ledger: &Ledger, topic: &str) -> std::io::Result<()> {
        let lasted = self.begun.elapsed();
        let rate = per_second(counts.received, lasted);
        if self.is_json {
            return self.line("summary", counts, ledger, rate);
        }
        let acknowledged = ledger.acknowledged();
        say(format_args!(
            "% {} received in {:.1} s ({rate:.0}/s); {} in the topic {topic}:",
            counted(counts.received, "event"),
            lasted.as_secs_f32(),
            grouped(acknowledged.total())
        ));
        for (name, count) in acknowledged.sorted() {
            print(format_args!("{name:<12} {}", grouped(count)))?;
        }
        let besides = besides(counts, ledger);
        if !besides.is_empty() {
            let parts: Vec<_> = besides.iter().map(|(what, count)| format!("{} {what}", grouped(*count))).collect();
            say(format_args!("% besides: {}", parts.join(", ")));
        }
        Ok(())
    }

    fn line(&self, kind: &str, counts: &Counts, ledger: &Ledger, rate: f64) -> std::io::Result<()> {
        let line = Line {
            kind,
            program: self.program,
            received: counts.received,
            duplicates: counts.duplicates,
            skipped: &counts.skipped,
            malformed: counts.malformed,
            sent: counts.sent,
            acknowledged: ledger.acknowledged().total(),
            refused: ledger.refused(),
            in_flight: ledger.in_flight(),
            gaps: counts.gaps,
            connections: counts.connections,
            rate: (rate * 10.0).round() / 10.0,
            types: ledger.acknowledged(),
        };
        print(serde_json::to_string(&line)?)
    }
}

/// What is not as usual.
fn besides(counts: &Counts, ledger: &Ledger) -> Vec<(&'static str, u64)> {
    let mut besides: Vec<_> = counts.skipped.iter().map(|(name, count)| (*name, *count)).collect();
    besides.extend([
        ("duplicates", counts.duplicates),
        ("malformed", counts.malformed),
        ("refused by the broker", ledger.refused()),
        ("missing at the source", counts.gaps),
    ]);
    besides.retain(|(_, count)| *count > 0);
    besides
}

/// A rate; none over no time.
#[allow(clippy::cast_precision_loss, reason = "a rate that is shown with one decimal")]
pub(crate) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}
