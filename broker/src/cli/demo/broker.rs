//! The broker of a demo: the one that was named, the one that runs here, or one of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use cutaway::clock::Clock;
use cutaway::config::limits::STOP_TIMEOUT_MS;
use cutaway::storage::disk::Disk;
use cutaway::web::Status;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::options::DemoOptions;
use crate::cli::client::{BrokerOptions, Client};
use crate::cli::{banner, control, stop};

/// How a broker was started.
#[derive(Clone, Debug)]
pub(super) struct Started {
    /// Without the program's name.
    arguments: Vec<String>,
    /// The folder that relative paths begin at.
    from: PathBuf,
    /// Its environment; `None` for ours.
    environment: Option<Vec<(String, String)>>,
}

/// A demo's broker.
#[derive(Debug)]
pub(super) enum Broker {
    /// Somebody else's, by its address.
    Named(String),
    /// One that runs on a folder of this machine.
    Here {
        /// The folder.
        folder: PathBuf,
        /// The demo started it, and stops it.
        is_own: bool,
        /// How it was started; what starts it again. `None` if that is not known.
        started: Option<Started>,
        /// Where clients find it.
        address: String,
    },
}

impl Broker {
    /// Finds or starts it.
    pub(super) async fn find(options: &DemoOptions) -> anyhow::Result<Broker> {
        if let Some(named) = options.broker.named() {
            Client::connect(&options.broker, "cutaway-demo").await?;
            return Ok(Broker::Named(named));
        }
        let folder = std::path::absolute(&options.data).context("the current folder is not known")?;
        if let Some(status) = control::status(&folder).await? {
            return Broker::of_somebody_else(folder, &status);
        }
        if options.port != 0 {
            let usual = BrokerOptions::at(format!("127.0.0.1:{}", options.port));
            if Client::connect(&usual, "cutaway-demo").await.is_ok() {
                return Ok(Broker::Named(format!("127.0.0.1:{}", options.port)));
            }
        }
        let data = folder.to_str().context("--data is not UTF-8; choose a folder whose path is")?;
        let arguments = |port: &str| ["start", "--data", data, "--port", port].map(str::to_owned).to_vec();
        let here =
            Started { arguments: arguments(&options.port.to_string()), from: PathBuf::from("."), environment: None };
        let status = match start(&folder, &here).await {
            Ok(status) => status,
            // Somebody else may have started one at the same moment.
            Err(error) => match control::status(&folder).await? {
                Some(status) => return Broker::of_somebody_else(folder, &status),
                None => return Err(error),
            },
        };
        let address = address(&status)?;
        // Where a free port was asked for, the one that was found is wanted the next time.
        let port = address.rsplit(':').next().unwrap_or_default();
        let started = Some(Started { arguments: arguments(port), ..here });
        Ok(Broker::Here { folder, is_own: true, started, address })
    }

    fn of_somebody_else(folder: PathBuf, status: &Status) -> anyhow::Result<Broker> {
        Ok(Broker::Here { folder, is_own: false, started: Started::of_process(status.pid), address: address(status)? })
    }

    /// Where clients find it.
    pub(super) fn address(&self) -> &str {
        match self {
            Broker::Named(address) | Broker::Here { address, .. } => address,
        }
    }

    /// Its data folder, if it is on this machine.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Broker::Named(_) => None,
            Broker::Here { folder, .. } => Some(folder),
        }
    }

    /// Whether the demo started it.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Broker::Here { is_own: true, .. })
    }

    /// Why it cannot be killed here, if it cannot.
    pub(super) fn is_out_of_reach(&self) -> Option<&'static str> {
        match self {
            Broker::Named(_) => Some(
                "this broker was started elsewhere; only one that runs on the folder of --data can be killed from here",
            ),
            Broker::Here { started: None, .. } => Some("how this broker was started is not known, so it is left alone"),
            Broker::Here { .. } => None,
        }
    }

    /// Kills it, and starts it again in the background; says how long nobody served.
    pub(super) async fn kill_and_start(&self, clock: &Clock) -> anyhow::Result<String> {
        let Broker::Here { folder, started: Some(how), .. } = self else { bail!("this broker is not killed") };
        let status = control::status(folder).await?.context("no broker runs on the folder any more")?;
        let process = i32::try_from(status.pid).ok().and_then(Pid::from_raw).context("the broker has no process id")?;
        let begun = clock.instant();
        kill_process(process, Signal::KILL).context("the broker cannot be killed")?;
        // The lock goes with the process.
        stop::wait_until_released(folder, clock).await;
        let started = start(folder, how).await?;
        let lasted = clock.elapsed_since(begun).as_secs_f64();
        Ok(format!(
            "broker: killed (process {}), serves again {lasted:.2} s later (process {})",
            status.pid, started.pid
        ))
    }

    /// Stops it in good order, if the demo started it.
    pub(super) async fn end(&self, clock: &Clock) -> anyhow::Result<()> {
        let Broker::Here { folder, is_own: true, .. } = self else { return Ok(()) };
        if control::stop(folder).await? {
            tokio::select! {
                () = stop::wait_until_released(folder, clock) => {}
                () = clock.sleep(Duration::from_millis(STOP_TIMEOUT_MS)) => bail!("the broker was asked to stop, and did not"),
            }
        }
        Ok(())
    }
}

/// Starts a broker in the background and waits until it serves.
async fn start(folder: &Path, how: &Started) -> anyhow::Result<Status> {
    let own = std::env::current_exe().context("the path of this program is not known")?;
    let mut command = Command::new(own);
    command.args(&how.arguments).current_dir(&how.from).stdin(Stdio::null());
    if let Some(environment) = &how.environment {
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    }
    if !how.arguments.iter().any(|argument| matches!(argument.as_str(), "--detach" | "-d")) {
        command.arg("--detach");
    }
    let output = command.output().await.context("cannot start a broker")?;
    if !output.status.success() {
        bail!(
            "the broker does not start: {}",
            String::from_utf8_lossy(&output.stderr).trim_end().trim_start_matches("error: ")
        );
    }
    let shown = banner::shell_word(folder);
    control::status(folder).await?.with_context(|| format!("the broker on {shown} ended as soon as it had begun"))
}

/// The first address at which clients find it.
fn address(status: &Status) -> anyhow::Result<String> {
    let listener = status.listeners.first().context("the broker listens nowhere")?;
    Ok(listener.advertised.rsplit("//").next().unwrap_or_default().to_owned())
}

impl Started {
    /// How a process was started, where the system tells. A temporary broker is not started again: it would begin empty.
    fn of_process(process: u32) -> Option<Started> {
        let (disk, told) = (Disk::default(), PathBuf::from(format!("/proc/{process}")));
        let words = |file: &str| {
            let text = String::from_utf8(disk.read(&told.join(file)).ok()?).ok()?;
            Some(text.split_terminator('\0').map(str::to_owned).collect::<Vec<String>>())
        };
        // A broker in the background has been told so.
        let arguments: Vec<String> =
            words("cmdline")?.into_iter().skip(1).filter(|word| word != "--detached").collect();
        let variables = words("environ")?.into_iter();
        let environment =
            variables.filter_map(|it| it.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
        let is_temporary = arguments.iter().any(|word| word == "--temp");
        let from = disk.resolve(&told.join("cwd")).ok()?;
        (!is_temporary).then(|| Started { arguments, from, environment: Some(environment.collect()) })
    }
}
