//! The techniques against a source that is too fast.

use anyhow::ensure;
use serde_json::Value;

use crate::support::broker::TestBroker;
use crate::support::program::Program;
use crate::support::service::Service;
use crate::support::socket::{Send, post, socket};
use crate::wikipedia::numbers;

const EVENTS: u64 = 1000;

/// The summary of each round.
fn rounds(more: &[&str]) -> anyhow::Result<Vec<Value>> {
    let broker = TestBroker::start()?;
    let frames: Vec<_> = (0..EVENTS).map(|number| post(number, "create")).chain([Send::Silence]).collect();
    let service = Service::start(vec![socket(frames)])?;
    let fixed = ["-b", &broker.address, "--source", &service.url, "--json", "--every", "0.5"];
    let ended = Program::run("backpressure", &[&fixed[..], more].concat())?;
    ensure!(ended.status.success(), "{ended:?}");
    let lines = ended.stdout.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    Ok(lines.into_iter().filter(|line| line["kind"] == "summary").collect())
}

#[test]
fn a_full_buffer_follows_its_policy() -> anyhow::Result<()> {
    for (policy, drops) in [("drop-newest", true), ("drop-oldest", true), ("block", false)] {
        let more = ["--technique", "bounded-buffer", "--policy", policy, "--buffer", "50", "--work-ms", "5"];
        let round = rounds(&[&more[..], &["--seconds", "2"]].concat())?.remove(0);
        let counted = numbers(&round, &["received", "processed", "dropped", "queue", "queue_high_water"]);
        let [received, processed, dropped, queue, high_water] = counted[..] else { anyhow::bail!("{round}") };
        ensure!(high_water == 50 && processed > 20, "{round}");
        ensure!(drops == (dropped > 500), "{round}");
        // One event may be in the worker's hands when the round ends, and one more in the reader's.
        let accounted = processed + dropped + queue;
        ensure!((accounted..=accounted + 2).contains(&received), "{round}");
        ensure!(drops == (received == EVENTS), "blocked, the reader leaves most of them to the source: {round}");
    }
    Ok(())
}

#[test]
fn more_workers_do_more() -> anyhow::Result<()> {
    let more = ["--technique", "parallel-workers", "--work-ms", "50", "--seconds", "2", "--workers"];
    let one = rounds(&[&more[..], &["1"]].concat())?.remove(0);
    let eight = rounds(&[&more[..], &["8"]].concat())?.remove(0);
    let done = |round: &Value| round["processed"].as_u64().unwrap_or(0);
    ensure!(done(&one) <= 40 && done(&eight) > 3 * done(&one), "{one} {eight}");
    Ok(())
}

#[test]
fn all_techniques_run_in_turn() -> anyhow::Result<()> {
    let rounds = rounds(&["--seconds", "2", "--work-ms", "0"])?;
    let names: Vec<_> = rounds.iter().filter_map(|round| round["technique"].as_str()).collect();
    let expected = ["plain", "batching", "bounded-buffer", "parallel-workers", "tuned: before", "tuned: after"];
    ensure!(names == expected, "{names:?}");
    for round in &rounds {
        ensure!(round["received"] == EVENTS && round["errors"] == 0, "{round}");
        ensure!(round["technique"] == "plain" || round["latency_p99_ms"].is_f64(), "{round}");
    }
    ensure!(rounds[1]["processed"] == EVENTS && rounds[5]["processed"] == EVENTS, "{rounds:?}");
    Ok(())
}
