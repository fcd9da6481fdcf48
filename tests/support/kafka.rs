//! A real Apache Kafka: its broker as a child process, and its console tools.
//!
//! The jars are put under `target/kafka` by `tests/kafka/install`. Where they or Java are missing, tests skip by name.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use uuid::Uuid;

use crate::skip::skip;

/// A broker that takes longer than this to start does not start.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Ports below those that Linux gives to clients.
const PORTS: Range<u16> = 10_000..32_000;

/// What Kafka logs when it serves.
const STARTED: &str = "Kafka Server started";

/// One node in a folder of its own, which is broker and controller. It is killed and its folder removed on drop.
#[derive(Debug)]
pub struct RealKafka {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl RealKafka {
    /// Formats a temporary folder and starts a broker on free ports; None where Kafka is not installed.
    ///
    /// The properties come last in its file, so they override the ones written here.
    pub fn start(extra_properties: &[(&str, &str)]) -> anyhow::Result<Option<RealKafka>> {
        if !is_installed()? {
            return Ok(None);
        }
        let mut kafka = RealKafka::launch(free_ports()?, extra_properties, &["--standalone"])?;
        kafka.wait_until_it_serves()?;
        Ok(Some(kafka))
    }

    /// Starts three nodes of one cluster, with the ids 1 to 3, of which the first is the controller, too; None as in
    /// [`Self::start`].
    pub fn start_three(extra_properties: &[(&str, &str)]) -> anyhow::Result<Option<Vec<RealKafka>>> {
        if !is_installed()? {
            return Ok(None);
        }
        let (first, second, third) = (free_ports()?, free_ports()?, free_ports()?);
        let quorum = format!("127.0.0.1:{}", first.1);
        let broker = |id: &str, ports: (u16, u16)| {
            let listener = format!("PLAINTEXT://127.0.0.1:{}", ports.0);
            let own = [
                ("process.roles", "broker"),
                ("node.id", id),
                ("controller.quorum.bootstrap.servers", &quorum),
                ("listeners", &listener),
                ("advertised.listeners", &listener),
            ];
            RealKafka::launch(ports, &[&own, extra_properties].concat(), &[])
        };
        // Side by side: a Java machine takes a while to start, and two are started for each node.
        let mut nodes = thread::scope(|scope| {
            let controller = scope.spawn(|| RealKafka::launch(first, extra_properties, &["--standalone"]));
            let others = [scope.spawn(|| broker("2", second)), scope.spawn(|| broker("3", third))];
            let threads = [controller].into_iter().chain(others);
            threads.map(|thread| thread.join().expect("no launch panics")).collect::<anyhow::Result<Vec<_>>>()
        })?;
        nodes.iter_mut().try_for_each(RealKafka::wait_until_it_serves)?;
        Ok(Some(nodes))
    }

    /// Formats a folder and starts the process; it does not serve yet.
    fn launch(
        (port, controller_port): (u16, u16),
        extra_properties: &[(&str, &str)],
        format_options: &[&str],
    ) -> anyhow::Result<RealKafka> {
        let folder = tempfile::tempdir()?;
        let properties = folder.path().join("server.properties");
        fs::write(&properties, server_properties(folder.path(), port, controller_port, extra_properties))?;
        format(&properties, format_options)?;

        let log = fs::File::create(folder.path().join("broker.log"))?;
        let mut command = java(&["-Xmx512m"]);
        command.arg("kafka.Kafka").arg(&properties).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let child = command.spawn().context("java could not be started")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(RealKafka { child, address, folder })
    }

    /// The broker that all tests of this process share while at least one of them holds it; None as in [`Self::start`].
    pub fn shared() -> anyhow::Result<Option<Arc<RealKafka>>> {
        static SHARED: Mutex<Weak<RealKafka>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().expect("no test panics while it starts the shared broker");
        if let Some(running) = shared.upgrade() {
            return Ok(Some(running));
        }
        let started = RealKafka::start(&[])?.map(Arc::new);
        *shared = started.as_ref().map_or_else(Weak::new, Arc::downgrade);
        Ok(started)
    }

    /// Where clients connect to first.
    pub fn bootstrap(&self) -> SocketAddr {
        self.address
    }

    /// The folder with the partitions' folders.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Stops the broker as an operator does, and waits for it. The folder stays until the value is dropped.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        Ok(self.child.wait()?)
    }

    /// Ends the broker as a crash does, and waits for it. The folder stays until the value is dropped.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    fn wait_until_it_serves(&mut self) -> anyhow::Result<()> {
        let output = self.child.stdout.take().expect("the output was piped above");
        if !says_that_it_started(output) {
            self.kill()?;
            let log = fs::read_to_string(self.folder.path().join("broker.log"))?;
            bail!("Kafka did not start within {START_LIMIT:?}; it said:\n{log}");
        }
        answers_api_versions(self.address).context("Kafka has started, but does not answer ApiVersions")
    }
}

impl Drop for RealKafka {
    fn drop(&mut self) {
        // A broker that was stopped before is gone already, which is as good.
        let _ = self.kill();
    }
}

/// Whether a real Kafka can be started here. Where not, the running test is skipped by name, or failed where nothing may be.
pub fn is_installed() -> anyhow::Result<bool> {
    if Command::new("java").arg("-version").output().is_err() {
        skip("Java", "Install a JDK of version 17 or later.")?;
        return Ok(false);
    }
    if !home().join("pom.xml").exists() {
        skip("Apache Kafka", "Run tests/kafka/install.")?;
        return Ok(false);
    }
    Ok(true)
}

/// The folder with Kafka's jars.
pub fn libs() -> PathBuf {
    home().join("libs")
}

