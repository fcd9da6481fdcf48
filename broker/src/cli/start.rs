//! `cutaway start`: a broker in this process, until somebody stops it.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use cutaway::broker::{Broker, temporary};
use cutaway::config::BrokerConfig;
use cutaway::storage::disk::Disk;
use cutaway::web::Status;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::arguments::{StartOptions, environment};
use super::banner::{self, Tools};
use super::stops::{self, Stops};
use super::{control, converse, detach, logging, say, story};

/// Starts a broker and serves until it is stopped; a second start on a folder shows the broker that runs there.
pub(crate) fn run(mut options: StartOptions) -> anyhow::Result<ExitCode> {
    if options.detached {
        detach::leave_terminal()?;
    }
    let temporary = options.temp.then(|| options.temp_folder.take().unwrap_or_else(temporary::choose));
    options.folder.data = temporary.clone().or(options.folder.data);
    let config = options.broker_config(environment())?;
    tell_notes(&config);
    if let Some(status) = converse(control::status(&config.log_dir))?? {
        anstream::print!("{}", banner::render(&status, "already serves", &Tools::find(false)));
        let wanted_nodes = options.nodes.is_given().then_some(config.node_count);
        return Ok(already_there(&options, wanted_nodes, &status));
    }
    if let Some(folder) = temporary.as_deref().filter(|_| !options.detached) {
        tell_stale(&temporary::remove_stale(folder.parent().unwrap_or(Path::new("/"))));
    }
    if options.detach && !options.detached {
        return detach::run(&config, temporary.is_some());
    }
    logging::start(&options);
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let folder = std::path::absolute(&config.log_dir).unwrap_or_else(|_| config.log_dir.clone());
    let outcome = runtime.context("cannot start the runtime")?.block_on(serve(config, &options));
    if let Some(folder) = temporary {
        Disk::default().remove_dir_all(&folder)?;
    }
    if outcome.is_ok() && is_told(&options) {
        say(stopped(&folder, options.temp));
    }
    outcome
}

/// Whether the broker tells its story: on a terminal, unless it was asked not to.
fn is_told(options: &StartOptions) -> bool {
    !options.quiet && std::io::stderr().is_terminal()
}

/// The story's last line but one, over the `^C` that the terminal wrote.
fn stopping(status: &Status) -> String {
    let Status { partitions, .. } = status;
    let plural = if *partitions == 1 { "" } else { "s" };
    format!(
        "\rstopping: requests in flight are answered, then {partitions} partition{plural} flushed; once more stops at once"
    )
}

/// The story's last line.
fn stopped(folder: &Path, is_temporary: bool) -> String {
    let shown = banner::shell_word(folder);
    match is_temporary {
        true => format!("stopped; the temporary folder {shown} is removed"),
        false => format!("stopped; data is in {shown}"),
    }
}

/// A second start is fine, unless it asked for another port or other nodes: who waits for a broker there would wait for ever.
fn already_there(options: &StartOptions, wanted_nodes: Option<i32>, status: &Status) -> ExitCode {
    let serves = |port: u16| status.listeners.iter().any(|listener| listener.address.ends_with(&format!(":{port}")));
    if let Some(count) = wanted_nodes.filter(|count| *count != status.nodes) {
        let shown = if status.nodes == 1 { "one node".to_owned() } else { format!("{} nodes", status.nodes) };
        anstream::eprintln!(
            "it has {shown} and not {count}: stop it first, or start another broker with --data and a folder of its own"
        );
        return ExitCode::FAILURE;
    }
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
pub(super) fn raise_descriptor_limit() {
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
    let broker = Broker::start(config).await?;
    let banner = banner::render(&broker.status(), "serves", &Tools::find(!options.detached));
    // Whoever reads the first line alone may have closed the pipe; that is no reason to stop.
    let _ = anstream::stdout().write_all(banner.as_bytes());
    if options.detached {
        detach::write_to_log(&folder)?;
    }
    tracing::info!("cutaway {} serves {} from {}", env!("CARGO_PKG_VERSION"), broker.address(), folder.display());
    let story = is_told(options).then(|| tokio::spawn(story::tell(broker.journal().clone())));
    tokio::select! {
        _ = stops.next() => {}
        () = broker.stop_asked() => {}
    }
    tracing::info!("stopping");
    if story.is_some() {
        say(stopping(&broker.status()));
    }
    let outcome = tokio::select! {
        outcome = broker.shutdown() => outcome,
        signal = stops.next() => return Ok(exit_at_once(stops::exit_code(signal.as_raw()), options.temp)),
    };
    if let Some(story) = story {
        story.abort();
    }
    outcome.context("the broker stopped, but not in good order")?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Ends the process as if the signal had: what was acknowledged is as safe as after a kill.
fn exit_at_once(code: u8, is_temporary: bool) -> ExitCode {
    let next = if is_temporary { "with --temp removes its folder" } else { "checks what was being written" };
    say(format_args!("stopped at once; the next start {next}"));
    // Threads that still flush must not hold up the exit, as they would if the runtime were dropped.
    std::process::exit(code.into())
}

/// What people should know of their settings.
pub(super) fn tell_notes(config: &BrokerConfig) {
    for note in &config.notes {
        say(format_args!("{} {note}", banner::paint("note:", banner::NOTE)));
    }
}

/// What was removed must not be missed in silence.
fn tell_stale(folders: &[PathBuf]) {
    for folder in folders {
        let shown = banner::shell_word(folder);
        let note = banner::paint("note:", banner::NOTE);
        say(format_args!("{note} removed {shown}, which a broker that was killed had left"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_where_the_data_is() {
        assert_eq!(stopped(Path::new("/my data"), false), "stopped; data is in '/my data'");
        assert_eq!(stopped(Path::new("/t/x"), true), "stopped; the temporary folder /t/x is removed");
    }
}
