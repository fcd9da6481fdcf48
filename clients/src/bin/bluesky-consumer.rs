//! Counts the posts in the topic `bluesky-events`, in Redis.
//!
//! Each record is counted under its `operation`: `create`, `update` or `delete`: one `INCR` on a key of that name. The
//! offset is stored after the count, so every record is counted at least once; Ctrl-C commits, leaves the group and lists the
//! counters. Started a second time beside itself, it shares the work if the topic has more than one partition.
//!
//! ```console
//! $ redis-server --save '' --appendonly no &
//! $ bluesky-consumer
//! ```

use std::process::ExitCode;

use clap::Parser;
use cutaway_clients::consume::{self, Demo};
use cutaway_clients::options::ConsumerOptions;
use cutaway_clients::run::program;
use cutaway_clients::source::Service;

/// Counts posts of Bluesky by operation, in Redis
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: ConsumerOptions,
}

const DEMO: Demo = Demo {
    program: "bluesky-consumer",
    service: Service::Bluesky,
    topic: "bluesky-events",
    group: "kafka-stream-counter",
};

fn main() -> ExitCode {
    program(|arguments: Arguments, stop| consume::run(DEMO, arguments.options, stop))
}
