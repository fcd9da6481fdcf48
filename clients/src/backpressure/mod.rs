//! What to do about a source that is faster than its reader: four techniques and a baseline, each with its numbers.
//!
//! ```text
//!   plain             source ──► look
//!   batching          source ──► send, many a request
//!   bounded-buffer    source ──► [ queue ] ──► one worker ──► send        full: block, drop the newest, drop the oldest
//!   parallel-workers  source ──► [ queue ] ──► 4 workers  ──► send        10 ms of work each: at most 400 a second
//!   tuned-producer    source ──► [ queue ] ──► one worker ──► send one and wait; then many at once
//! ```
//!
//! Where the pressure goes when nobody takes it: the reader stops reading, the service's own buffer fills, and it drops the
//! connection of a reader that is too slow. The source then resumes where it was, and what came twice is not counted.

mod delivery;
mod figures;
mod latency;
mod queue;
mod round;
mod technique;

use std::time::Duration;

use clap::Args;

pub use technique::{Policy, Technique};

use crate::kafka::topic::Topic;
use crate::options::{BrokerOptions, SourceOptions, seconds};
use crate::source::{Address, Service};
use crate::stop::Stop;
use crate::talk::say;

/// How long each round lasts when there are several and nobody said.
const ROUND: Duration = Duration::from_secs(30);

/// What is to be tried.
#[derive(Args, Clone, Debug)]
pub struct BackpressureOptions {
    /// Where to.
    #[command(flatten)]
    pub broker: BrokerOptions,
    /// Where from.
    #[command(flatten)]
    pub source: SourceOptions,
    /// What to do about the pressure
    #[arg(long, value_enum, default_value = "all")]
    pub technique: Technique,
    /// What happens to an event when the queue is full
    #[arg(long, value_enum, default_value = "block")]
    pub policy: Policy,
    /// How long a worker works on each event
    #[arg(long, default_value_t = 10, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub work_ms: u64,
    /// How many workers the parallel ones are
    #[arg(long, default_value = "4", value_name = "N", value_parser = at_most_a_million)]
    pub workers: usize,
    /// How many events the queue holds
    #[arg(long, default_value = "10000", value_name = "N", value_parser = at_most_a_million)]
    pub buffer: usize,
    /// How long each round lasts [default: until Ctrl-C; 30 where there are several]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<Duration>,
    /// How often the numbers are told
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub every: Duration,
    /// The topic; it is created if it is missing
    #[arg(long, default_value = "backpressure")]
    pub topic: String,
    /// One JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
}

fn at_most_a_million(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1_000_000) => Ok(number),
        _ => Err("give a number from 1 to 1000000".to_owned()),
    }
}

/// Tries what was asked for, and compares.
///
/// # Errors
/// When a setting is wrong, the source turns us away, or nothing can be sent any more.
pub async fn run(mut options: BackpressureOptions, mut stop: Stop) -> anyhow::Result<()> {
    let address = Address::of(Service::Bluesky, &options.source)?;
    let plans = options.technique.plans(options.workers, options.work_ms);
    if plans.len() > 1 {
        options.seconds.get_or_insert(ROUND);
    }
    if plans.iter().any(|plan| plan.sending != technique::Sending::None) {
        tokio::select! {
            topic = Topic::create(&options.broker, &options.topic, 1) => { topic?; }
            () = stop.asked() => return Ok(()),
        }
    }
    let mut rounds = Vec::new();
    for plan in plans {
        if stop.is_asked() {
            break;
        }
        say(format_args!("% {} begins", plan.name));
        let figures = round::run(plan, &options, &address, &mut stop).await?;
        figures.print(options.json)?;
        rounds.push(figures);
    }
    if !options.json {
        figures::table(&rounds)?;
    }
    Ok(())
}
