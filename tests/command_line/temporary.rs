//! `--temp`: nothing is left behind, not even by a broker that was killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, ensure};
use cutaway_tests::folders;

use super::cutaway;

/// A broker in the foreground with `--temp`, killed on drop, and the folder that it chose.
struct Temporary {
    child: Child,
    folder: PathBuf,
}

impl Temporary {
    fn start(parent: &Path) -> anyhow::Result<Temporary> {
        let mut command = cutaway(&["--temp", "--port", "0"])?;
        command.env("TMPDIR", parent).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let output = BufReader::new(child.stdout.take().context("the output was piped")?);
        let folder = output.lines().map_while(Result::ok).find_map(|line| data_folder(&line));
        Ok(Temporary { folder: folder.context("no banner")?, child })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The folder in the banner's line `  data      /tmp/cutaway-…  (0 topics, 0 partitions)`.
fn data_folder(line: &str) -> Option<PathBuf> {
    line.trim().strip_prefix("data ")?.split_whitespace().next().map(PathBuf::from)
}

#[test]
fn the_next_start_removes_what_a_killed_broker_left_and_nothing_else() -> anyhow::Result<()> {
    let parent = folders::in_memory();
    let killed = Temporary::start(parent.path())?;
    let left = killed.folder.clone();
    let alive = Temporary::start(parent.path())?;
    fs::create_dir(parent.path().join("cutaway-data"))?;
    drop(killed);
    ensure!(left.join("meta.properties").exists(), "a killed broker cannot tidy up: {}", left.display());
    let next = Temporary::start(parent.path())?;
    ensure!(!left.exists(), "{} is still there", left.display());
    for kept in [&alive.folder, &next.folder, &parent.path().join("cutaway-data")] {
        ensure!(kept.exists(), "{} is gone", kept.display());
    }
    let status = cutaway(&["status", "--data"])?.arg(&alive.folder).output()?;
    ensure!(status.status.success(), "the living broker is not found any more");
    Ok(())
}

#[test]
fn in_the_background_it_is_found_by_the_command_that_was_printed_and_leaves_nothing() -> anyhow::Result<()> {
    let parent = folders::in_memory();
    for arguments in [&["--temp", "--detach", "--port", "0"][..], &["start", "-qd", "--temp", "--port=0"]] {
        let started = cutaway(arguments)?.env("TMPDIR", parent.path()).output()?;
        let (banner, talk) = (String::from_utf8_lossy(&started.stdout), String::from_utf8_lossy(&started.stderr));
        ensure!(started.status.success(), "{arguments:?}: {talk}");
        let folder = banner.lines().find_map(data_folder).context("no banner")?;
        let has_log = folder.join("cutaway.log").exists();
        // Before anything is judged, so that no failure leaves a broker behind.
        let stopped = cutaway(&["stop", "--data"])?.arg(&folder).output()?;
        ensure!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
        ensure!(folder.starts_with(parent.path()) && has_log, "{}", folder.display());
        // The process in the foreground and the one in the background mean the same folder.
        let log = folder.join("cutaway.log").display().to_string();
        ensure!(talk.contains(&format!("{log}; the folder is removed when the broker stops")), "{log}: {talk}");
        ensure!(!folder.exists(), "the stop came back before the folder was gone");
    }
    ensure!(fs::read_dir(parent.path())?.count() == 0, "something was left behind");
    Ok(())
}
