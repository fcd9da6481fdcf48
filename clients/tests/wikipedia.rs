//! Wikipedia's producer and a service that sends everything there is, good and bad.

use anyhow::ensure;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::broker::TestBroker;
use crate::support::program::{Ended, Program};
use crate::support::service::{Service, Step, answer, edit, events, events_and_silence, frame};

const TOPIC: &str = "wikipedia-edits";

/// Runs the producer against a script until so many events are sent, without a state file of its own.
pub(crate) fn produce(broker: &TestBroker, service: &Service, more: &[&str]) -> anyhow::Result<Ended> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let state = state.to_string_lossy();
    let fixed = ["-b", &broker.address, "--source", &service.url, "--state", &state, "--json"];
    Program::run("wikipedia-producer", &[&fixed[..], more].concat())
}

/// What the producer makes of such a stream, and that it ends when nothing more comes.
fn made_of(steps: Vec<Step>, more: &[&str]) -> anyhow::Result<(TestBroker, Service, Ended)> {
    let broker = TestBroker::start()?;
    let service = Service::start(steps)?;
    let ended = produce(&broker, &service, more)?;
    Ok((broker, service, ended))
}

pub(crate) fn numbers(summary: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| summary[*name].as_u64().unwrap_or(u64::MAX)).collect()
}

