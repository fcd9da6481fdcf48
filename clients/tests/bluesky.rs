//! Bluesky's producer and a WebSocket that sends everything there is, good and bad.

use anyhow::ensure;
use serde_json::json;

use crate::support::broker::TestBroker;
use crate::support::program::{Ended, Program};
use crate::support::service::{Service, Step, answer};
use crate::support::socket::{PING_FRAME, PONG_FRAME, Send, post, socket, text};
use crate::wikipedia::numbers;

const TOPIC: &str = "bluesky-events";

fn made_of(steps: Vec<Step>, more: &[&str]) -> anyhow::Result<(TestBroker, Service, Ended)> {
    let broker = TestBroker::start()?;
    let service = Service::start(steps)?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let state = state.to_string_lossy();
    let fixed = ["-b", &broker.address, "--source", &service.url, "--state", &state, "--json"];
    let ended = Program::run("bluesky-producer", &[&fixed[..], more].concat())?;
    Ok((broker, service, ended))
}

#[test]
fn every_post_becomes_a_record_with_its_rev_as_the_key() -> anyhow::Result<()> {
    let frames = vec![
        post(1, "create"),
        text(r#"{"did":"d","time_us":2,"kind":"identity","identity":{"did":"d"}}"#),
        text(r#"{"did":"d","time_us":3,"kind":"account","account":{"active":false}}"#),
        text(r#"{"did":"d","time_us":4,"kind":"commit"}"#),
        post(1, "create"),
        post(1, "delete"),
        Send::Ping,
        Send::Expect(PONG_FRAME),
        post(2, "update"),
        Send::Silence,
    ];
    let (broker, service, ended) = made_of(vec![socket(frames)], &["--limit", "3"])?;
    let summary = ended.summary()?;
    ensure!(numbers(&summary, &["received", "duplicates", "malformed", "acknowledged"]) == [7, 1, 1, 3], "{summary}");
    ensure!(summary["skipped"] == json!({"account": 1, "identity": 1}), "{summary}");
    ensure!(summary["types"] == json!({"create": 1, "delete": 1, "update": 1}), "{summary}");
    let keys: Vec<_> = broker.records(TOPIC)?.into_iter().map(|(key, _)| key.unwrap_or_default()).collect();
    ensure!(keys == ["rev1", "rev1", "rev2"], "{keys:?}");
    ended.said("an event is malformed: it has no `commit`; going on without it")?;
    ensure!(service.requests()[0].starts_with("GET /subscribe?wantedCollections=app.bsky.feed.post HTTP"));
    ensure!(service.header(0, "user-agent").is_some_and(|agent| agent.starts_with("cutaway-demo/")));
    Ok(())
}

#[test]
fn a_close_is_told_with_its_code_and_resumed_at_the_last_event() -> anyhow::Result<()> {
    let steps = vec![
        socket(vec![post(3_000_000, "create"), Send::Close(1008, "ConsumerTooSlow")]),
        socket(vec![post(3_000_000, "create"), post(3_000_001, "create"), Send::Silence]),
    ];
    let (_, service, ended) = made_of(steps, &["--limit", "2"])?;
    ensure!(numbers(&ended.summary()?, &["duplicates", "acknowledged", "connections"]) == [1, 2, 2]);
    ended.said("closed the connection with 1008 (policy: we may be too slow, or asked for something invalid), \"ConsumerTooSlow\"")?;
    let request = service.requests()[1].clone();
    ensure!(request.contains("?wantedCollections=app.bsky.feed.post&cursor=1763769603000000 HTTP"), "{request}");
    Ok(())
}

#[test]
fn a_silent_socket_is_pinged_then_cut_and_resumed() -> anyhow::Result<()> {
    let steps = vec![
        // The second post comes only to who asks for a sign of life.
        socket(vec![post(1, "create"), Send::Expect(PING_FRAME), post(2, "create"), Send::Silence]),
        socket(vec![post(3, "create"), Send::Silence]),
    ];
    let (_, service, ended) = made_of(steps, &["--limit", "3", "--stall", "1"])?;
    ended.summary()?;
    ended.said("sent nothing for 1 s and answered no ping; connecting again after the last event")?;
    ensure!(service.requests().len() == 2);
    Ok(())
}

#[test]
fn a_frame_that_ends_the_connection_is_counted_and_stepped_over() -> anyhow::Result<()> {
    for (poison, more) in [(vec![b'"', 0xff, b'"'], "1000000"), (vec![b'x'; 5000], "2000")] {
        let steps = vec![
            socket(vec![post(1, "create"), Send::Text(poison.clone()), Send::Silence]),
            socket(vec![Send::Text(poison), Send::Silence]),
            socket(vec![post(9000, "create"), Send::Silence]),
        ];
        let (_, service, ended) = made_of(steps, &["--limit", "2", "--max-event-bytes", more])?;
        let summary = ended.summary()?;
        ensure!(numbers(&summary, &["malformed", "acknowledged", "connections"]) == [2, 2, 3], "{summary}");
        ended.said("an event is malformed: ")?;
        ended.said("an event that cannot be read ended the connection; connecting again after the last event")?;
        // At the last event, and where the same is in the way again, a millisecond beyond.
        for (request, cursor) in [(1, "cursor=1763769600000001"), (2, "cursor=1763769600001001")] {
            ensure!(service.requests()[request].contains(cursor), "{:?}", service.requests());
        }
    }
    Ok(())
}

#[test]
fn what_is_no_websocket_is_told() -> anyhow::Result<()> {
    let steps = vec![
        answer("200 OK", "content-type: text/html\r\n", "<html>"),
        socket(vec![post(1, "create"), Send::Close(1001, "")]),
        answer("400 Bad Request", "", "bad cursor"),
        socket(vec![post(2, "create"), Send::Silence]),
    ];
    let (_, service, ended) = made_of(steps, &["--limit", "2"])?;
    ended.summary()?;
    ended.said("answered 200 OK at /subscribe, but not with events; connecting again")?;
    ended.said("closed the connection with 1001 (it is going away)")?;
    ended.said("\"bad cursor\": the resume token is not understood there; starting with the newest event")?;
    ensure!(!service.requests()[3].contains("cursor"), "{:?}", service.requests());
    let (_, _, ended) = made_of(vec![answer("404 Not Found", "", "")], &[])?;
    ensure!(ended.status.code() == Some(1), "{ended:?}");
    ended.said("has no stream at /subscribe (404 Not Found); check --source")
}