/// Runs one of Kafka's tools, such as `org.apache.kafka.tools.TopicCommand`, to its end.
pub fn kafka_tool(class: &str, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = java(&["-Xmx256m"]);
    command
        .arg(class)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{class} could not be run"))
}

/// What one of many tools printed.
#[derive(Debug)]
pub struct ToolRun {
    /// Output and errors, in the order in which they were written.
    pub output: String,
    /// 0 for success.
    pub exit_code: i32,
}

/// Runs many of Kafka's tools in one Java machine: each is a class and its arguments.
pub fn run_tools(commands: &[Vec<String>]) -> anyhow::Result<Vec<ToolRun>> {
    let mut command = java(&["-Xmx256m"]);
    command.arg(repository().join("tests/kafka/Tools.java"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let input: String = commands.iter().map(|words| format!("{}\n", words.join("\t"))).collect();
    // The commands are few, and fit the pipe.
    child.stdin.take().context("the input was piped above")?.write_all(input.as_bytes())?;
    let output = String::from_utf8(child.wait_with_output()?.stdout)?;
    let mut runs = Vec::new();
    let mut begun = String::new();
    for line in output.lines() {
        match line.strip_prefix('\u{7}') {
            Some(code) => runs.push(ToolRun { output: std::mem::take(&mut begun), exit_code: code.parse()? }),
            None => begun.extend([line, "\n"]),
        }
    }
    ensure!(runs.len() == commands.len(), "{} of {} tools ran; then:\n{begun}", runs.len(), commands.len());
    Ok(runs)
}

/// Runs `kafka-dump-log` on the files.
pub fn dump_log(files: &[&Path], flags: &[&str]) -> anyhow::Result<Output> {
    let files: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
    let files = files.join(",");
    kafka_tool("org.apache.kafka.tools.DumpLogSegments", &[&["--files", &files], flags].concat())
}

fn home() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    target.join("kafka")
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests' crate stands in the repository").to_owned()
}

/// Java with Kafka on its class path. The first compiler alone and the plainest collector: it starts in half the time.
fn java(options: &[&str]) -> Command {
    let mut logging = std::ffi::OsString::from("-Dlog4j2.configurationFile=file:");
    logging.push(repository().join("tests/kafka/log4j2.properties"));
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]).args(options).arg(logging);
    command.arg("-cp").arg(libs().join("*"));
    command
}

fn format(properties: &Path, options: &[&str]) -> anyhow::Result<()> {
    let properties = properties.to_string_lossy();
    // Any 16 bytes in URL-safe base64 are a cluster id; the same for all, so that answers compare equal.
    let arguments = ["format", "--cluster-id", "Y3V0YXdheS1vcmFjbGUtMQ", "--config", &properties];
    let output = kafka_tool("kafka.tools.StorageTool", &[&arguments, options].concat())?;
    ensure!(
        output.status.success(),
        "Kafka's folder could not be formatted: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn server_properties(folder: &Path, port: u16, controller_port: u16, extra: &[(&str, &str)]) -> String {
    let listeners = format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}");
    let quorum = format!("127.0.0.1:{controller_port}");
    let data = folder.join("data");
    let data = data.to_string_lossy();
    let properties = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.quorum.bootstrap.servers", &quorum),
        ("listeners", &listeners),
        ("advertised.listeners", &listeners),
        ("controller.listener.names", "CONTROLLER"),
        ("inter.broker.listener.name", "PLAINTEXT"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
        ("log.dirs", &data),
        ("offsets.topic.replication.factor", "1"),
        ("offsets.topic.num.partitions", "1"),
        ("transaction.state.log.replication.factor", "1"),
        ("transaction.state.log.min.isr", "1"),
        ("transaction.state.log.num.partitions", "1"),
        ("share.coordinator.state.topic.replication.factor", "1"),
        ("share.coordinator.state.topic.min.isr", "1"),
        ("group.initial.rebalance.delay.ms", "0"),
        ("log.segment.delete.delay.ms", "1000"),
    ];
    properties.iter().chain(extra).map(|(key, value)| format!("{key}={value}\n")).collect()
}

/// Two ports that were free a moment ago. Kafka's controller needs to know its port before it binds it, so 0 will not do.
///
/// They lie below those that the system itself hands out: Kafka takes seconds to bind them, and of those a connection of
/// another test would have taken one by then, once in a while.
fn free_ports() -> anyhow::Result<(u16, u16)> {
    // Chance keeps apart the Kafkas that are started side by side.
    let first = PORTS.start + u16::try_from(Uuid::new_v4().as_u128() % PORTS.len() as u128)?;
    let ports = (first..PORTS.end).chain(PORTS.start..first);
    let mut free = ports.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.next().zip(free.next()).context("no two ports of 127.0.0.1 are free")
}

/// Waits for the line that says so, and reads on afterwards, so that the broker never blocks on a full pipe.
fn says_that_it_started(output: ChildStdout) -> bool {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if line.contains(STARTED) {
                // Nobody listens any more when the limit was over before; the broker is killed then.
                let _ = sender.send(());
            }
        }
    });
    receiver.recv_timeout(START_LIMIT).is_ok()
}

/// Asks for ApiVersions version 0, the one request that every broker there ever was answers.
fn answers_api_versions(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    stream.write_all(b"\0\0\0\x0a\0\x12\0\0\0\0\0\x01\xff\xff")?;
    let mut answer = [0; 10];
    stream.read_exact(&mut answer)?;
    ensure!(answer[4..] == *b"\0\0\0\x01\0\0", "the answer begins with {answer:?}");
    Ok(())
}