#[test]
fn every_edit_becomes_a_record_with_its_id_as_the_key() -> anyhow::Result<()> {
    let spaced = "{ \"meta\": {\"id\": \"u-log\"},\t\"id\": null, \"type\": \"log\", \"title\": \"a b\" }";
    let canary = r#"{"$schema":"s","meta":{"domain":"canary","id":"c"}}"#;
    let no_type = r#"{"meta":{"id":"u-none"},"id":123456789012345678901}"#;
    let stream =
        [edit(1, "edit"), edit(1, "edit"), frame(2, spaced), frame(3, canary), frame(4, no_type), edit(7, "new")];
    let (broker, service, ended) = made_of(vec![events_and_silence(stream.concat())], &["--limit", "4"])?;
    let summary = ended.summary()?;
    let names =
        ["received", "duplicates", "malformed", "sent", "acknowledged", "refused", "in_flight", "gaps", "connections"];
    ensure!(numbers(&summary, &names) == [6, 1, 0, 4, 4, 0, 0, 5, 1], "{summary}");
    ensure!(summary["skipped"] == json!({"canary": 1}), "{summary}");
    ensure!(summary["types"] == json!({"edit": 1, "log": 1, "new": 1, "(none)": 1}), "{summary}");
    let records = broker.records(TOPIC)?;
    let keys: Vec<_> = records.iter().map(|(key, _)| key.as_deref()).collect();
    ensure!(keys == [Some("1"), None, Some("123456789012345678901"), Some("7")], "{keys:?}");
    ensure!(edit(1, "edit").contains(&format!("data: {}\n", records[0].1)), "{}", records[0].1);
    ensure!(records[1].1 == r#"{"meta":{"id":"u-log"},"id":null,"type":"log","title":"a b"}"#, "{}", records[1].1);
    let agent = service.header(0, "user-agent").unwrap_or_default();
    ensure!(agent.starts_with("cutaway-demo/") && agent.ends_with("(local simulator) reqwest/0.13"), "{agent}");
    ensure!(service.header(0, "accept").as_deref() == Some("text/event-stream"));
    ensure!(service.header(0, "last-event-id").is_none(), "there is nothing to resume");
    ensure!(service.requests()[0].starts_with("GET /v2/stream/recentchange HTTP"), "{:?}", service.requests());
    Ok(())
}

#[test]
fn malformed_events_are_counted_and_reported_and_do_not_end_it() -> anyhow::Result<()> {
    let stream = [
        frame(1, "{\"meta\":").into_bytes(),
        frame(2, r#"{"id":2,"type":"edit"}"#).into_bytes(),
        b"data: {\"meta\":{\"id\":\"\xff\"}}\n\n".to_vec(),
        format!("data: {}\n\n", "x".repeat(3000)).into_bytes(),
        b"data: [1]\n\n".to_vec(),
        edit(3, "edit").into_bytes(),
    ];
    let more = ["--limit", "1", "--max-event-bytes", "2000"];
    let (broker, _, ended) = made_of(vec![events_and_silence(stream.concat())], &more)?;
    let summary = ended.summary()?;
    ensure!(numbers(&summary, &["received", "malformed", "acknowledged"]) == [6, 5, 1], "{summary}");
    ended.said("an event is malformed: its JSON cannot be read (EOF")?;
    ensure!(broker.records(TOPIC)?.len() == 1);
    Ok(())
}

#[test]
fn what_is_larger_than_the_broker_takes_is_refused_and_not_in_the_way() -> anyhow::Result<()> {
    let large = format!(r#"{{"meta":{{"id":"large"}},"id":2,"type":"edit","x":"{}"}}"#, "x".repeat(2_000_000));
    let stream = [edit(1, "edit"), frame(2, &large), edit(3, "edit")].concat();
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("token");
    let more = ["--limit", "3", "--state", &state.to_string_lossy()];
    let broker = TestBroker::start()?;
    let service = Service::start(vec![events_and_silence(stream)])?;
    let fixed = ["-b", &broker.address, "--source", &service.url, "--json"];
    let ended = Program::run("wikipedia-producer", &[&fixed[..], &more].concat())?;
    let summary = ended.summary()?;
    ensure!(numbers(&summary, &["sent", "acknowledged", "refused", "in_flight"]) == [3, 2, 1, 0], "{summary}");
    ended.said("is refused: the topic takes 1048588 (its max.message.bytes); going on without it")?;
    ensure!(std::fs::read_to_string(&state)?.contains("1763769600003"), "the token is that of the last event");
    Ok(())
}

#[test]
fn without_a_welcome_user_agent_it_ends_and_says_the_rule() -> anyhow::Result<()> {
    let (_, _, ended) = made_of(vec![answer("403 Forbidden", "", "go away")], &[])?;
    ensure!(ended.status.code() == Some(1), "{ended:?}");
    ended.said("refuses this client (403 Forbidden, \"go away\"); Wikimedia's User-Agent rule asks")?;
    let live = Program::run("wikipedia-producer", &["--source", "live"])?;
    ensure!(live.status.code() == Some(2), "{live:?}");
    live.said("Wikimedia's User-Agent rule asks every client for a contact")
}

#[test]
fn a_stream_that_is_not_there_ends_it() -> anyhow::Result<()> {
    let (_, _, ended) = made_of(vec![answer("404 Not Found", "", "")], &[])?;
    ensure!(ended.status.code() == Some(1), "{ended:?}");
    ended.said("has no stream at /v2/stream/recentchange (404 Not Found); check --source")
}

#[test]
fn a_busy_service_is_waited_for_as_long_as_it_asks() -> anyhow::Result<()> {
    let begun = std::time::Instant::now();
    let steps = vec![
        answer("429 Too Many Requests", "retry-after: 2\r\n", "slow down"),
        answer("503 Service Unavailable", "", "<html>"),
        answer("503 Service Unavailable", "", "<html>"),
        events_and_silence(edit(1, "edit")),
    ];
    let (_, service, ended) = made_of(steps, &["--limit", "1"])?;
    ended.summary()?;
    ended.said("answered 429 Too Many Requests, \"slow down\" and asks to wait 2 s; connecting again")?;
    ended.said("sends events again, after")?;
    ensure!(ended.stderr.matches("answered 503").count() == 1, "each reason is told once: {}", ended.stderr);
    ensure!(begun.elapsed().as_secs() >= 2 && service.requests().len() == 4);
    Ok(())
}

#[test]
fn a_web_page_instead_of_events_is_told_and_tried_again() -> anyhow::Result<()> {
    let steps = vec![answer("200 OK", "content-type: text/html\r\n", "<html>"), events_and_silence(edit(1, "edit"))];
    let (_, _, ended) = made_of(steps, &["--limit", "1"])?;
    ensure!(numbers(&ended.summary()?, &["acknowledged", "connections"]) == [1, 1]);
    ended.said("answered with text/html instead of text/event-stream; connecting again")
}

#[test]
fn a_silent_stream_is_cut_and_resumed() -> anyhow::Result<()> {
    let steps = vec![events_and_silence(edit(1, "edit")), events_and_silence(edit(2, "edit"))];
    let (_, service, ended) = made_of(steps, &["--limit", "2", "--stall", "0.5"])?;
    ensure!(numbers(&ended.summary()?, &["acknowledged", "connections"]) == [2, 2]);
    ended.said("sent nothing for 0.5 s; connecting again after the last event")?;
    ensure!(service.header(1, "last-event-id").is_some());
    Ok(())
}

#[test]
fn it_ends_when_nothing_came_for_long_enough_and_on_a_signal() -> anyhow::Result<()> {
    let (_, _, ended) = made_of(vec![events_and_silence(edit(1, "edit"))], &["--idle-exit", "1"])?;
    ensure!(numbers(&ended.summary()?, &["acknowledged"]) == [1]);
    let broker = TestBroker::start()?;
    let service = Service::start(vec![events_and_silence([edit(1, "edit"), edit(2, "new")].concat())])?;
    for signal in [Signal::INT, Signal::TERM] {
        let folder = tempfile::tempdir()?;
        let state = folder.path().join("state");
        let state = state.to_string_lossy();
        let program = Program::start(
            "wikipedia-producer",
            &["-b", &broker.address, "--source", &service.url, "--state", &state, "--json"],
        )?;
        program.reports("both events", |line| line["acknowledged"] == 2)?;
        program.signal(signal)?;
        let summary = program.end()?.summary()?;
        ensure!(summary["types"] == json!({"edit": 1, "new": 1}), "{summary}");
    }
    Ok(())
}

#[test]
fn lines_for_people_say_what_was_sent_by_type() -> anyhow::Result<()> {
    let broker = TestBroker::start()?;
    let service = Service::start(vec![events(edit(1, "edit"))])?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let state = state.to_string_lossy();
    let fixed = ["-b", &broker.address, "--source", &service.url, "--state", &state, "--limit", "1", "-q"];
    let ended = Program::run("wikipedia-producer", &fixed)?;
    ensure!(ended.stdout == "edit         1\n", "{ended:?}");
    ended.said("1 in the topic wikipedia-edits:")
}
