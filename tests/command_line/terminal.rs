//! What a terminal shows when somebody presses Ctrl-C. The terminal is one that `script` (util-linux) makes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use cutaway_tests::broker::binary;
use cutaway_tests::folders;
use cutaway_tests::skip::skip;

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

#[test]
fn quiet_is_silent() -> anyhow::Result<()> {
    let Some(shown) = shown_after_ctrl_c("--temp --quiet")? else { return Ok(()) };
    ensure!(shown.iter().all(|line| line.is_empty() || line == "^C"), "{shown:?}");
    Ok(())
}
