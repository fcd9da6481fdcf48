//! Signals are for the command, each of them once.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use anyhow::{Context, ensure};
use cutaway_tests::broker::binary;
use cutaway_tests::skip::skip;
use rustix::process::{Pid, Signal, kill_process};

use super::Place;

#[test]
fn the_command_gets_them_and_its_exit_code_counts() -> anyhow::Result<()> {
    for (name, signal) in [("INT", Signal::INT), ("TERM", Signal::TERM), ("HUP", Signal::HUP)] {
        let place = Place::new();
        let script = format!("trap 'echo heard; kill $!; exit 5' {name}; tail -f /dev/null & echo ready; wait");
        let mut run = place.run(&script)?;
        ensure!(run.line()? == "ready", "the shell does not wait");
        kill_process(run.pid(), signal)?;
        ensure!(run.line()? == "heard", "{name} is not handed on");
        ensure!(run.end()?.0 == Some(5), "the exit code is not the command's");
        place.ensure_empty()?;
    }
    Ok(())
}

#[test]
fn a_command_that_dies_of_one_is_told_by_the_exit_code() -> anyhow::Result<()> {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let place = Place::new();
        let mut run = place.run("exec tail -f /dev/null")?;
        kill_process(run.pid(), signal)?;
        let (code, said) = run.end()?;
        ensure!(code == Some(128 + signal.as_raw()) && said.is_empty(), "exit code {code:?}: {said}");
        place.ensure_empty()?;
    }
    Ok(())
}

/// Shells do not hand signals on to their children.
#[test]
fn a_run_that_is_told_to_stop_leaves_no_process_of_the_command() -> anyhow::Result<()> {
    for signal in [Signal::TERM, Signal::HUP] {
        let place = Place::new();
        let mut run = place.run("tail -f /dev/null 2>/dev/null & echo ready; wait")?;
        ensure!(run.line()? == "ready", "the shell does not wait");
        kill_process(run.pid(), signal)?;
        ensure!(run.end()?.0 == Some(128 + signal.as_raw()), "the exit code is not the command's");
        place.ensure_empty()?;
    }
    Ok(())
}

#[test]
fn what_a_command_leaves_running_when_it_ends_by_itself_is_its_own_business() -> anyhow::Result<()> {
    let place = Place::new();
    let mut run = place.run("tail -f /dev/null 2>/dev/null & echo $!")?;
    let left: i32 = run.line()?.parse()?;
    ensure!(run.end()? == (Some(0), String::new()), "the command ends otherwise");
    let found = place.processes()?;
    kill_process(Pid::from_raw(left).context("no process")?, Signal::KILL)?;
    ensure!(found.contains(&left), "{left} is not among {found:?}");
    place.until_empty()
}

/// Test runners take a second SIGINT for impatience and end without tidying up.
#[test]
fn ctrl_c_reaches_the_command_once() -> anyhow::Result<()> {
    let place = Place::new();
    let own = binary()?.display();
    let script = "trap \"echo caught\" INT; trap \"kill \\$!; exit 5\" TERM; tail -f /dev/null & echo ready $PPID; \
                  while :; do wait; done";
    let mut command = place.command("script".as_ref(), &["-qec", &format!("exec {own} run sh -c '{script}'")]);
    command.arg("/dev/null").stdin(Stdio::piped()).stdout(Stdio::piped()).env("SHELL", "/bin/sh");
    let Ok(mut terminal) = command.spawn() else {
        return skip("script", "It is in util-linux (bsdutils on Debian).");
    };
    let mut keyboard = terminal.stdin.take().context("the input was piped")?;
    let screen = BufReader::new(terminal.stdout.take().context("the output was piped")?);
    let mut lines = screen.lines().map_while(Result::ok);
    let ready = lines.find_map(|line| line.trim().strip_prefix("ready ").map(str::to_owned)).context("no shell")?;
    let wrapper = Pid::from_raw(ready.parse()?).context("no process")?;
    keyboard.write_all(b"\x03")?;
    keyboard.flush()?;
    ensure!(lines.any(|line| line.contains("caught")), "Ctrl-C does not reach the command");
    // The wrapper would hand on a second one before this one.
    kill_process(wrapper, Signal::TERM)?;
    let rest: Vec<String> = lines.collect();
    ensure!(!rest.iter().any(|line| line.contains("caught")), "the command heard of it twice: {rest:?}");
    ensure!(terminal.wait()?.code() == Some(5), "the exit code is not the command's");
    place.until_empty()
}
