//! What can be written after `cutaway demo`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use event_simulator::{Services, Settings};

use crate::cli::Mistake;
use crate::cli::client::BrokerOptions;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cutaway demo                           Wikipedia's edits, through the broker that runs here, or one of its own
  cutaway demo bluesky --rate 1000       a thousand posts a second
  cutaway demo -b kafka.example.org:9092 the same programs through another broker
  cutaway demo --events 5000 --kill-every 2 --json    without a terminal; ends by itself

On a terminal, k kills the broker (SIGKILL) and starts it again; q ends the demo. Counts go to the Redis at
127.0.0.1:6379 (REDIS_URL names another); without one the consumer counts in memory.";

/// Which stream, how fast, and through which broker.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoOptions {
    /// Whose events.
    #[arg(value_name = "SERVICE", default_value = "wikipedia")]
    pub(super) service: Service,
    #[command(flatten)]
    pub(super) broker: BrokerOptions,
    /// The data folder of the broker that runs here, or is started.
    #[arg(long, value_name = "DIR", default_value = "./cutaway-data")]
    pub(super) data: PathBuf,
    /// The port of a broker that is started; 0 for one that is free.
    #[arg(long, short, value_name = "N", default_value_t = 9092)]
    pub(super) port: u16,
    /// Events a second. [default: those of the real one]
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    rate: Option<f64>,
    /// The same seed makes the same events.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// End by itself when there were so many events; some are no edits and no posts, and become no records.
    #[arg(long, value_name = "N")]
    pub(super) events: Option<u64>,
    /// Connections to the simulated service are cut after so many events, in the middle of one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(100..))]
    cut_every: Option<u64>,
    /// Kill the broker and start it again every so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    kill_every: Option<u64>,
    /// The ledger as JSON, one value a second and one at the end.
    #[arg(long)]
    pub(super) json: bool,
}

/// Whose events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    /// Wikipedia's edits.
    Wikipedia,
    /// Bluesky's posts.
    Bluesky,
}

impl Service {
    /// Its name, with which those of its programs begin.
    pub(super) fn name(self) -> &'static str {
        match self {
            Service::Wikipedia => "wikipedia",
            Service::Bluesky => "bluesky",
        }
    }

    /// The topic of its events.
    pub(super) fn topic(self) -> &'static str {
        match self {
            Service::Wikipedia => "wikipedia-edits",
            Service::Bluesky => "bluesky-events",
        }
    }

    /// The consumer group that counts them.
    pub(super) fn group(self) -> &'static str {
        match self {
            Service::Wikipedia => "wikipedia-consumer",
            Service::Bluesky => "kafka-stream-counter",
        }
    }
}

impl DemoOptions {
    /// The events that are simulated.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings {
            services: match self.service {
                Service::Wikipedia => Services::Wikipedia,
                Service::Bluesky => Services::Bluesky,
            },
            seed: self.seed,
            wikipedia_per_s: self.rate,
            bluesky_per_s: self.rate,
            // The demo wants posts only; nobody would see the rest.
            others: 0.0,
            events: self.events,
            ..Settings::default()
        };
        settings.faults.life_events = self.cut_every;
        settings.faults.mid_event = self.cut_every.is_some();
        settings.check().map_err(|error| Mistake::usage(error.into()))?;
        Ok(settings)
    }

    /// How often the broker is killed without being asked.
    pub(super) fn kill_every(&self) -> Option<Duration> {
        self.kill_every.map(Duration::from_secs)
    }
}
