//! Our own broker as a child process: the binary as people start it, stop it, and as machines kill it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::folders;
use crate::kafka::repository;

/// How a broker is started.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// The data folder; None for one of its own that is removed in the end.
    pub folder: Option<PathBuf>,
    /// Limits of the process, in the words of the shell's `ulimit`: `-v 500000` is one.
    pub limits: Vec<String>,
    /// What else stands on its command line.
    pub arguments: Vec<String>,
    /// Where it sends its clients, if not to itself.
    pub advertised: Option<SocketAddr>,
}

/// A broker, and how it was started. It is killed on drop, and a folder of its own removed.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    addresses: Vec<SocketAddr>,
    launch: Launch,
    folder: PathBuf,
    log: Arc<Mutex<String>>,
    /// Removes the folder, when the broker was not given one.
    _own_folder: Option<TempDir>,
}

impl Broker {
    /// Builds the binary once, and starts it on a free port in a temporary folder.
    pub fn start(arguments: &[&str]) -> anyhow::Result<Broker> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Broker::launch(Launch { arguments, ..Launch::default() })
    }

    /// Starts it as told.
    pub fn launch(launch: Launch) -> anyhow::Result<Broker> {
        let own_folder = launch.folder.is_none().then(folders::in_memory);
        let own_path = own_folder.as_ref().map(|folder| folder.path().to_owned());
        let folder = launch.folder.clone().or(own_path).context("a broker has a folder")?;
        let log = Arc::default();
        let (child, addresses) = spawn(&folder, &launch, &log)?;
        Ok(Broker { child, addresses, launch, folder, log, _own_folder: own_folder })
    }

    /// Where clients connect to first.
    pub fn bootstrap(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where each of its nodes is.
    pub fn nodes(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The folder with the partitions' folders.
    pub fn data_dir(&self) -> &Path {
        &self.folder
    }

    /// What it has written to its log since it was first started.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The id of its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The memory that it really uses (VmRSS), in KiB.
    pub fn resident_kib(&self) -> anyhow::Result<u64> {
        self.memory_kib("VmRSS:")
    }

    /// The most memory that it really used (VmHWM) since its start or the last [`Self::forget_peak`], in KiB.
    pub fn peak_kib(&self) -> anyhow::Result<u64> {
        self.memory_kib("VmHWM:")
    }

    /// Lets the peak begin anew at what is in use now.
    pub fn forget_peak(&self) -> anyhow::Result<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    fn memory_kib(&self, name: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("the broker has ended")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// How long processors have worked for it.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name in parentheses: user and system time are the 12th and 13th field, in hundredths of a second.
        let (_, fields) = stat.rsplit_once(") ").context("the broker has ended")?;
        let hundredths = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(hundredths * 10))
    }

    /// Whether its process still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(self.pid(), signal)?)
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Stops it as an operator does, and waits.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait()
    }

    /// Ends it as a crash does (kill -9), and waits.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.kill()?;
        self.wait()
    }

    /// Starts it again on the same folder, after it has ended, with other words on its command line.
    pub fn restart_with(&mut self, arguments: &[&str]) -> anyhow::Result<()> {
        self.launch.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self.restart()
    }

    /// Starts it again on the same folder, after it has ended. Its port is another.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        ensure!(!self.is_alive(), "a broker that runs cannot be started again");
        (self.child, self.addresses) = spawn(&self.folder, &self.launch, &self.log)?;
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A broker that has ended already is as good.
        let _ = self.kill();
        if thread::panicking() {
            eprintln!("the broker's log:\n{}", self.log());
        }
    }
}

/// Starts the binary and waits for the line that tells its address.
fn spawn(folder: &Path, launch: &Launch, log: &Arc<Mutex<String>>) -> anyhow::Result<(Child, Vec<SocketAddr>)> {
    let mut command = Command::new("sh");
    let limits: String = launch.limits.iter().map(|limit| format!("ulimit {limit} && ")).collect();
    // The shell becomes the broker, so the child's id is the broker's.
    command.arg("-c").arg(format!("{limits}exec \"$0\" \"$@\"")).arg(binary()?);
    match launch.advertised {
        None => command.args(["--port", "0"]),
        // A port that is given as a flag counts for clients, too.
        Some(address) => command
            .args(["--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override"])
            .arg(format!("advertised.listeners=PLAINTEXT://{address}")),
    };
    command.arg("--data").arg(folder).args(&launch.arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cutaway does not start")?;
    let errors = child.stderr.take().expect("stderr was piped above");
    let kept = Arc::clone(log);
    let reading = thread::spawn(move || keep(errors, &kept));
    let output = BufReader::new(child.stdout.take().expect("the output was piped above"));
    let mut lines = output.lines().map_while(Result::ok);
    let is_told = |addresses: &Vec<SocketAddr>| !addresses.is_empty();
    let Some(addresses) = lines.by_ref().map(|line| bound_addresses(&line)).find(is_told) else {
        let status = child.wait()?;
        let _ = reading.join();
        let log = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        anyhow::bail!("cutaway ended ({status}) without saying where it listens; its log:\n{log}");
    };
    // Read on, so that the broker never blocks on a full pipe.
    thread::spawn(move || lines.for_each(drop));
    Ok((child, addresses))
}

/// Keeps what a broker writes to its log.
fn keep(errors: impl Read, kept: &Mutex<String>) {
    for line in BufReader::new(errors).lines().map_while(Result::ok) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_str(&line);
        kept.push('\n');
    }
}

/// The addresses in a line of the broker's output: `... 127.0.0.1:9092 ...`.
fn bound_addresses(line: &str) -> Vec<SocketAddr> {
    line.split(|character: char| character.is_whitespace() || "/,;()".contains(character))
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// The path of the binary, which is built on the first call.
pub fn binary() -> anyhow::Result<&'static Path> {
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
