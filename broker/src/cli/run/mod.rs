//! `cutaway run`: a command with a broker of its own, which is gone when the command has ended.
//!
//! ```text
//!   shell ── cutaway run ─┬─ cutaway run --serve     the broker: own session, own temporary folder
//!                         └─ COMMAND                 our stdin, stdout, stderr, process group
//! ```
//!
//! Two processes look after each other. The one in front runs the command, hands signals on and tells the broker when the
//! command has ended; should the broker die, it removes the folder. The broker notices when the one in front is gone, even
//! by `kill -9`, because a pipe closes: it then ends the command with all that it started, removes its folder and ends. If
//! both are killed at once, the folder is removed by the next broker with a temporary one, as with `--temp`.
//!
//! What the command leaves running when it ends by itself is its own business, as with any other command. Where the run
//! is told to stop (SIGTERM, SIGHUP), that is ended too.

mod background;
mod family;
mod options;
mod serve;

use std::ffi::{OsStr, OsString};
use std::io::{self, stderr, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use anyhow::Context;
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use tokio::process::{Child, Command};

use self::background::Background;
pub(crate) use self::options::{EXAMPLES, RunOptions};
use super::stops::{self, Stops};
use super::{banner, converse, start};

/// The variables in which the command finds the broker's address.
const VARIABLES: [&str; 3] = ["KAFKA_BROKER", "KAFKA_BOOTSTRAP_SERVERS", "SPRING_KAFKA_BOOTSTRAP_SERVERS"];

/// The addresses of all runs that a process is part of, the innermost last; what the broker finds its family by.
const RUNS: &str = "CUTAWAY_RUN";

/// The exit codes of shells.
const USAGE: u8 = 2;
const CANNOT_BE_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Runs a command with a broker.
pub(crate) fn run(options: &RunOptions) -> anyhow::Result<ExitCode> {
    if options.serve {
        return serve::run(options);
    }
    let Some((program, arguments)) = options.command.split_first() else {
        tell("there is no command to run; for example: cutaway run -- pytest");
        return Ok(ExitCode::from(USAGE));
    };
    let config = options.settings()?.resolve()?;
    if !options.quiet {
        start::tell_notes(&config);
    }
    converse(with_broker(options, program, arguments))?.map(ExitCode::from)
}

async fn with_broker(options: &RunOptions, program: &OsStr, arguments: &[OsString]) -> anyhow::Result<u8> {
    let mut stops = Stops::listen()?;
    let mut broker = Background::start(options)?;
    let outcome = tokio::select! {
        address = broker.address() => address.map(Ok),
        signal = stops.next() => Ok(Err(stops::exit_code(signal.as_raw()))),
    };
    let outcome = match outcome {
        Ok(Ok(address)) => {
            if options.verbose > 0 {
                anstream::eprintln!("the broker of this run serves {address}");
            }
            run_command(program, arguments, &address, &mut broker, &mut stops).await
        }
        Ok(Err(code)) => Ok(Ending { code, was_told_to_stop: true }),
        Err(error) => Err(error),
    };
    let was_told_to_stop = matches!(&outcome, Ok(Ending { was_told_to_stop: true, .. }));
    let outcome = outcome.map(|ending| ending.code);
    let failure = broker.end(was_told_to_stop).await;
    match (outcome, failure?) {
        (outcome, None) => outcome,
        (Ok(code), Some(failure)) => {
            tell(&failure);
            Ok(code)
        }
        (Err(error), Some(failure)) => Err(error.context(failure)),
    }
}

/// How a run ended.
struct Ending {
    code: u8,
    was_told_to_stop: bool,
}

/// The command from its start to its exit code.
async fn run_command(
    program: &OsStr,
    arguments: &[OsString],
    address: &str,
    broker: &mut Background,
    stops: &mut Stops,
) -> anyhow::Result<Ending> {
    let mut was_told_to_stop = false;
    let mut command = Command::new(program);
    command.args(arguments).envs(VARIABLES.map(|variable| (variable, address))).env(RUNS, runs(address));
    let mut command = match command.spawn() {
        Ok(command) => command,
        Err(failure) => return Ok(Ending { code: cannot_run(program, &failure), was_told_to_stop }),
    };
    loop {
        tokio::select! {
            status = command.wait() => {
                let code = exit_code(status.context("cannot wait for the command")?);
                return Ok(Ending { code, was_told_to_stop });
            }
            signal = stops.next() => {
                was_told_to_stop |= signal != Signal::INT;
                hand_on(signal, &command);
            }
            () = broker.failed() => tell("the broker has ended before the command"),
        }
    }
}

/// What [`RUNS`] says to the command.
fn runs(address: &str) -> String {
    match std::env::var(RUNS) {
        Ok(outer) if !outer.is_empty() => format!("{outer},{address}"),
        _ => address.to_owned(),
    }
}

/// Says why, and returns what a shell would.
fn cannot_run(program: &OsStr, failure: &io::Error) -> u8 {
    let shown = banner::shell_word(Path::new(program));
    if failure.kind() == io::ErrorKind::NotFound {
        let has_folder = program.as_encoded_bytes().contains(&b'/');
        let why = match has_folder {
            true => "there is no such file, or it names an interpreter that is not there",
            false => "there is no such command on the PATH",
        };
        tell(&format!("cannot run {shown}: {why}"));
        return NOT_FOUND;
    }
    tell(&format!("cannot run {shown}: {failure}"));
    CANNOT_BE_RUN
}

/// What a terminal sends reaches the whole process group, and so the command: a second SIGINT would be taken for impatience.
fn hand_on(signal: Signal, command: &Child) {
    if signal == Signal::INT && is_in_foreground() {
        return;
    }
    let process = command.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(process) = process {
        // One that has just ended needs no signal.
        let _ = kill_process(process, signal);
    }
}

/// Whether the terminal's Ctrl-C reaches this process and its command.
fn is_in_foreground() -> bool {
    let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
    let has_terminal = |stream: BorrowedFd<'_>| tcgetpgrp(stream).is_ok_and(|group| group == getpgrp());
    [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()].into_iter().any(has_terminal)
}

fn exit_code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(1),
        (None, signal) => stops::exit_code(signal.unwrap_or(0)),
    }
}

fn tell(sentence: &str) {
    for line in sentence.lines() {
        anstream::eprintln!("{} {line}", banner::paint("error:", banner::ERROR));
    }
}
