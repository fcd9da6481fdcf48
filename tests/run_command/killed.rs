//! Kills without warning: of the wrapper, of its whole process group, of the broker.

use std::fs;
use std::os::unix::process::CommandExt;

use anyhow::{Context, ensure};
use cutaway_tests::broker::binary;
use cutaway_tests::patience;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{Place, Run};

/// Whether a process lives; one that only waits for its parent to notice its end does not.
fn is_alive(id: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with(['Z', 'X']))
}

/// The processes of a shell, each with a trait that makes it hard to find or to end: it does not hear SIGTERM, nor has an
/// environment, has left the session, or is stopped. The shell prints their ids and waits.
const FAMILY: &str = r#"
    sh -c 'trap "" TERM; echo $$; exec tail -f /dev/null' &
    env -i sh -c 'trap "" TERM; echo $$; exec tail -f /dev/null' &
    setsid sh -c 'echo $$; exec tail -f /dev/null' &
    sh -c 'echo $$; kill -STOP $$' &
    echo $$; exec tail -f /dev/null"#;

#[test]
fn a_wrapper_that_is_killed_takes_broker_folder_and_the_whole_command_along() -> anyhow::Result<()> {
    let place = Place::new();
    let mut run = place.run(FAMILY)?;
    let mut family = Vec::new();
    for _ in 0..5 {
        family.push(run.line()?.parse::<i32>()?);
    }
    ensure!(family.iter().all(|id| is_alive(*id)) && place.folders()?.len() == 1, "they do not run: {family:?}");
    run.child.kill()?;
    run.child.wait()?;
    place.until_empty()?;
    patience::until("the command's processes to end", || Ok(!family.iter().any(|id| is_alive(*id))))
}

/// A kill of the group takes the command at once, and the broker must not be in the group.
#[test]
fn a_process_group_that_is_killed_leaves_nothing() -> anyhow::Result<()> {
    let place = Place::new();
    let arguments = ["run", "sh", "-c", "echo $KAFKA_BROKER; tail -f /dev/null"];
    let mut run = Run::of(place.command(binary()?, &arguments).process_group(0))?;
    kill_process_group(run.pid(), Signal::KILL)?;
    run.child.wait()?;
    place.until_empty()
}

#[test]
fn a_run_within_a_run_leaves_nothing_either() -> anyhow::Result<()> {
    let place = Place::new();
    let own = binary()?.display().to_string();
    let arguments = ["run", &own, "run", "sh", "-c", "echo $KAFKA_BROKER; tail -f /dev/null"];
    let mut run = Run::of(&mut place.command(binary()?, &arguments))?;
    ensure!(place.folders()?.len() == 2, "{:?}", place.folders()?);
    run.child.kill()?;
    run.child.wait()?;
    place.until_empty()
}

#[test]
fn a_broker_that_is_killed_is_told_and_its_folder_removed() -> anyhow::Result<()> {
    let place = Place::new();
    let mut run = place.run("read line; exit 3")?;
    let folder = place.folders()?.pop().context("no folder")?;
    let status = place.command(binary()?, &["status", "--json", "--data"]).arg(&folder).output()?;
    let status: serde_json::Value = serde_json::from_slice(&status.stdout)?;
    let broker = status["pid"].as_i64().and_then(|pid| Pid::from_raw(pid as i32)).context("no pid")?;
    ensure!(broker != run.pid(), "the broker is the wrapper");
    kill_process(broker, Signal::KILL)?;
    patience::until("the broker to end", || Ok(!is_alive(broker.as_raw_nonzero().get())))?;
    let (code, said) = run.end()?;
    ensure!(code == Some(3), "exit code {code:?}: {said}");
    ensure!(said.contains("the broker ended by itself (signal: 9 (SIGKILL))"), "{said}");
    place.ensure_empty()
}
