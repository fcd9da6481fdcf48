//! What clients that mean harm leave in the log: enough to know them by, and never more than that.

use anyhow::{Context, ensure};
use cutaway_tests::broker::Broker;
use cutaway_tests::patience;
use cutaway_tests::raw_client::{RawClient, Reply};
use serde_json::Value;

/// What each of them writes a line about.
const CLOSED: &str = "closed a connection";

/// Clients that speak another protocol, one after the other.
fn knock(broker: &Broker, times: usize) -> anyhow::Result<()> {
    for _ in 0..times {
        let mut client = RawClient::connect(broker.bootstrap())?;
        client.send_bytes(b"GET / HTTP/1.1\r\n\r\n");
        ensure!(client.receive(18, 0)? == Reply::Closed, "HTTP is spoken");
    }
    Ok(())
}

#[test]
fn a_flood_of_refused_connections_leaves_few_lines_and_one_that_counts_the_rest() -> anyhow::Result<()> {
    const TIMES: usize = 200;
    let broker = Broker::start(&["--quiet"])?;
    knock(&broker, TIMES)?;
    // A slow machine may need several windows of time for them.
    patience::until("all of them are told or counted", || {
        let log = broker.log();
        let (counts, told): (Vec<&str>, Vec<&str>) =
            log.lines().filter(|line| line.contains(CLOSED)).partition(|line| line.contains("more like it"));
        let mut held_back = 0;
        for line in &counts {
            let count = line.split("... and ").nth(1).and_then(|rest| rest.split(' ').next());
            held_back += count.with_context(|| format!("no count: {line}"))?.parse::<usize>()?;
        }
        ensure!(told.len() <= 5 * (counts.len() + 1), "{} lines of {TIMES} were written:\n{log}", told.len());
        Ok(told.len() + held_back == TIMES)
    })
}

#[test]
fn as_json_the_log_is_one_object_per_line() -> anyhow::Result<()> {
    let broker = Broker::start(&["--quiet", "--log-format", "json"])?;
    knock(&broker, 3)?;
    patience::until("three lines", || Ok(broker.log().lines().count() == 3))?;
    for line in broker.log().lines() {
        let object: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let text = |name: &str| object[name].as_str().with_context(|| format!("no {name}: {line}"));
        ensure!(text("level")? == "WARN", "{line}");
        ensure!(text("message")?.starts_with(CLOSED), "{line}");
        ensure!(text("peer")?.starts_with("127.0.0.1:"), "{line}");
        text("timestamp")?;
    }
    Ok(())
}
