//! `cutaway events` and `cutaway demo`, as far as they need neither clients nor a Redis; the rest is in `tests/clients/demos`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};
use cutaway_tests::broker::binary;
use cutaway_tests::folders;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Lines, Ran, cutaway};

/// Streams that are served, killed on drop.
struct Serving {
    child: Child,
    lines: Lines,
    address: String,
}

impl Serving {
    fn start(arguments: &[&str]) -> anyhow::Result<Serving> {
        let mut command = cutaway(&["events", "--port", "0"])?;
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = Lines::of(child.stderr.take().context("the output was piped")?);
        let first = lines.next()?;
        let address = first.rsplit("http://").next().context("no address")?.to_owned();
        Ok(Serving { child, lines, address })
    }

    /// Asks for a path and reads until `is_enough`, or to the end.
    fn get(&self, path: &str, is_enough: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: test/1 (a@example.org)\r\nConnection: close\r\n\r\n"
        )?;
        let (mut read, mut piece) = (String::new(), [0; 4096]);
        while !is_enough(&read) {
            match stream.read(&mut piece)? {
                0 => break,
                count => read.push_str(&String::from_utf8_lossy(&piece[..count])),
            }
        }
        Ok(read)
    }

    /// Ends it as Ctrl-C does; what it printed.
    fn end(mut self) -> anyhow::Result<String> {
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process has an id")?;
        kill_process(process, Signal::INT)?;
        let mut printed = String::new();
        let mut output: ChildStdout = self.child.stdout.take().context("the output was piped")?;
        output.read_to_string(&mut printed)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(printed)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn streams_are_served_told_and_summed_up() -> anyhow::Result<()> {
    let arguments = ["--rate", "5000", "--events", "300", "--seed", "9", "--from", "2026-06-01"];
    for options in [&[][..], &["--json"]] {
        let serving = Serving::start(&[&arguments[..], options].concat())?;
        let told: Vec<String> = (0..5).map(|_| serving.lines.next()).collect::<anyhow::Result<_>>()?;
        ensure!(told.iter().any(|line| line.contains("/v2/stream/recentchange  (5000 events/s)")), "{told:?}");
        ensure!(told.iter().any(|line| line.contains("ws://")), "{told:?}");
        let stream = serving.get("/v2/stream/recentchange", |read| read.matches("\ndata: ").count() >= 300)?;
        ensure!(stream.contains("\"dt\":\"2026-06-01T00:00:0"), "it does not begin when it should: {stream}");
        ensure!(serving.lines.next()?.contains(" reads, beginning 0 events back"), "nobody tells who comes");
        let oracle = serving.get("/oracle", |_| false)?;
        let oracle: Value = serde_json::from_str(oracle.rsplit("\r\n\r\n").next().unwrap_or_default())?;
        ensure!(oracle["wikipedia"]["complete"] == true && oracle["seed"] == 9, "{oracle}");
        let events = oracle["wikipedia"]["events"].as_u64().context("a number")?;
        let printed = serving.end()?;
        match options.is_empty() {
            true => {
                let row = printed.lines().find_map(|line| line.strip_prefix("wikipedia events"));
                ensure!(row.is_some_and(|row| row.trim() == events.to_string()), "{printed}");
            }
            false => ensure!(serde_json::from_str::<Value>(&printed)?["wikipedia"]["events"] == events, "{printed}"),
        }
    }
    Ok(())
}

#[test]
fn what_cannot_be_served_is_said() -> anyhow::Result<()> {
    for (arguments, sentence) in [
        (&["--rate", "0"][..], "the rate has to be at least 0.01, not 0"),
        (&["--rate", "100000"], "--others 0"),
        (&["--from", "never"], "must be a time after 1970"),
        (&["--answers", "ok,200"], "'200' is no answer"),
        (&["--life", "-1"], "--life -1: a number of seconds from 0 on is needed"),
        (&["--burst", "5", "--burst-length", "60"], "do not fit"),
    ] {
        let said = Ran::of(&[&["events", "--port", "0"], arguments].concat())?.failed(2)?;
        ensure!(said.contains(sentence), "{arguments:?}: {said}");
    }
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let said = Ran::of(&["events", "--port", &port])?.failed(1)?;
    ensure!(said.contains(&port) && said.contains("--port 0"), "{said}");
    Ok(())
}

/// The programs are a package of their own, which needs a C compiler; who has not built it is told how.
#[test]
fn a_demo_without_its_programs_says_what_builds_them() -> anyhow::Result<()> {
    let folder = folders::in_memory();
    let alone = folder.path().join("cutaway");
    fs::copy(binary()?, &alone)?;
    let ran = Ran::from(Command::new(&alone).arg("demo").current_dir(folder.path()).output()?);
    let said = ran.failed(1)?;
    ensure!(
        said.contains("wikipedia-producer is not there")
            && said.ends_with(": cargo build --release -p cutaway-clients\n"),
        "{said}"
    );
    ensure!(!folder.path().join("cutaway-data").exists(), "a broker was started for nothing");
    let said = Ran::of(&["demo", "--rate", "-5"])?.failed(2)?;
    ensure!(said.contains("the rate has to be at least 0.01, not -5"), "{said}");
    Ok(())
}
