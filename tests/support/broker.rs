//! Our own broker as a child process: the binary as people start it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::kafka::repository;

/// A broker as a child process. It is killed on drop.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    address: SocketAddr,
    data_dir: PathBuf,
    /// Removed with the broker, where it made the folder itself.
    temporary: Option<TempDir>,
}

impl Broker {
    /// Builds the binary once, and starts it on a free port in a temporary folder.
    pub fn start(arguments: &[&str]) -> anyhow::Result<Broker> {
        let folder = tempfile::tempdir()?;
        let mut broker = Broker::start_on(folder.path(), arguments)?;
        broker.temporary = Some(folder);
        Ok(broker)
    }

    /// Starts it on a folder that stays.
    pub fn start_on(data_dir: &Path, arguments: &[&str]) -> anyhow::Result<Broker> {
        let mut command = Command::new(binary()?);
        command.args(["--port", "0", "--data"]).arg(data_dir).args(arguments);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cutaway does not start")?;
        let output = BufReader::new(child.stdout.take().expect("the output was piped above"));
        let mut lines = output.lines().map_while(Result::ok);
        let address =
            lines.find_map(|line| bound_address(&line)).context("cutaway ended without saying where it listens")?;
        // Read on, so that the broker never blocks on a full pipe.
        thread::spawn(move || lines.for_each(drop));
        Ok(Broker { child, address, data_dir: data_dir.to_owned(), temporary: None })
    }

    /// Where clients connect to first.
    pub fn bootstrap(&self) -> SocketAddr {
        self.address
    }

    /// The folder with the partitions' folders.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A broker that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first address in a line of the broker's output: `... 127.0.0.1:9092 ...`.
fn bound_address(line: &str) -> Option<SocketAddr> {
    line.split(|character: char| character.is_whitespace() || "/,;()".contains(character))
        .find_map(|word| word.parse().ok())
}

/// The path of the binary, which is built on the first call.
fn binary() -> anyhow::Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn build() -> anyhow::Result<PathBuf> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--package", "cutaway", "--bin", "cutaway"]).current_dir(repository());
    ensure!(command.status()?.success(), "cutaway does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), Into::into);
    Ok(target.join("debug/cutaway"))
}
