//! Posts on Bluesky, one record each, into the topic `bluesky-events`.
//!
//! Jetstream sends what happens to posts over a WebSocket: they are created, deleted, now and then updated. Each becomes one
//! record: the key is `commit.rev`, the value is the whole event. News about accounts and their names comes along whatever was
//! asked for; it is counted and left out. Records wait up to 5 ms for company, so that a request carries many of them.
//!
//! ```console
//! $ bluesky-producer                   # from the local simulator
//! $ bluesky-producer --source live     # from Bluesky
//! ```

use std::process::ExitCode;

use clap::Parser;
use cutaway_clients::options::ProducerOptions;
use cutaway_clients::produce::{self, Demo};
use cutaway_clients::run::program;
use cutaway_clients::source::Service;

/// Sends posts of Bluesky to the topic bluesky-events
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: ProducerOptions,
}

const DEMO: Demo = Demo {
    program: "bluesky-producer",
    service: Service::Bluesky,
    topic: "bluesky-events",
    settings: &[("linger.ms", "5"), ("batch.size", "100000")],
};

fn main() -> ExitCode {
    program(|arguments: Arguments, stop| produce::run(DEMO, arguments.options, stop))
}
