//! The broker of a run, seen from the process that runs the command.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail};
use cutaway::storage::disk::Disk;
use cutaway::web::{ListenerStatus, Status};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::serve::DONE;
use super::{RUNS, RunOptions, VARIABLES};

/// The most that is kept of what the broker says: the end of it tells why it failed.
const LOG_BYTES: usize = 64 * 1024;

/// A broker in a process of its own. It ends when this is dropped, or with this process.
pub(super) struct Background {
    process: Child,
    /// Its closing tells the broker that the run is over.
    line_to_broker: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// `None` when the broker writes to our own stderr.
    log: Option<JoinHandle<Vec<u8>>>,
    folder: Option<PathBuf>,
    has_failed: bool,
}

impl Background {
    /// Starts the process; it does not serve yet.
    pub(super) fn start(options: &RunOptions) -> anyhow::Result<Background> {
        let own_path = std::env::current_exe().context("the path of this program is not known")?;
        let mut command = Command::new(own_path);
        command.args(options.of_broker()).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(if options.verbose > 0 { Stdio::inherit() } else { Stdio::piped() });
        for variable in VARIABLES.into_iter().chain([RUNS]) {
            // Of a run around this one, which would take this broker for a part of its command.
            command.env_remove(variable);
        }
        let mut process = command.spawn().context("cannot start a process for the broker")?;
        let log = process.stderr.take().map(|stderr| tokio::spawn(keep_the_end(stderr)));
        let output = process.stdout.take().expect("the output was piped above");
        let line_to_broker = process.stdin.take().expect("the input was piped above");
        let output = BufReader::new(output).lines();
        Ok(Background { process, line_to_broker, output, log, folder: None, has_failed: false })
    }

    /// The address at which it serves, as soon as it does; where it shows itself as several nodes, one of each, separated
    /// by commas.
    pub(super) async fn address(&mut self) -> anyhow::Result<String> {
        let Some(line) = self.output.next_line().await.context("cannot hear the broker")? else {
            self.has_failed = true;
            bail!("it did not serve");
        };
        let status: Status = serde_json::from_str(&line).context("the broker does not say where it serves")?;
        self.folder = Some(status.data_folder);
        let address = |listener: &ListenerStatus| listener.address.rsplit("//").next().unwrap_or_default().to_owned();
        let addresses: Vec<String> = status.listeners.iter().map(address).collect();
        anyhow::ensure!(!addresses.is_empty(), "the broker listens nowhere");
        Ok(addresses.join(","))
    }

    /// Waits until it has ended, although nobody asked it to; once.
    pub(super) async fn failed(&mut self) {
        if self.has_failed {
            std::future::pending().await
        }
        while let Ok(Some(_)) = self.output.next_line().await {}
        self.has_failed = true;
    }

    /// Ends it and sees that nothing is left, of the command's processes neither if `with_family`. If it failed, shows what
    /// it said, and returns how it ended.
    pub(super) async fn end(self, with_family: bool) -> anyhow::Result<Option<String>> {
        let Background { mut process, mut line_to_broker, log, folder, has_failed, .. } = self;
        if !with_family {
            // One that has ended does not read any more.
            let _ = line_to_broker.write_all(DONE).await;
        }
        drop(line_to_broker);
        let status = process.wait().await.context("cannot wait for the broker")?;
        if let Some(folder) = folder {
            // It does that itself, unless it was killed.
            Disk::default().remove_dir_all(&folder)?;
        }
        if status.success() && !has_failed {
            return Ok(None);
        }
        if let Some(log) = log {
            anstream::eprint!("{}", String::from_utf8_lossy(&log.await.unwrap_or_default()));
        }
        Ok(Some(format!("the broker ended by itself ({status})")))
    }
}

/// Reads all, so that the broker never waits, and keeps the last of it.
async fn keep_the_end(mut log: impl AsyncReadExt + Unpin) -> Vec<u8> {
    let (mut kept, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = log.read(&mut chunk).await {
        kept.extend(&chunk[..count]);
        kept.drain(..kept.len().saturating_sub(LOG_BYTES));
    }
    kept
}
