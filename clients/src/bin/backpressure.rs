//! What happens when events come faster than they go, and what can be done about it.
//!
//! Posts of Bluesky go into the topic `backpressure`, by one technique after the other: nothing at all, batching, a bounded
//! buffer, parallel workers, a tuned producer. Every ten seconds the numbers are told, and at the end they stand side by side.
//! With a quiet source all of them do; a simulator at a few hundred events a second shows the difference.
//!
//! ```console
//! $ backpressure                                                     # all of them, half a minute each
//! $ backpressure --technique bounded-buffer --policy drop-oldest     # one, until Ctrl-C
//! $ backpressure --technique parallel-workers --work-ms 80           # four workers, 50 events a second at most
//! ```

use std::process::ExitCode;

use clap::Parser;
use cutaway_clients::backpressure::{self, BackpressureOptions};
use cutaway_clients::run::program;

/// Shows what can be done about a source that is faster than its reader
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: BackpressureOptions,
}

fn main() -> ExitCode {
    program(|arguments: Arguments, stop| backpressure::run(arguments.options, stop))
}
