//! The binary as people meet it: what they mistype, where their data is, what is left behind, what a terminal shows.

mod aborted;
mod consume;
mod consume_group;
mod events;
mod explain;
mod forbidden;
mod foreign;
mod groups;
mod mistakes;
mod nodes;
mod outage;
mod produce;
mod temporary;
mod terminal;
mod topics;
mod unreachable;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, ensure};
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::{Broker, Launch, binary};
use cutaway_tests::client::Client;
use cutaway_tests::folders;

/// A line that has not come by then does not come; generous, for machines that do many things at once.
const LINE_LIMIT: Duration = Duration::from_secs(60);

/// The binary, which hears nothing of the settings of whoever runs the tests.
fn cutaway(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(binary()?);
    command.args(arguments).env_remove("RUST_LOG");
    Ok(command)
}

/// What came of a command that ran to its end.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Runs it with nothing to read.
    fn of(arguments: &[&str]) -> anyhow::Result<Ran> {
        Ran::with_input(arguments, b"")
    }

    /// Runs it with this on its stdin.
    fn with_input(arguments: &[&str], input: &[u8]) -> anyhow::Result<Ran> {
        let mut command = cutaway(arguments)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env_remove("KAFKA_BROKER");
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("the input was piped")?;
        let input = input.to_vec();
        let writing = std::thread::spawn(move || {
            // A command that fails early reads no more.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output()?;
        writing.join().map_err(|_| anyhow::anyhow!("the input could not be written"))?;
        Ok(Ran::from(output))
    }

    /// What it printed, if it succeeded.
    fn printed(self) -> anyhow::Result<String> {
        ensure!(self.code == Some(0), "{self:#?}");
        Ok(self.stdout)
    }

    /// What it printed as JSON, a value a line, if it succeeded.
    fn values(self) -> anyhow::Result<Vec<serde_json::Value>> {
        self.printed()?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// What it said, if it ended with this code and printed nothing.
    fn failed(self, code: i32) -> anyhow::Result<String> {
        ensure!(self.code == Some(code) && self.stdout.is_empty(), "{self:#?}");
        ensure!(!self.stderr.contains("panicked") && !self.stderr.contains("stack backtrace"), "{self:#?}");
        Ok(self.stderr)
    }
}

/// Lines as they come from a command that goes on: each is waited for, and not for ever.
struct Lines(mpsc::Receiver<String>);

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Lines {
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Nobody listens any more once the test is over.
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Lines(lines)
    }

    fn next(&self) -> anyhow::Result<String> {
        self.0.recv_timeout(LINE_LIMIT).context("no line came")
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A topic's own settings stand in one file; whoever removes it must hear what that cost, and where to read it again.
#[test]
fn a_removed_metadata_file_is_told_in_log_banner_and_findings() -> anyhow::Result<()> {
    let mut broker = Broker::start(&[])?;
    let mut client = Client::connect(broker.bootstrap())?;
    client.create_topic("kept", 3, &[("retention.ms", "1000")])?;
    broker.stop()?;
    let folder = broker.data_dir().to_owned();
    std::fs::remove_file(folder.join("cutaway.redb"))?;
    broker.restart()?;
    let sentence = "cutaway.redb: it is missing, though there are folders of 1 topic;";
    let status = cutaway(&["status", "--data"])?.arg(&folder).output()?;
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    let findings = std::fs::read_to_string(folder.join("recovery-findings.txt"))?;
    for told in [&broker.log(), &status, &findings] {
        ensure!(told.contains(sentence), "nothing tells of the loss:\n{told}");
    }
    ensure!(!status.contains("nothing to recover"), "{status}");
    Ok(())
}

/// Each held three, so that ten thousand partitions were more than a limit of twenty thousand had room for.
#[test]
fn partitions_that_nobody_uses_need_no_open_files() -> anyhow::Result<()> {
    let folder = folders::in_memory();
    let launch = |limits: Vec<String>| Launch { folder: Some(folder.path().to_owned()), limits, ..Launch::default() };
    let mut broker = Broker::launch(launch(Vec::new()))?;
    let mut client = Client::connect(broker.bootstrap())?;
    ensure!(client.create_topic("many", 100, &[])? == 0, "the topic is not created");
    for partition in 0..100 {
        client.produce("many", partition, Batch::default().bytes())?;
    }
    drop(client);
    broker.stop()?;
    drop(broker);
    // The broker raises the soft limit by itself, so the hard one is lowered too.
    let mut broker = Broker::launch(launch(vec!["-n 80".into()]))?;
    let mut client = Client::connect(broker.bootstrap())?;
    for partition in [0, 99] {
        client.produce("many", partition, Batch::default().bytes())?;
    }
    drop(client);
    broker.stop()?;
    ensure!(!broker.log().contains("not served"), "{}", broker.log());
    Ok(())
}

/// Whether the shell's soft limit of open files is raised shows in what the process may open.
#[test]
fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() -> anyhow::Result<()> {
    let broker = Broker::launch(Launch { limits: vec!["-S -n 100".into()], ..Launch::default() })?;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", broker.pid().as_raw_nonzero()))?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    ensure!(words.len() > 4 && words[3] == words[4] && words[3] != "100", "{line}");
    Ok(())
}
