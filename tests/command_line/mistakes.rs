//! What is mistyped is answered with a sentence that says what is allowed, and with an exit code that scripts can tell.

use std::fs;
use std::process::Output;

use anyhow::{Context, ensure};
use cutaway_tests::folders;

use super::cutaway;

/// A mistake in arguments or settings.
const USAGE: i32 = 2;
const FAILED: i32 = 1;

/// The exit code, and what is said on stderr.
fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_cannot_start_says_what_to_change() -> anyhow::Result<()> {
    let folder = folders::in_memory();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (file, below, folder_as_config) = (path("file"), path("file/below"), path(""));
    // What is no text, and no line of a properties file.
    fs::write(path("file"), b"\x7fELF\xff\xfe\\u12\n")?;
    let port = "must be a number from 1 to 65535, or 0 for any port that is free";
    for (arguments, code, sentence) in [
        (&["--port", "abc"][..], USAGE, port),
        (&["--port", "-1"], USAGE, port),
        (&["--port", "70000"], USAGE, port),
        (&["start", "--port", "70000"], USAGE, port),
        (&["--port", "0", "--data", &file], USAGE, "is a file, not a data folder; name a folder with --data"),
        (&["status", "--data", &file], USAGE, "is a file, not a data folder"),
        (&["stop", "--data", &file], USAGE, "is a file, not a data folder"),
        (&["reset", "--data", &file], USAGE, "is a file, not a data folder"),
        (&["reset", "--yes", "--data", &folder_as_config], FAILED, "is no data folder of a broker"),
        (&["--port", "0", "--data", &below], FAILED, "choose another folder with --data (log.dirs)"),
        (&["--port", "0", "--data", ""], USAGE, "a value is required for '--data <DIR>'"),
        (&["--temp", "--config", &folder_as_config], USAGE, "--config: cannot read"),
        (&["--temp", "--config", "/no/such/file"], USAGE, "--config: cannot open /no/such/file: No such file"),
        (&["--temp", "--config", &file], USAGE, "file line 1: is not a line of a properties file"),
        (&["--temp", "--override", "log.segment.bytes"], USAGE, "must be KEY=VALUE"),
        (&["--temp", "--override", "=1"], USAGE, "must be KEY=VALUE"),
        (&["--temp", "--override", "num.partitions=x"], USAGE, "must be a whole number of at least 1"),
    ] {
        let (answered, text) = told(&cutaway(arguments)?.output()?);
        ensure!(answered == Some(code), "{arguments:?}: exit code {answered:?}\n{text}");
        ensure!(text.contains(sentence), "{arguments:?}: {text}");
    }
    ensure!(fs::read_dir(folder.path())?.count() == 1, "something was made although nothing started");
    Ok(())
}

#[test]
fn what_is_no_text_is_a_mistake_too() -> anyhow::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let mut command = cutaway(&["--no-such-option"])?;
    let (code, text) = told(&command.arg(std::ffi::OsStr::from_bytes(b"-C\xff")).output()?);
    ensure!(code == Some(USAGE) && !text.contains("panicked"), "exit code {code:?}: {text}");
    Ok(())
}

#[test]
fn a_bad_variable_is_named() -> anyhow::Result<()> {
    let mut command = cutaway(&["--temp", "--port", "0"])?;
    let (code, text) = told(&command.env("KAFKA_LOG_SEGMENT_BYTES", "abc").output()?);
    ensure!(code == Some(USAGE), "exit code {code:?}: {text}");
    let sentence =
        "log.segment.bytes=abc (environment variable KAFKA_LOG_SEGMENT_BYTES): must be a whole number of bytes";
    ensure!(text.contains(sentence), "{text}");
    Ok(())
}

#[test]
fn a_folder_may_have_any_name() -> anyhow::Result<()> {
    let folder = folders::in_memory();
    for name in ["with spaces", "grüße-世界", "it's", "-dash", "relative/below"] {
        let data = format!("--data={name}");
        let mut start = cutaway(&["--detach", "--port", "0", &data])?;
        let started = start.current_dir(folder.path()).output()?;
        ensure!(started.status.success(), "{name}: {}", told(&started).1);
        let banner = String::from_utf8_lossy(&started.stdout).into_owned();
        let stop =
            banner.lines().find_map(|line| line.trim().strip_prefix("stop ")).unwrap_or_default().trim().to_owned();
        // The command runs as printed, from everywhere.
        let stopped = std::process::Command::new("sh").arg("-c").arg(&stop).output()?;
        ensure!(stopped.status.success(), "{name}: {stop}: {}", told(&stopped).1);
        ensure!(folder.path().join(name).join("meta.properties").exists(), "{name}: the data is elsewhere");
    }
    Ok(())
}

#[test]
fn a_settings_file_without_an_end_is_refused() -> anyhow::Result<()> {
    let (code, text) = told(&cutaway(&["--temp", "--port", "0", "--config", "/dev/zero"])?.output()?);
    ensure!(code == Some(USAGE) && text.contains("/dev/zero is larger than 1048576 bytes"), "{code:?}: {text}");
    Ok(())
}

#[test]
fn a_broker_in_the_background_logs_its_life_and_is_named_when_it_is_suspended() -> anyhow::Result<()> {
    let folder = folders::in_memory();
    let started = cutaway(&["--detach", "--port", "0", "--data"])?.arg(folder.path()).output()?;
    ensure!(started.status.success(), "{}", told(&started).1);
    let status = cutaway(&["status", "--json", "--data"])?.arg(folder.path()).output()?;
    let status: serde_json::Value = serde_json::from_slice(&status.stdout)?;
    let pid = status["pid"].as_i64().context("a process")?;
    let process = rustix::process::Pid::from_raw(i32::try_from(pid)?).context("a process")?;
    rustix::process::kill_process(process, rustix::process::Signal::STOP)?;
    let (code, text) = told(&cutaway(&["status", "--data"])?.arg(folder.path()).output()?);
    rustix::process::kill_process(process, rustix::process::Signal::CONT)?;
    let stopped = cutaway(&["stop", "--data"])?.arg(folder.path()).output()?;
    ensure!(stopped.status.success(), "{}", told(&stopped).1);
    ensure!(code == Some(1) && text.contains(&format!("kill -CONT {pid}")), "{code:?}: {text}");
    let log = std::fs::read_to_string(folder.path().join("cutaway.log"))?;
    ensure!(log.contains(" serves 127.0.0.1:") && log.trim_end().ends_with("stopped"), "{log}");
    Ok(())
}
