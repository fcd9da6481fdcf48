//! What people type who know other tools: rpk's nouns, the options of Kafka's scripts, kcat's modes.

use std::process::{Command, Stdio};

use anyhow::ensure;
use cutaway_tests::broker::Broker;
use cutaway_tests::folders;

use super::Ran;

#[test]
fn kcats_modes_are_answered_with_a_command() -> anyhow::Result<()> {
    for (typed, command) in [
        (&["-L"][..], "cutaway topics list\n"),
        (&["-b", "h:1", "-L"], "cutaway topics list -b h:1\n"),
        (&["-C", "-t", "x", "-o", "-1"], "cutaway consume -t x -o -1\n"),
        (&["-P", "-t", "x"], "cutaway produce -t x\n"),
        (&["-Q", "-t", "x:0:5"], "cutaway consume -t x -p 0 -o s@5 -c 1"),
    ] {
        let told = Ran::of(typed)?.failed(2)?;
        ensure!(told.contains(command), "{typed:?}: {told}");
    }
    let told = Ran::of(&["--no-such-option"])?.failed(2)?;
    ensure!(told.contains("unexpected argument '--no-such-option'"), "{told}");
    Ok(())
}

#[test]
fn forms_of_rpk_and_of_kafkas_scripts_work() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let address = broker.bootstrap().to_string();
    Ran::of(&["topic", "create", "x", "-p", "3", "--brokers", &address])?.printed()?;
    let listed = Ran::of(&["topic", "list", "--bootstrap-server", &address])?.printed()?;
    ensure!(listed.contains("x      3"), "{listed}");
    let mut command = super::cutaway(&["topics"])?;
    let listed = command.env("KAFKA_BROKER", &address).output()?;
    ensure!(String::from_utf8_lossy(&listed.stdout).contains("x      3"), "{listed:?}");
    Ok(())
}

/// What the banner prints must work where kcat is not.
#[test]
fn without_kcat_the_banners_commands_write_and_read() -> anyhow::Result<()> {
    let folder = folders::in_memory();
    let mut start = super::cutaway(&["--detach", "--port", "0", "--data"])?;
    let started = start.arg(folder.path().join("data")).env("PATH", "").output()?;
    let banner = String::from_utf8(started.stdout)?;
    let command = |label: &str| {
        let line = banner.lines().find_map(|line| line.trim().strip_prefix(label)).unwrap_or_default();
        Command::new("/bin/sh").arg("-c").arg(line.trim()).stdin(Stdio::null()).output()
    };
    let (write, read, stop) = (command("write ")?, command("read ")?, command("stop ")?);
    ensure!(stop.status.success(), "{banner}");
    ensure!(write.status.success() && write.stderr.is_empty(), "{banner}\n{write:?}");
    ensure!(read.status.success() && read.stdout == b"hello\n", "{banner}\n{read:?}");
    Ok(())
}
