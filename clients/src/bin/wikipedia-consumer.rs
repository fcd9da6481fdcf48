//! Counts the edits in the topic `wikipedia-edits`, in Redis.
//!
//! Each record is counted under its `type`, such as `edit` or `categorize`: one `INCR` on a key of that name. The
//! offset is stored after the count, so every record is counted at least once; Ctrl-C commits, leaves the group and lists the
//! counters. Started a second time beside itself, it shares the work if the topic has more than one partition.
//!
//! ```console
//! $ redis-server --save '' --appendonly no &
//! $ wikipedia-consumer
//! ```

use std::process::ExitCode;

use clap::Parser;
use cutaway_clients::consume::{self, Demo};
use cutaway_clients::options::ConsumerOptions;
use cutaway_clients::run::program;
use cutaway_clients::source::Service;

/// Counts edits of Wikipedia by type, in Redis
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: ConsumerOptions,
}

const DEMO: Demo = Demo {
    program: "wikipedia-consumer",
    service: Service::Wikipedia,
    topic: "wikipedia-edits",
    group: "wikipedia-consumer",
};

fn main() -> ExitCode {
    program(|arguments: Arguments, stop| consume::run(DEMO, arguments.options, stop))
}
