//! `cutaway run`: a command with a broker of its own, and nothing left behind, whoever is killed.

mod killed;
mod signals;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use anyhow::{Context, ensure};
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::binary;
use cutaway_tests::client::Client;
use cutaway_tests::{folders, patience};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const VARIABLES: [&str; 3] = ["KAFKA_BROKER", "KAFKA_BOOTSTRAP_SERVERS", "SPRING_KAFKA_BOOTSTRAP_SERVERS"];

/// So many runs at once.
const CROWD: usize = 50;

/// The place for temporary folders of one test, by which its processes are known, too.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(folders::in_memory())
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env("TMPDIR", self.0.path()).env_remove("RUST_LOG");
        VARIABLES.iter().for_each(|variable| _ = command.env_remove(variable));
        command
    }

    /// Runs to the end.
    fn output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        Ok(self.command(binary()?, arguments).stdin(Stdio::null()).output()?)
    }

    /// Starts a shell with a broker, and goes on when the shell has told the broker's address.
    fn run(&self, script: &str) -> anyhow::Result<Run> {
        let script = format!("echo $KAFKA_BROKER; {script}");
        Run::of(&mut self.command(binary()?, &["run", "--", "sh", "-c", &script]))
    }

    /// The data folders of brokers.
    fn folders(&self) -> anyhow::Result<Vec<PathBuf>> {
        fs::read_dir(self.0.path())?.map(|entry| Ok(entry?.path())).collect()
    }

    /// The processes whose environment names this place.
    fn processes(&self) -> anyhow::Result<BTreeSet<i32>> {
        let told = format!("TMPDIR={}", self.0.path().display());
        let is_ours = |id: &i32| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == told.as_bytes())
        };
        let names = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| name.parse().ok()).filter(is_ours).collect())
    }

    /// Fails if anything is left now.
    fn ensure_empty(&self) -> anyhow::Result<()> {
        let (folders, processes) = (self.folders()?, self.processes()?);
        ensure!(folders.is_empty() && processes.is_empty(), "left behind: {folders:?}, processes {processes:?}");
        Ok(())
    }

    /// Waits until nothing is left.
    fn until_empty(&self) -> anyhow::Result<()> {
        let gone = patience::until("folders and processes to be gone", || Ok(self.ensure_empty().is_ok()));
        gone.and_then(|()| self.ensure_empty()).or_else(|error| self.ensure_empty().context(error))
    }
}

