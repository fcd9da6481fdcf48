//! The command line: one file per subcommand.
//!
//! Data goes to stdout, talk to stderr. Exit codes: 0 done; 1 failed; 2 usage, settings included; 130 interrupted (a broker:
//! twice); 143 `consume --group` after SIGTERM.

mod arguments;
mod banner;
mod client;
mod completions;
mod confirm;
mod consume;
mod control;
mod demo;
mod detach;
mod escapes;
mod events;
mod explain;
mod foreign;
mod groups;
mod logging;
mod nearest;
mod nodes;
mod output;
mod pace;
mod produce;
mod properties;
mod reset;
mod run;
mod start;
mod status;
mod stop;
mod stops;
mod story;
mod time;
mod topics;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use cutaway::config::SettingsError;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use arguments::{Arguments, Command};
use output::OutputClosed;

/// The exit code of a mistake in arguments or settings.
const USAGE: u8 = 2;

/// The exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// The same after SIGTERM.
const TERMINATED: u8 = 143;

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| {
        // Who types another tool's options is told ours, which says more than that they are not known.
        let answer = foreign::equivalent(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()));
        answer.map_or_else(|| error.exit(), |answer| answer.exit())
    });
    arguments.color.write_global();
    let outcome = match arguments.command {
        None => start::run(arguments.start),
        Some(Command::Start(options)) => start::run(*options),
        Some(Command::Run(options)) => run::run(&options),
        Some(Command::Status(options)) => status::run(&options),
        Some(Command::Stop(options)) => stop::run(&options),
        Some(Command::Reset(options)) => reset::run(&options),
        Some(Command::Topics(options)) => topics::run(options),
        Some(Command::Groups(options)) => groups::run(options),
        Some(Command::Produce(options)) => produce::run(options.into_options()),
        Some(Command::Consume(options)) => consume::run(options.into_options()),
        Some(Command::Demo(options)) => demo::run(&options),
        Some(Command::Events(options)) => events::run(&options),
        Some(Command::Config(options)) => explain::run(&options),
        Some(Command::Completions(options)) => completions::run(&options),
    };
    outcome.unwrap_or_else(|error| fail(&error))
}

/// Tells the error, and which kind of failure it is.
fn fail(error: &anyhow::Error) -> ExitCode {
    if error.is::<OutputClosed>() {
        return ExitCode::SUCCESS;
    }
    tell_error(error);
    let is_usage = error.is::<SettingsError>() || error.is::<Mistake>();
    if is_usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
}

/// What was typed cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Mistake(String);

impl Mistake {
    /// Makes an error one of usage.
    fn usage(error: anyhow::Error) -> anyhow::Error {
        Mistake(error.to_string()).into()
    }
}

/// Tells an error on stderr.
fn tell_error(error: &anyhow::Error) {
    for sentence in sentence(error).lines() {
        say(format_args!("{} {sentence}", banner::paint("error:", banner::ERROR)));
    }
}

/// Says a line on stderr; where nobody can hear it, that is no reason to stop.
fn say(line: impl Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// An error and its causes, without those whose text stands in the error already.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}

/// Blocks on a conversation that Ctrl-C ends.
///
/// A thread listens to the signal: this one may be held up by a pipe that nobody reads, or by a question.
fn converse_until_interrupt(conversation: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    std::thread::spawn(|| {
        // Where it cannot listen, the signal ends the process by itself.
        if let Ok(Ok(())) = converse(tokio::signal::ctrl_c()) {
            std::process::exit(INTERRUPTED.into());
        }
    });
    converse(conversation)?
}

/// Blocks on a conversation that is told of the first Ctrl-C or SIGTERM and ends by itself; a second one ends it at once.
///
/// What it is told is the exit code that goes with the signal; `None` before.
fn converse_until_stopped<F>(conversation: impl FnOnce(watch::Receiver<Option<u8>>) -> F) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<ExitCode>>,
{
    let (stop, stopped) = watch::channel(None);
    std::thread::spawn(move || {
        let listening = converse(async {
            let mut terminate = signal(SignalKind::terminate())?;
            loop {
                let code = tokio::select! {
                    interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| INTERRUPTED)?,
                    _ = terminate.recv() => TERMINATED,
                };
                if stop.send_replace(Some(code)).is_some() {
                    std::process::exit(code.into());
                }
            }
        });
        // Where it cannot listen, the signal ends the process by itself.
        let _: anyhow::Result<std::io::Result<()>> = listening;
    });
    converse(conversation(stopped))?
}

/// Blocks on a short conversation, with no more threads than this one.
fn converse<T>(conversation: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("cannot start the runtime")?.block_on(conversation))
}

#[cfg(test)]
mod tests {
    use cutaway::storage;

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = anyhow::Error::new(storage::Error::io("read", "f".as_ref())(denied)).context("no status");
        assert_eq!(sentence(&error), "no status: cannot read f: permission denied");
    }

    #[test]
    fn settings_are_usage_and_the_rest_is_failure() {
        let settings = anyhow::Error::new(SettingsError { sentences: vec!["a".into(), "b".into()] });
        assert_eq!(format!("{:?}", fail(&settings)), format!("{:?}", ExitCode::from(2)));
        assert_eq!(format!("{:?}", fail(&anyhow::anyhow!("x"))), format!("{:?}", ExitCode::FAILURE));
    }
}
