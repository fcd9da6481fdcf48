//! The command line: one file per subcommand.
//!
//! Data goes to stdout, talk to stderr. Exit codes: 0 done; 1 failed; 2 usage, settings included; 130 interrupted twice.

mod arguments;
mod banner;
mod control;
mod detach;
mod logging;
mod pace;
mod reset;
mod run;
mod start;
mod status;
mod stop;
mod stops;
mod story;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use cutaway::config::SettingsError;

use arguments::{Arguments, Command};

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.color.write_global();
    let outcome = match arguments.command {
        None => start::run(arguments.start),
        Some(Command::Start(options)) => start::run(*options),
        Some(Command::Run(options)) => run::run(&options),
        Some(Command::Status(options)) => status::run(&options),
        Some(Command::Stop(options)) => stop::run(&options),
        Some(Command::Reset(options)) => reset::run(&options),
    };
    outcome.unwrap_or_else(|error| fail(&error))
}

/// Tells the error, and which kind of failure it is.
fn fail(error: &anyhow::Error) -> ExitCode {
    for sentence in sentence(error).lines() {
        anstream::eprintln!("{} {sentence}", banner::paint("error:", banner::ERROR));
    }
    if error.is::<SettingsError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// An error and its causes, without those whose text stands in the error already.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
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
