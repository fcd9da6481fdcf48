//! How a consumer tells what it has read and counted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::progress::Progress;
use crate::options::EndingOptions;
use crate::produce::report::per_second;
use crate::talk::{counted, grouped, print, say};
use crate::tally::Tally;

#[derive(Serialize)]
struct Line<'a> {
    kind: &'a str,
    program: &'a str,
    read: u64,
    again: u64,
    counted: u64,
    uncounted: u64,
    types: &'a Tally,
    offsets: BTreeMap<i32, i64>,
    lag: Option<i64>,
    rate: f64,
    store: &'a str,
}

/// Tells the counts, every second and at the end.
pub(super) struct Report {
    program: &'static str,
    is_json: bool,
    begun: Instant,
    told: Instant,
    told_read: u64,
}

impl Report {
    pub(super) fn new(program: &'static str, options: &EndingOptions) -> Report {
        let now = Instant::now();
        Report { program, is_json: options.json, begun: now, told: now, told_read: 0 }
    }

    /// A line for programs, if a second has passed.
    pub(super) fn progress(
        &mut self,
        progress: &Progress,
        lag: impl FnOnce() -> Option<i64>,
        store: &str,
    ) -> std::io::Result<()> {
        if !self.is_json || self.told.elapsed() < Duration::from_secs(1) {
            return Ok(());
        }
        let rate = per_second(progress.read - self.told_read, self.told.elapsed());
        (self.told, self.told_read) = (Instant::now(), progress.read);
        self.line("progress", progress, lag(), rate, store)
    }

    /// The end.
    pub(super) fn summary(&self, progress: &Progress, lag: Option<i64>, store: &str) -> std::io::Result<()> {
        let lasted = self.begun.elapsed();
        let rate = per_second(progress.read, lasted);
        if self.is_json {
            return self.line("summary", progress, lag, rate, store);
        }
        let mut text = format!(
            "% {} read in {:.1} s ({rate:.0}/s), {} counted",
            counted(progress.read, "record"),
            lasted.as_secs_f32(),
            grouped(progress.written.total())
        );
        for (what, count) in [("without a type", progress.uncounted), ("read again", progress.again)] {
            if count > 0 {
                text.push_str(&format!(", {} {what}", grouped(count)));
            }
        }
        say(text);
        Ok(())
    }

    fn line(&self, kind: &str, progress: &Progress, lag: Option<i64>, rate: f64, store: &str) -> std::io::Result<()> {
        let line = Line {
            kind,
            program: self.program,
            read: progress.read,
            again: progress.again,
            counted: progress.written.total(),
            uncounted: progress.uncounted,
            types: &progress.written,
            offsets: progress.next(),
            lag,
            rate: (rate * 10.0).round() / 10.0,
            store,
        };
        print(serde_json::to_string(&line)?)
    }
}
