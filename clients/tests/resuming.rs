//! Where the next connection, and the next run, go on.

use std::fs;

use anyhow::ensure;

use crate::support::broker::TestBroker;
use crate::support::program::{Ended, Program};
use crate::support::service::{Service, answer, edit, events, events_and_silence};
use crate::wikipedia::numbers;

const TOPIC: &str = "wikipedia-edits";

/// Runs the producer with a state file.
fn produce(broker: &TestBroker, service: &Service, state: &str, more: &[&str]) -> anyhow::Result<Ended> {
    let fixed = ["-b", &broker.address, "--source", &service.url, "--state", state, "--json"];
    Program::run("wikipedia-producer", &[&fixed[..], more].concat())
}

#[test]
fn a_connection_that_ends_in_an_event_resumes_a_millisecond_before_and_counts_what_came_twice() -> anyhow::Result<()> {
    let half = "event: message\ndata: {\"meta\":{\"id\":\"half\"},\"id\":9";
    let steps = vec![
        events([edit(5001, "edit"), edit(5002, "edit"), half.to_owned()].concat()),
        events_and_silence([edit(5001, "edit"), edit(5002, "edit"), edit(5003, "new")].concat()),
    ];
    let service = Service::start(steps)?;
    let broker = TestBroker::start()?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let ended = produce(&broker, &service, &state.to_string_lossy(), &["--limit", "3"])?;
    let summary = ended.summary()?;
    let names = ["received", "duplicates", "malformed", "acknowledged", "gaps", "connections"];
    ensure!(numbers(&summary, &names) == [5, 2, 0, 3, 0, 2], "{summary}");
    ended.said("ended the stream; connecting again after the last event")?;
    let id = service.header(1, "last-event-id").unwrap_or_default();
    // The second event's id says 1763769605002.
    ensure!(id == r#"[{"partition":0,"timestamp":1763769605001,"topic":"eqiad.r"}]"#, "{id}");
    ensure!(broker.records(TOPIC)?.len() == 3);
    Ok(())
}

#[test]
fn the_next_run_goes_on_where_this_one_stopped_without_sending_twice() -> anyhow::Result<()> {
    let service = Service::start(vec![
        events_and_silence([edit(1, "edit"), edit(2, "edit")].concat()),
        events_and_silence([edit(1, "edit"), edit(2, "edit"), edit(3, "edit")].concat()),
        events_and_silence(edit(4, "edit")),
    ])?;
    let broker = TestBroker::start()?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let state = state.to_string_lossy();
    produce(&broker, &service, &state, &["--limit", "2"])?.summary()?;
    let again = produce(&broker, &service, &state, &["--limit", "1"])?;
    again.said("Going on where")?;
    ensure!(numbers(&again.summary()?, &["duplicates", "acknowledged"]) == [2, 1]);
    ensure!(service.header(1, "last-event-id").is_some_and(|id| id.contains("1763769600001")));
    let fresh = produce(&broker, &service, &state, &["--limit", "1", "--fresh"])?;
    fresh.summary()?;
    ensure!(service.header(2, "last-event-id").is_none(), "--fresh resumes nothing");
    ensure!(broker.records(TOPIC)?.len() == 4);
    Ok(())
}

#[test]
fn a_token_that_the_service_does_not_know_is_dropped() -> anyhow::Result<()> {
    let service = Service::start(vec![
        events(edit(1, "edit")),
        answer("400 Bad Request", "", "bad id"),
        events_and_silence(edit(2, "edit")),
    ])?;
    let broker = TestBroker::start()?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let ended = produce(&broker, &service, &state.to_string_lossy(), &["--limit", "2"])?;
    ended.summary()?;
    ended.said("\"bad id\": the resume token is not understood there; starting with the newest event")?;
    ensure!(service.header(2, "last-event-id").is_none());
    Ok(())
}

#[test]
fn a_state_file_of_something_else_or_a_broken_one_is_not_used() -> anyhow::Result<()> {
    let service = Service::start(vec![events_and_silence(edit(1, "edit"))])?;
    let broker = TestBroker::start()?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let path = state.to_string_lossy();
    produce(&broker, &service, &path, &["--limit", "1"])?.summary()?;
    let other = produce(&broker, &service, &path, &["--limit", "1", "--topic", "others"])?;
    other.summary()?;
    other.said("belongs to the topic wikipedia-edits, not to others; it is not used")?;
    let elsewhere = TestBroker::start()?;
    let other = produce(&elsewhere, &service, &path, &["--limit", "1", "--topic", "others"])?;
    other.said("belongs to the cluster")?;
    fs::write(&state, "{\"token\":")?;
    let broken = produce(&broker, &service, &path, &["--limit", "1"])?;
    broken.summary()?;
    broken.said("cannot be read (it is no resume token: EOF while parsing a value at line 1 column 9)")?;
    for request in 0..4 {
        ensure!(service.header(request, "last-event-id").is_none(), "request {request} resumed");
    }
    Ok(())
}

#[test]
fn a_state_file_that_cannot_be_written_is_told_once() -> anyhow::Result<()> {
    // Two seconds lie between the events: there are at least two attempts to save.
    let service = Service::start(vec![
        events(edit(1, "edit")),
        answer("503 Service Unavailable", "retry-after: 2\r\n", ""),
        events_and_silence(edit(2, "edit")),
    ])?;
    let broker = TestBroker::start()?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("no such folder/state");
    let ended = produce(&broker, &service, &state.to_string_lossy(), &["--limit", "2"])?;
    ensure!(numbers(&ended.summary()?, &["acknowledged"]) == [2]);
    ended.said("The resume token cannot be saved to")
}
