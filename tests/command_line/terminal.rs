//! What a terminal shows when somebody presses Ctrl-C. The terminal is one that `script` (util-linux) makes.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use cutaway_tests::broker::{Broker, binary};
use cutaway_tests::skip::skip;
use cutaway_tests::{folders, patience};

use super::Ran;

/// What the terminal's driver turns into SIGINT.
const CTRL_C: &[u8] = b"\x03";

/// Starts a broker on a terminal, presses Ctrl-C once it serves, and returns what the terminal showed after the banner;
/// `None` where no terminal can be made.
fn shown_after_ctrl_c(arguments: &str) -> anyhow::Result<Option<Vec<String>>> {
    let mut command = Command::new("script");
    let own = binary()?.display();
    // The shell becomes the broker, so that it alone hears the signal.
    command.arg("-qec").arg(format!("exec {own} --color never --port 0 {arguments}")).arg("/dev/null");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).env("SHELL", "/bin/sh").env_remove("RUST_LOG");
    let Ok(mut terminal) = command.spawn() else {
        skip("script", "It is in util-linux (bsdutils on Debian).")?;
        return Ok(None);
    };
    let mut keyboard = terminal.stdin.take().context("the input was piped")?;
    let screen = BufReader::new(terminal.stdout.take().context("the output was piped")?);
    let mut lines = screen.lines().map_while(Result::ok);
    let banner = lines.find(|line| line.trim().starts_with("stop "));
    keyboard.write_all(CTRL_C)?;
    keyboard.flush()?;
    let shown = lines.map(|line| line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default().to_owned());
    let shown = shown.collect();
    let status = terminal.wait()?;
    ensure!(banner.is_some() && status.success(), "the broker ended with {status}: {shown:?}");
    Ok(Some(shown))
}

#[test]
fn ctrl_c_tells_what_is_waited_for_and_where_the_data_is() -> anyhow::Result<()> {
    let folder = folders::in_memory();
    let data = folder.path().join("data");
    let Some(shown) = shown_after_ctrl_c(&format!("--data {}", data.display()))? else { return Ok(()) };
    let stopping = "stopping: requests in flight are answered, then 0 partitions flushed; once more stops at once";
    ensure!(shown == [stopping, &format!("stopped; data is in {}", data.display())], "{shown:?}");
    let Some(shown) = shown_after_ctrl_c("--temp")? else { return Ok(()) };
    ensure!(shown.len() == 2 && shown[1].ends_with(" is removed"), "{shown:?}");
    Ok(())
}

/// What a terminal shows of a command that somebody types into once this is shown, and how the command ends; `None` where
/// no terminal can be made.
fn shown_after_typing(arguments: &str, awaited: &str, typed: &[u8]) -> anyhow::Result<Option<(Option<i32>, String)>> {
    let mut command = Command::new("script");
    command.arg("-qec").arg(format!("exec {} {arguments} --color never", binary()?.display())).arg("/dev/null");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).env("SHELL", "/bin/sh");
    let Ok(mut terminal) = command.spawn() else {
        skip("script", "It is in util-linux (bsdutils on Debian).")?;
        return Ok(None);
    };
    let mut keyboard = terminal.stdin.take().context("the input was piped")?;
    let mut screen = terminal.stdout.take().context("the output was piped")?;
    let mut shown = Vec::new();
    let mut window = [0; 256];
    while !String::from_utf8_lossy(&shown).contains(awaited) {
        let count = screen.read(&mut window)?;
        ensure!(count > 0, "never shown: {awaited}\n{}", String::from_utf8_lossy(&shown));
        shown.extend_from_slice(&window[..count]);
    }
    keyboard.write_all(typed)?;
    keyboard.flush()?;
    screen.read_to_end(&mut shown)?;
    let status = terminal.wait()?;
    Ok(Some((status.code(), String::from_utf8_lossy(&shown).replace('\r', ""))))
}

#[test]
fn a_terminal_is_asked_before_topics_are_deleted() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let address = broker.bootstrap().to_string();
    Ran::of(&["topics", "create", "precious", "-b", &address])?.printed()?;
    let delete = format!("topics delete precious -b {address}");
    let Some((code, shown)) = shown_after_typing(&delete, "[y/N]", b"n\n")? else { return Ok(()) };
    ensure!(code == Some(1) && shown.contains("Delete precious with all records? [y/N]"), "{code:?}: {shown}");
    ensure!(shown.contains("nothing was deleted"), "{shown}");
    let Some((code, shown)) = shown_after_typing(&delete, "[y/N]", CTRL_C)? else { return Ok(()) };
    ensure!(code == Some(130), "{code:?}: {shown}");
    ensure!(Ran::of(&["topics", "list", "-b", &address])?.printed()?.contains("precious"), "it is gone");
    let Some((code, shown)) = shown_after_typing(&delete, "[y/N]", b"y\n")? else { return Ok(()) };
    ensure!(code == Some(0) && shown.contains("precious  deleted"), "{code:?}: {shown}");
    Ok(())
}

#[test]
fn a_terminal_shows_where_records_go() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let produce = format!("produce -t typed -b {}", broker.bootstrap());
    let Some((code, shown)) = shown_after_typing(&produce, "Ctrl-D ends", b"one\ntwo\n\x04")? else { return Ok(()) };
    ensure!(code == Some(0), "{code:?}: {shown}");
    for line in ["each line becomes a record of typed; Ctrl-D ends\n", "typed [0] offset 0\n", "typed [0] offset 1\n"] {
        ensure!(shown.contains(line), "no {line:?} in:\n{shown}");
    }
    Ok(())
}

#[test]
fn quiet_is_silent() -> anyhow::Result<()> {
    let Some(shown) = shown_after_ctrl_c("--temp --quiet")? else { return Ok(()) };
    ensure!(shown.iter().all(|line| line.is_empty() || line == "^C"), "{shown:?}");
    Ok(())
}

/// A line to a terminal that is gone once ended the broker in the middle of its stop.
#[test]
fn a_terminal_that_is_closed_ends_the_broker_in_good_order() -> anyhow::Result<()> {
    let folder = folders::in_memory();
    let data = folder.path().join("data");
    let mut command = Command::new("script");
    let own = binary()?.display();
    command.arg("-qec").arg(format!("exec {own} --color never --port 0 --data {}", data.display())).arg("/dev/null");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).env("SHELL", "/bin/sh").env_remove("RUST_LOG");
    let Ok(mut terminal) = command.spawn() else {
        return skip("script", "It is in util-linux (bsdutils on Debian).");
    };
    let screen = BufReader::new(terminal.stdout.take().context("the output was piped")?);
    let banner = screen.lines().map_while(Result::ok).find(|line| line.trim().starts_with("stop "));
    ensure!(banner.is_some(), "the broker does not serve");
    terminal.kill()?;
    terminal.wait()?;
    let marker = data.join(".kafka_cleanshutdown");
    patience::until("the clean-shutdown file", || Ok(marker.exists()))
}
