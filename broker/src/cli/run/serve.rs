//! The broker of a run: a process of its own, in a session of its own, so that it outlives whoever runs the command just
//! long enough to leave nothing behind.
//!
//! Its stdin is a pipe whose other end is held by the process that runs the command and by nobody else. When that end
//! closes, the run is over: after the line [`DONE`] in good order; without it that process was killed or told to stop, and
//! the command with all it started is ended from here. Its stdout is one line, the status as JSON, and closes when the broker ends.

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;

use anyhow::Context;
use cutaway::broker::Broker;
use cutaway::clock::Clock;
use cutaway::config::Settings;
use tokio::sync::oneshot;

use super::RunOptions;
use super::family;
use crate::cli::stops::Stops;
use crate::cli::{detach, logging, start};

/// What is written to the broker when the command has ended.
pub(super) const DONE: &[u8] = b"done\n";

/// Serves until the run is over.
pub(super) fn run(options: &RunOptions) -> anyhow::Result<ExitCode> {
    // Ctrl-C, and the kill of a whole process group, are meant for the command.
    detach::leave_terminal()?;
    logging::start(&options.logging());
    start::raise_descriptor_limit();
    let settings = options.settings()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(serve(settings))
}

async fn serve(settings: Settings) -> anyhow::Result<ExitCode> {
    let mut stops = Stops::listen()?;
    let run_is_over = wait_for_the_end();
    let broker = Broker::start_temporary(settings).await?;
    let mut line = serde_json::to_vec(&broker.status())?;
    line.push(b'\n');
    // If nobody reads it, the run is over, and that is heard below.
    let _ = stdout().write_all(&line);
    tokio::select! {
        is_done = run_is_over => if !is_done.unwrap_or(false) {
            tracing::debug!("the run was cut short; what is left of its command is ended");
            family::end(&broker.address().to_string(), &Clock::system()).await;
        },
        _ = stops.next() => {}
        () = broker.stop_asked() => {}
    }
    broker.shutdown().await.context("the broker stopped, but not in good order")?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the run ended in good order, once it ends. A thread of its own waits: nothing can call it back, and it must
/// not keep the process from ending.
fn wait_for_the_end() -> oneshot::Receiver<bool> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut heard = Vec::new();
        let is_done = stdin().read_to_end(&mut heard).is_ok() && heard == DONE;
        // Who does not listen any more is ending already.
        let _ = tell.send(is_done);
    });
    told
}
