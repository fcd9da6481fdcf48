//! One of the programs, run and listened to.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use cutaway_tests::patience;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::locked;

/// What has not ended by then is killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs; it is killed on drop.
pub(crate) struct Program {
    child: Child,
    stderr: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
    pub(crate) stdout: String,
}

/// The binary of a program, built with the tests.
fn binary(name: &str) -> &'static str {
    match name {
        "wikipedia-producer" => env!("CARGO_BIN_EXE_wikipedia-producer"),
        "wikipedia-consumer" => env!("CARGO_BIN_EXE_wikipedia-consumer"),
        "bluesky-producer" => env!("CARGO_BIN_EXE_bluesky-producer"),
        "bluesky-consumer" => env!("CARGO_BIN_EXE_bluesky-consumer"),
        "backpressure" => env!("CARGO_BIN_EXE_backpressure"),
        _ => panic!("there is no program {name}"),
    }
}

impl Program {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> anyhow::Result<Program> {
        let mut command = Command::new(binary(name));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for variable in ["KAFKA_BROKER", "EVENT_SOURCE", "EVENT_CONTACT", "REDIS_URL"] {
            command.env_remove(variable);
        }
        let mut child = command.spawn()?;
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().context("stdout")?, &stdout),
            collect(child.stderr.take().context("stderr")?, &stderr),
        ];
        Ok(Program { child, stderr, stdout, readers })
    }

    /// Runs a program to its end.
    pub(crate) fn run(name: &str, arguments: &[&str]) -> anyhow::Result<Ended> {
        Program::start(name, arguments)?.end()
    }

    /// Waits until it said that on stderr.
    pub(crate) fn says(&self, words: &str) -> anyhow::Result<()> {
        patience::until(words, || Ok(locked(&self.stderr).contains(words)))
    }

    /// Waits until the newest JSON line fits.
    pub(crate) fn reports(&self, what: &str, fits: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
        patience::until(what, || {
            let stdout = locked(&self.stdout);
            let newest = stdout.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
            Ok(newest.is_some_and(|line| fits(&line)))
        })
    }

    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> anyhow::Result<Ended> {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                bail!("it does not end; it said: {}", locked(&self.stderr));
            }
            thread::park_timeout(Duration::from_millis(5));
        };
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let (stderr, stdout) = (locked(&self.stderr).clone(), locked(&self.stdout).clone());
        Ok(Ended { status, stderr, stdout })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The summary of a program that ended well.
    pub(crate) fn summary(&self) -> anyhow::Result<Value> {
        ensure!(self.status.success(), "{:?}: {}", self.status, self.stderr);
        let last =
            self.stdout.lines().last().with_context(|| format!("it printed nothing; it said: {}", self.stderr))?;
        let summary: Value = serde_json::from_str(last).with_context(|| last.to_owned())?;
        ensure!(summary["kind"] == "summary", "{summary}");
        Ok(summary)
    }

    /// It said that, once.
    pub(crate) fn said(&self, words: &str) -> anyhow::Result<()> {
        let times = self.stderr.matches(words).count();
        ensure!(times == 1, "{times} times {words:?} in: {}", self.stderr);
        Ok(())
    }
}

fn collect(stream: impl Read + Send + 'static, text: &Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    let text = text.clone();
    thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
            locked(&text).push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}
