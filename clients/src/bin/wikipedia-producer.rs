//! Edits of all Wikipedias, one record each, into the topic `wikipedia-edits`.
//!
//! Wikimedia sends about 40 edits a second as server-sent events. Each becomes one record: the key is the event's `id`, the
//! value is the whole event. Canaries are left out, and so is what comes twice after a reconnect. Ctrl-C ends the run in good
//! order; the next one goes on where this one stopped.
//!
//! ```console
//! $ wikipedia-producer                                            # from the local simulator
//! $ wikipedia-producer --source live --contact you@example.org    # from Wikimedia
//! ```

use std::process::ExitCode;

use clap::Parser;
use cutaway_clients::options::ProducerOptions;
use cutaway_clients::produce::{self, Demo};
use cutaway_clients::run::program;
use cutaway_clients::source::Service;

/// Sends edits of Wikipedia to the topic wikipedia-edits
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: ProducerOptions,
}

const DEMO: Demo =
    Demo { program: "wikipedia-producer", service: Service::Wikipedia, topic: "wikipedia-edits", settings: &[] };

fn main() -> ExitCode {
    program(|arguments: Arguments, stop| produce::run(DEMO, arguments.options, stop))
}
