//! `--detach`: the broker goes on in the background.
//!
//! The process starts itself again with the same arguments and `--detached`. That second process leaves the terminal's
//! session, starts the broker, prints the banner, and points its output to the log; the first one hands the banner on
//! and ends when the output closes. A start that fails is thus told where it was asked for.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;
use cutaway::config::BrokerConfig;
use cutaway::storage::disk::Disk;

use super::banner::shell_word;

/// What the broker in the background says, in the data folder.
const LOG_FILE: &str = "cutaway.log";

/// Starts the broker in the background and waits until it serves.
pub(crate) fn run(config: &BrokerConfig, is_temporary: bool) -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args_os();
    let own_name = arguments.next().unwrap_or_else(|| "cutaway".into());
    let mut background = Command::new(std::env::current_exe().context("the path of this program is not known")?)
        .arg0(own_name)
        .args(arguments)
        .arg("--detached")
        .args(is_temporary.then(|| [OsStr::new("--temp-folder"), config.log_dir.as_os_str()]).into_iter().flatten())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start a process in the background")?;
    let mut banner = Vec::new();
    let output = background.stdout.take().expect("the output was piped above");
    output.take(u64::from(u16::MAX)).read_to_end(&mut banner).context("cannot read what the broker prints")?;
    if banner.is_empty() {
        // It ended without serving, and has said why.
        let status = background.wait().context("cannot wait for the broker")?;
        return Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)));
    }
    anstream::stdout().write_all(&banner).context("cannot print")?;
    let fate = if is_temporary { "; the folder is removed when the broker stops" } else { "" };
    anstream::eprintln!("in the background; its log is {}{fate}", shell_word(&config.log_dir.join(LOG_FILE)));
    Ok(ExitCode::SUCCESS)
}

/// In the background process, first of all: a hang-up of the terminal is no longer its business.
pub(crate) fn leave_terminal() -> anyhow::Result<()> {
    rustix::process::setsid().map(|_| ()).context("cannot leave the terminal's session")
}

/// In the background process, once it serves: everything it says from now on goes to the log in its data folder.
pub(crate) fn write_to_log(folder: &Path) -> anyhow::Result<()> {
    let log = Disk::default().open_to_append(&folder.join(LOG_FILE))?;
    rustix::stdio::dup2_stdout(&log).context("cannot write to the log")?;
    rustix::stdio::dup2_stderr(&log).context("cannot write to the log")?;
    Ok(())
}
