//! The options that the programs share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::run::Mistake;

/// Which broker, and how to talk to it.
#[derive(Args, Clone, Debug)]
pub struct BrokerOptions {
    /// The broker, HOST:PORT; several with commas
    #[arg(short = 'b', long, env = "KAFKA_BROKER", default_value = "127.0.0.1:9092", value_name = "HOST:PORT")]
    pub broker: String,
    /// A setting of librdkafka, as in `-X compression.type=lz4`; may be given several times
    #[arg(short = 'X', value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
}

/// Which event stream, and who we say we are.
#[derive(Args, Clone, Debug)]
pub struct SourceOptions {
    /// `events` is the local simulator (http://127.0.0.1:8090), `live` the public service; or a URL
    #[arg(long, env = "EVENT_SOURCE", default_value = "events", value_name = "events|live|URL")]
    pub source: String,
    /// How the service's operators reach you: an e-mail address or a URL; Wikimedia asks for it
    #[arg(long, env = "EVENT_CONTACT", value_name = "EMAIL-OR-URL")]
    pub contact: Option<String>,
    /// A connection without a sign of life for so long is cut and resumed
    #[arg(long, default_value = "60", value_name = "SECONDS", value_parser = seconds)]
    pub stall: Duration,
    /// Events larger than this are skipped and counted as malformed
    #[arg(long, default_value_t = 8 * 1024 * 1024, value_name = "BYTES",
          value_parser = clap::value_parser!(u64).range(1024..=1024 * 1024 * 1024))]
    pub max_event_bytes: u64,
}

/// What a producer is asked for besides.
#[derive(Args, Clone, Debug)]
pub struct ProducerOptions {
    /// Where to.
    #[command(flatten)]
    pub broker: BrokerOptions,
    /// Where from.
    #[command(flatten)]
    pub source: SourceOptions,
    /// The topic; it is created if it is missing [default: the demo's]
    #[arg(long)]
    pub topic: Option<String>,
    /// How many partitions a topic gets that is missing
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: i32,
    /// Where the resume token is kept [default: ./PROGRAM.resume]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Begin with the newest event, whatever the resume token says
    #[arg(long)]
    pub fresh: bool,
    /// How to end, and what to print.
    #[command(flatten)]
    pub ending: EndingOptions,
}

/// What a consumer is asked for.
#[derive(Args, Clone, Debug)]
pub struct ConsumerOptions {
    /// Where from.
    #[command(flatten)]
    pub broker: BrokerOptions,
    /// The topic [default: the demo's]
    #[arg(long)]
    pub topic: Option<String>,
    /// The consumer group [default: the demo's]
    #[arg(long)]
    pub group: Option<String>,
    /// Where the counters are
    #[arg(long, env = "REDIS_URL", default_value = "redis://127.0.0.1:6379/0", value_name = "URL")]
    pub redis: String,
    /// How to end, and what to print.
    #[command(flatten)]
    pub ending: EndingOptions,
}

/// How to end, and what to print.
#[derive(Args, Clone, Debug)]
pub struct EndingOptions {
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// End when nothing came for so long
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub idle_exit: Option<Duration>,
    /// One JSON object a line on stdout, every second and at the end
    #[arg(long)]
    pub json: bool,
    /// Only sentences about what went wrong, and the summary
    #[arg(short, long)]
    pub quiet: bool,
}

/// Seconds, also with a fraction; a wait without end is not meant.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text} is not a number of seconds"))?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("give a number of seconds above 0".to_owned()),
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write NAME=VALUE, as in compression.type=lz4".to_owned()),
    }
}

/// Refuses the settings that a program cannot do without, or with.
pub(crate) fn not_ours(settings: &[(String, String)], ours: &[&str]) -> Result<(), Mistake> {
    match settings.iter().find(|(name, _)| ours.contains(&name.as_str())) {
        Some((name, _)) => Err(Mistake(format!("-X {name} is set by this program itself; leave it out"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_above_zero() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(["0", "-1", "x", "inf", "NaN", "1e40"].iter().all(|text| seconds(text).is_err()));
    }

    #[test]
    fn settings_have_a_name() {
        assert_eq!(setting("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert!(setting("=x").is_err() && setting("x").is_err());
    }
}