impl Drop for Place {
    /// What a test that fails has left must not disturb the next.
    fn drop(&mut self) {
        for process in self.processes().unwrap_or_default().into_iter().filter_map(Pid::from_raw) {
            // One that has ended is as good.
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

/// A run whose command serves as our hand: what it reads and prints are pipes to us. Killed on drop.
struct Run {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Run {
    fn of(command: &mut Command) -> anyhow::Result<Run> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().context("the output was piped")?).lines();
        let address = lines.next().context("the command printed nothing")??.parse()?;
        Ok(Run { child, stdin, lines, address })
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        Ok(self.lines.next().context("the command has ended")??)
    }

    /// Closes the command's input, and waits for the end: the exit code, and what was said on stderr.
    fn end(&mut self) -> anyhow::Result<(Option<i32>, String)> {
        self.stdin = None;
        let mut said = String::new();
        self.child.stderr.take().context("it has ended already")?.read_to_string(&mut said)?;
        Ok((self.child.wait()?.code(), said))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn the_command_has_the_address_and_our_streams_and_its_exit_code_is_ours() -> anyhow::Result<()> {
    let place = Place::new();
    let variables = VARIABLES.map(|variable| format!("echo ${variable};")).concat();
    let mut run = place.run(&format!("{variables} cat; echo talk >&2; exit 7"))?;
    for variable in VARIABLES {
        let told = run.line()?;
        ensure!(told == run.address.to_string(), "{variable}={told}");
    }
    ensure!(run.address.ip().is_loopback(), "{}", run.address);
    run.stdin.as_mut().context("the input was piped")?.write_all(b"typed\n")?;
    ensure!(run.line()? == "typed", "the command does not read what we type");
    ensure!(run.end()? == (Some(7), "talk\n".into()), "the exit code or what was said is another's");
    place.ensure_empty()
}

#[test]
fn exit_codes_and_sentences_are_those_of_shells() -> anyhow::Result<()> {
    let place = Place::new();
    let folder = folders::in_memory();
    let (file, script) = (folder.path().join("file"), folder.path().join("script"));
    fs::write(&file, "no program")?;
    fs::write(&script, "#!/no/such/interpreter\n")?;
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let (file, script) = (file.display().to_string(), script.display().to_string());
    let no_file = "there is no such file, or it names an interpreter that is not there";
    for (arguments, code, sentence) in [
        (&["true"][..], 0, ""),
        (&["--", "false"], 1, ""),
        (&["sh", "-c", "kill -KILL $$"], 137, ""),
        (&["--", "no-such-command"], 127, "cannot run no-such-command: there is no such command on the PATH"),
        (&["--", &script], 127, no_file),
        (&["--", &file], 126, "Permission denied"),
        (&[], 2, "there is no command to run; for example: cutaway run -- pytest"),
        (&["--"], 2, "there is no command to run"),
        (&["--port", "1", "true"], 2, "unexpected argument '--port'"),
        (&["--override", "num.partitions=x", "true"], 2, "must be a whole number of at least 1"),
        (&["--config", "/no/such/file", "true"], 2, "--config: cannot open /no/such/file"),
        (&["--override", "num.partition=3", "true"], 0, "did you mean num.partitions?"),
    ] {
        let output = place.output(&[&["run"], arguments].concat())?;
        let said = String::from_utf8(output.stderr)?;
        ensure!(output.status.code() == Some(code), "{arguments:?}: {}: {said}", output.status);
        ensure!(said.contains(sentence) && said.is_empty() == sentence.is_empty(), "{arguments:?}: {said}");
    }
    let quiet = place.output(&["run", "-q", "--override", "num.partition=3", "true"])?;
    ensure!(quiet.stderr.is_empty(), "{}", String::from_utf8_lossy(&quiet.stderr));
    place.ensure_empty()
}

#[test]
fn settings_reach_the_broker_and_the_environment_does_not() -> anyhow::Result<()> {
    let place = Place::new();
    let arguments = ["run", "--override", "num.partitions=3", "--", "sh", "-c", "echo $KAFKA_BROKER; cat"];
    let mut command = place.command(binary()?, &arguments);
    let mut run = Run::of(command.env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false").env("KAFKA_TOPIC", "orders"))?;
    let mut client = Client::connect(run.address)?;
    ensure!(client.create_topic("three", -1, &[])? == 0, "the topic is not created");
    ensure!(client.topic("three")?.partitions.len() == 3, "the setting is not in force");
    // What the tests of a program are told about Kafka is nothing that a broker would complain of.
    ensure!(run.end()? == (Some(0), String::new()), "something was said");
    place.ensure_empty()
}

#[test]
fn a_broker_that_does_not_start_says_why() -> anyhow::Result<()> {
    let place = Place::new();
    let output = place.command(binary()?, &["run", "echo", "ran"]).env("TMPDIR", "/proc").output()?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(1) && output.stdout.is_empty(), "{}: {said}", output.status);
    ensure!(said.contains("cannot create folder /proc/cutaway-"), "{said}");
    Ok(())
}

/// What people do who run the suites of many projects at once on one machine.
#[test]
fn fifty_at_once_keep_apart_and_leave_nothing() -> anyhow::Result<()> {
    let place = Place::new();
    let mut runs = Vec::new();
    let program = binary()?;
    std::thread::scope(|scope| {
        let place = &place;
        let start = |number: usize| place.run(&format!("cat; exit {number}"));
        let starting: Vec<_> = (0..CROWD).map(|number| scope.spawn(move || start(number))).collect();
        for run in starting {
            runs.push(run.join().expect("no panic")?);
        }
        anyhow::Ok(())
    })?;
    let addresses: BTreeSet<SocketAddr> = runs.iter().map(|run| run.address).collect();
    ensure!(addresses.len() == CROWD, "some have the same broker: {addresses:?}");
    ensure!(place.folders()?.len() == CROWD, "{} folders for {CROWD} runs", place.folders()?.len());
    let sent = |number: usize| Batch::of_producer(number as i64, 0, 0).bytes();
    for (number, run) in runs.iter().enumerate() {
        let mut client = Client::connect(run.address)?;
        ensure!(client.create_topic("topic", 1, &[])? == 0, "run {number}: the topic is not created");
        ensure!(client.produce("topic", 0, sent(number))?.base_offset == 0, "run {number}: somebody else was here");
    }
    for (number, mut run) in runs.into_iter().enumerate() {
        let batches = Client::connect(run.address)?.fetch_all_from("topic", 0, 0)?;
        ensure!(batches.len() == 1 && batches[0][17..] == sent(number)[17..], "run {number} reads another's record");
        ensure!(run.end()? == (Some(number as i32), String::new()), "run {number} ends otherwise than its command");
        // A run that ends does not take its neighbours along.
        ensure!(place.folders()?.len() == CROWD - 1 - number, "{:?}", place.folders()?);
    }
    ensure!(program.exists(), "the binary is gone");
    place.ensure_empty()
}
