//! What can be written after `cutaway events`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use event_simulator::{Answer, Bursts, Faults, Services, Settings};

use crate::cli::Mistake;
use crate::cli::time;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cutaway events                                     both, at the pace of the real ones
  cutaway events wikipedia --rate 1000 --burst 10    ten times as many for five seconds of each minute
  cutaway events bluesky --seed 7 --from 2026-06-01 --events 100000    the same 100 000 events every time
  cutaway events --life-events 500 --mid-event       connections are cut in the middle of an event
  cutaway events --answers 503,429,html,ok           what the first connections get; then events

Read them as you would read the real ones:
  curl -N -A 'lesson/1 (me@example.org)' http://127.0.0.1:8090/v2/stream/recentchange
  curl -s http://127.0.0.1:8090/oracle               what was sent";

/// Which events, how many, how fast, and what goes wrong.
#[derive(Args, Clone, Debug)]
pub(crate) struct EventsOptions {
    /// Whose events.
    #[arg(value_name = "SERVICE", default_value = "both")]
    pub(crate) service: Service,
    /// The port on 127.0.0.1; 0 for one that is free.
    #[arg(long, short, value_name = "N", default_value_t = 8090)]
    port: u16,
    /// The same seed, rate and beginning make the same events, byte for byte.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Events")]
    seed: u64,
    /// Events a second where it begins; of Bluesky's those that have to do with posts. [default: 36 and 60]
    #[arg(long, allow_negative_numbers = true, value_name = "N", help_heading = "Events")]
    rate: Option<f64>,
    /// How many likes, reposts and follows there are for each event of Bluesky's that has to do with posts.
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 7.0, help_heading = "Events")]
    others: f64,
    /// How many times faster than real time it goes.
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 1.0, help_heading = "Events")]
    speed: f64,
    /// The time at which it begins: RFC 3339, or milliseconds since 1970. [default: now]
    #[arg(long, value_name = "TIME", value_parser = time_ms, help_heading = "Events")]
    from: Option<i64>,
    /// How many events of each service there are from then on. [default: no end]
    #[arg(long, value_name = "N", help_heading = "Events")]
    events: Option<u64>,
    /// So many times the rate, for a while in each period.
    #[arg(long, allow_negative_numbers = true, value_name = "FACTOR", help_heading = "Events")]
    burst: Option<f64>,
    /// The length of a period of bursts, in seconds.
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "SECONDS",
        default_value_t = 60.0,
        requires = "burst",
        help_heading = "Events"
    )]
    burst_every: f64,
    /// The length of a burst, in seconds.
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "SECONDS",
        default_value_t = 5.0,
        requires = "burst",
        help_heading = "Events"
    )]
    burst_length: f64,
    #[command(flatten)]
    faults: FaultOptions,
    /// What was sent, as JSON, at the end.
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not tell who comes and goes.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// What goes wrong.
#[derive(Args, Clone, Debug)]
struct FaultOptions {
    /// Connections are cut after so many seconds; 0 for never.
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "SECONDS",
        default_value_t = 900.0,
        help_heading = "Faults"
    )]
    life: f64,
    /// Connections are cut after so many events.
    #[arg(long, value_name = "N", help_heading = "Faults")]
    life_events: Option<u64>,
    /// The cut comes in the middle of an event.
    #[arg(long, help_heading = "Faults")]
    mid_event: bool,
    /// A WebSocket ends with this code instead of a cut.
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(1000..5000), help_heading = "Faults")]
    close_code: Option<u16>,
    /// Each connection falls silent once, after so many events.
    #[arg(long, value_name = "N", requires = "stall", help_heading = "Faults")]
    stall_after: Option<u64>,
    /// For how many seconds.
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "SECONDS",
        requires = "stall_after",
        help_heading = "Faults"
    )]
    stall: Option<f64>,
    /// Before so many of 1000 events comes something that is none: half of one, a page, 5 MB.
    #[arg(long, value_name = "PERMILLE", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1000), help_heading = "Faults")]
    malformed: u64,
    /// What the first connections get: a status, html, or ok for events.
    #[arg(long, value_name = "ANSWER", value_delimiter = ',', help_heading = "Faults")]
    answers: Vec<Answer>,
    /// Wikipedia's bytes come one by one.
    #[arg(long, help_heading = "Faults")]
    bytewise: bool,
    /// More connections at a time than this get 429.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Faults")]
    max_connections: u16,
    /// Who falls back so far on Bluesky's events is dropped.
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "SECONDS",
        default_value_t = 30.0,
        help_heading = "Faults"
    )]
    slow_after: f64,
    /// Wikipedia's data centres change places after so many seconds.
    #[arg(long, allow_negative_numbers = true, value_name = "SECONDS", help_heading = "Faults")]
    flip_after: Option<f64>,
}

/// Whose events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    /// Wikimedia's EventStreams: edits, as server-sent events.
    Wikipedia,
    /// Bluesky's Jetstream: posts and all the rest, over a WebSocket.
    Bluesky,
    /// Both.
    Both,
}

impl EventsOptions {
    /// The simulation that is asked for.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let settings = Settings {
            address: ([127, 0, 0, 1], self.port).into(),
            services: match self.service {
                Service::Wikipedia => Services::Wikipedia,
                Service::Bluesky => Services::Bluesky,
                Service::Both => Services::Both,
            },
            seed: self.seed,
            wikipedia_per_s: self.rate,
            bluesky_per_s: self.rate,
            others: self.others,
            speed: self.speed,
            events: self.events,
            bursts: self.burst.map(|factor| Bursts { factor, every_s: self.burst_every, length_s: self.burst_length }),
            faults: self.faults.faults()?,
            ..Settings::default()
        };
        let from_us = self.from.map_or(settings.from_us, |ms| ms.unsigned_abs() * 1000);
        let settings = Settings { from_us, ..settings };
        settings.check().map_err(|error| Mistake::usage(error.into()))?;
        Ok(settings)
    }
}

impl FaultOptions {
    fn faults(&self) -> anyhow::Result<Faults> {
        let stall = match self.stall_after.zip(self.stall) {
            Some((after, seconds)) => Some((after, duration("--stall", seconds)?)),
            None => None,
        };
        Ok(Faults {
            life: Some(duration("--life", self.life)?).filter(|life| !life.is_zero()),
            life_events: self.life_events,
            mid_event: self.mid_event,
            close_code: self.close_code,
            stall,
            malformed_permille: self.malformed,
            answers: self.answers.clone(),
            bytewise: self.bytewise,
            max_connections: self.max_connections.into(),
            slow_after: duration("--slow-after", self.slow_after)?,
            flip_after: self.flip_after.map(|seconds| duration("--flip-after", seconds)).transpose()?,
        })
    }
}

fn duration(option: &str, seconds: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| Mistake::usage(anyhow::anyhow!("{option} {seconds}: a number of seconds from 0 on is needed")))
}

fn time_ms(text: &str) -> Result<i64, String> {
    time::parse(text).filter(|ms| *ms > 0).ok_or_else(|| {
        "must be a time after 1970, such as 2026-06-01 or 2026-06-01T14:05:00Z, or milliseconds since 1970".to_owned()
    })
}
