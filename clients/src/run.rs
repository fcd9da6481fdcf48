//! What every program does around its story: reads its arguments, starts the runtime, tells its error, gives an exit code.
//!
//! Exit codes: 0 done, also after Ctrl-C; 1 failed; 2 mistyped; 130 after a second Ctrl-C.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::stop::Stop;
use crate::talk::{is_output_closed, say};

/// The exit code of a mistake in arguments.
const USAGE: u8 = 2;

/// What was typed cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(pub String);

/// Runs a program's story with its arguments.
pub fn program<O, F>(story: impl FnOnce(O, Stop) -> F) -> ExitCode
where
    O: Parser,
    F: Future<Output = anyhow::Result<()>>,
{
    let options = O::parse();
    let outcome = begin().and_then(|runtime| {
        let ended = runtime.block_on(async { story(options, Stop::on_signals()?).await });
        // What still reads from the network has nothing more to tell.
        runtime.shutdown_background();
        ended
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_output_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("error: {error:#}"));
            if error.is::<Mistake>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn begin() -> anyhow::Result<tokio::runtime::Runtime> {
    // Both clients, reqwest and tokio-tungstenite, take the process's provider of cryptography; a second one is not meant.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("cannot start the runtime")
}
