//! `cutaway start`: a broker in this process, until somebody stops it.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use cutaway::broker::Broker;
use cutaway::clock::Clock;
use cutaway::config::BrokerConfig;
use cutaway::storage::disk::Disk;
use cutaway::web::Status;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::arguments::{StartOptions, environment};
use super::banner::{self, Tools};
use super::{control, converse, detach, logging, story};

/// What a shell reports for a process that a signal ended: 128 and the signal's number.
const KILLED_BY_SIGNAL: u8 = 128;

/// Starts a broker and serves until it is stopped; a second start on a folder shows the broker that runs there.
pub(crate) fn run(mut options: StartOptions) -> anyhow::Result<ExitCode> {
    if options.detached {
        detach::leave_terminal()?;
    }
    let temporary = options.temp.then(temporary_folder);
    options.folder.data = temporary.clone().or(options.folder.data);
    let config = options.broker_config(environment())?;
    tell_notes(&config);
    if let Some(status) = converse(control::status(&config.log_dir))?? {
        anstream::print!("{}", banner::render(&status, "already serves", &Tools::find(false)));
        return Ok(already_there(&options, &status));
    }
    if options.detach {
        return detach::run(&config);
    }
    logging::start(&options);
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.context("cannot start the runtime")?.block_on(serve(config, &options));
    if let Some(folder) = temporary {
        Disk::default().remove_dir_all(&folder)?;
    }
    outcome
}

/// A second start is fine, unless it asked for another port: who waits for a broker there would wait for ever.
fn already_there(options: &StartOptions, status: &Status) -> ExitCode {
    let serves = |port: u16| status.listeners.iter().any(|listener| listener.address.ends_with(&format!(":{port}")));
    match options.port {
        Some(port) if port != 0 && !serves(port) => {
            anstream::eprintln!(
                "it does not listen on port {port}: stop it first, or start another broker with --data and a folder of its own"
            );
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Each partition holds three files open, so the soft limit of the shell, often 1024, is raised as far as it may be.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!("the limit of open files stays as it is: {error}");
    }
}

/// The broker's life in this process.
async fn serve(config: BrokerConfig, options: &StartOptions) -> anyhow::Result<ExitCode> {
    let mut stops = Stops::listen()?;
    let folder = config.log_dir.clone();
    let broker = Broker::start(config, Clock::system()).await?;
    let banner = banner::render(&broker.status(), "serves", &Tools::find(!options.detached));
    // Whoever reads the first line alone may have closed the pipe; that is no reason to stop.
    let _ = anstream::stdout().write_all(banner.as_bytes());
    if options.detached {
        detach::write_to_log(&folder)?;
    }
    let told = !options.quiet && std::io::stderr().is_terminal();
    let story = told.then(|| tokio::spawn(story::tell(broker.journal().clone())));
    tokio::select! {
        _ = stops.next() => {}
        () = broker.stop_asked() => {}
    }
    tracing::info!("stopping");
    let outcome = tokio::select! {
        outcome = broker.shutdown() => outcome,
        code = stops.next() => return Ok(exit_at_once(code)),
    };
    if let Some(story) = story {
        story.abort();
    }
    outcome.context("the broker stopped, but not in good order")?;
    Ok(ExitCode::SUCCESS)
}

/// Ends the process as if the signal had: what was acknowledged is as safe as after a kill.
fn exit_at_once(code: u8) -> ExitCode {
    anstream::eprintln!("stopped at once; the next start checks what was being written");
    // Threads that still flush must not hold up the exit, as they would if the runtime were dropped.
    std::process::exit(code.into())
}

/// The signals that stop a broker.
struct Stops {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    /// Beyond a file-size limit the kernel sends this; once it is listened to, the write fails instead of the process.
    _file_too_large: Signal,
}

impl Stops {
    fn listen() -> anyhow::Result<Stops> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Stops {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            _file_too_large: listen(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// The next signal, as the exit code of a process that it ends.
    async fn next(&mut self) -> u8 {
        let signal = tokio::select! {
            _ = self.interrupt.recv() => rustix::process::Signal::INT,
            _ = self.terminate.recv() => rustix::process::Signal::TERM,
            _ = self.hang_up.recv() => rustix::process::Signal::HUP,
        };
        KILLED_BY_SIGNAL + u8::try_from(signal.as_raw()).unwrap_or(0)
    }
}

/// What people should know of their settings.
fn tell_notes(config: &BrokerConfig) {
    for note in &config.notes {
        anstream::eprintln!("{} {note}", banner::paint("note:", banner::NOTE));
    }
}

/// A folder that no one else has.
fn temporary_folder() -> PathBuf {
    std::env::temp_dir().join(format!("cutaway-{}", uuid::Uuid::new_v4().simple()))
}
