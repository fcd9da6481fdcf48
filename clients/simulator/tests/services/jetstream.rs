//! Jetstream's side.

use std::collections::HashSet;
use std::time::Duration;

use event_simulator::{Faults, Services, Settings, Simulator, StreamSent};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Answer, Socket, start};

const POSTS: &str = "/subscribe?wantedCollections=app.bsky.feed.post";
const V2: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";

fn fast(faults: Faults) -> Settings {
    let others = 1.0;
    Settings {
        bluesky_per_s: Some(5_000.0),
        events: Some(4_000),
        others,
        services: Services::Bluesky,
        faults,
        ..Settings::default()
    }
}

fn sent(simulator: &Simulator, wanted: &str) -> StreamSent {
    let sent = simulator.oracle().bluesky.expect("Bluesky is simulated");
    sent.streams.into_iter().find(|stream| stream.wanted == wanted).expect("this was wanted")
}

async fn open(simulator: &Simulator, path: &str) -> Socket {
    Socket::open(simulator.address(), path).await.expect("a WebSocket")
}

async fn refused(simulator: &Simulator, path: &str) -> (u16, String) {
    Socket::open(simulator.address(), path).await.err().expect("no WebSocket")
}

fn operations(events: &[Value], operation: &str) -> u64 {
    events.iter().filter(|event| event["commit"]["operation"] == operation).count() as u64
}

#[tokio::test]
async fn what_is_sent_is_what_arrives_and_the_oracle_knows_it() {
    let simulator =
        start(fast(Faults { life: Some(Duration::from_secs(2)), close_code: Some(1001), ..Faults::default() })).await;
    let mut socket = open(&simulator, POSTS).await;
    let mut events: Vec<Value> = Vec::new();
    let code = loop {
        match socket.next().await {
            Some(Message::Text(text)) => events.push(serde_json::from_str(&text).expect("an event is JSON")),
            Some(Message::Close(frame)) => break frame.map(|frame| frame.code.into()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, Some(1001));
    let sent = sent(&simulator, "wantedCollections=app.bsky.feed.post");
    for operation in ["create", "update", "delete"] {
        assert_eq!(operations(&events, operation), sent.operations[operation], "{operation}");
    }
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count() as u64;
    assert_eq!((of("identity"), of("account"), of("commit")), (sent.identity, sent.account, sent.events));
    assert!(
        events.iter().all(|event| event["commit"].is_null() || event["commit"]["collection"] == "app.bsky.feed.post")
    );
    assert!((1_700..2_300).contains(&events.len()), "{} of 4000: half is likes and the like", events.len());
    let mut oracle = Answer::to(
        simulator.address(),
        "/oracle/bluesky?wantedCollections=app.bsky.feed.post",
        "Connection: close\r\n",
    )
    .await;
    oracle.read_all().await;
    let told: HashSet<String> = String::from_utf8_lossy(&oracle.body).lines().map(str::to_owned).collect();
    let received = events.iter().filter_map(|event| event["commit"]["rev"].as_str().map(str::to_owned));
    assert_eq!(told, received.collect::<HashSet<String>>());
}

#[tokio::test]
async fn a_cursor_resumes_by_time_and_by_number_and_is_clamped() {
    let simulator = start(fast(Faults { life_events: Some(500), mid_event: true, ..Faults::default() })).await;
    let mut first = open(&simulator, POSTS).await;
    let events = first.events(500).await;
    assert_eq!(first.close_code().await, None, "it is cut without a word");
    let last = events[499]["time_us"].as_u64().expect("a time");
    let mut second = open(&simulator, &format!("{POSTS}&cursor={last}")).await;
    assert_eq!(second.events(1).await[0], events[499], "a cursor is inclusive");
    let mut old = open(&simulator, &format!("{POSTS}&cursor=1000000000000001")).await;
    let oldest = old.events(1).await[0]["time_us"].as_u64().expect("a time");
    let hours = (last - oldest) / 3_600_000_000;
    assert_eq!(hours, 35, "a cursor that is too old begins 36 hours back");
    let mut future = open(&simulator, &format!("{POSTS}&cursor=9000000000000000")).await;
    let next = future.events(1).await[0]["time_us"].as_u64().expect("a time");
    assert!(next > last, "a cursor in the future is live");
}

#[tokio::test]
async fn the_newer_protocol_has_its_own_rules() {
    let simulator = start(fast(Faults::default())).await;
    let mut socket = open(&simulator, &format!("{V2}?collections=app.bsky.feed.post&kinds=commit")).await;
    let events = socket.events(100).await;
    assert!(events.iter().all(|event| event["payload"]["$type"] == "network.bsky.jetstream.subscribeEvents#commit"));
    let seq = events[50]["payload"]["seq"].as_u64().expect("a number");
    let mut older = open(&simulator, &format!("{POSTS}&cursor={seq}")).await;
    assert_eq!(
        older.events(1).await[0]["commit"]["rev"],
        events[50]["payload"]["rev"],
        "the older one takes numbers too"
    );
    let mut again = open(&simulator, &format!("{V2}?collections=app.bsky.feed.post&kinds=commit&cursor={seq}")).await;
    assert_eq!(again.events(1).await[0], events[50], "a cursor is inclusive");
    socket.say("{}").await;
    assert_eq!(socket.close_code().await, Some(1008), "nothing is to be said there");
    let (status, text) = refused(&simulator, &format!("{V2}?cursor=5")).await;
    assert!(status == 400 && text.contains("CursorTooOld: the oldest event that is kept is "), "{text}");
    assert!(refused(&simulator, &format!("{V2}?wantedDids=did:plc:a")).await.1.contains("belongs to /subscribe"));
}

#[tokio::test]
async fn options_come_before_or_meanwhile() {
    let simulator = start(Settings { events: None, ..fast(Faults::default()) }).await;
    let mut socket = open(&simulator, "/subscribe?requireHello=true").await;
    socket.say(r#"{"type":"unknown"}"#).await;
    socket.say(r#"{"type":"options_update","payload":{"wantedCollections":["app.bsky.feed.like"]}}"#).await;
    let likes = socket.events(50).await;
    let is_commit_of = |event: &Value, name: &str| event["kind"] != "commit" || event["commit"]["collection"] == name;
    assert!(likes.iter().all(|event| is_commit_of(event, "app.bsky.feed.like")), "nothing came before the hello");
    socket.say(r#"{"type":"options_update","payload":{"wantedCollections":["app.bsky.graph.*"]}}"#).await;
    let later = socket.events(3_000).await;
    let follows = &later[2_900..];
    assert!(follows.iter().all(|event| event["kind"] != "commit"
        || event["commit"]["collection"].as_str().is_some_and(|name| name.starts_with("app.bsky.graph."))));
    socket.say("{").await;
    assert_eq!(socket.close_code().await, Some(1007));
    let mut other = open(&simulator, POSTS).await;
    other.say(r#"{"type":"options_update","payload":{"wantedDids":["nobody"]}}"#).await;
    assert_eq!(other.close_code().await, Some(1008));
}

#[tokio::test]
async fn who_asks_wrongly_is_told() {
    let answers = vec!["429".parse().expect("a status")];
    let simulator = start(fast(Faults { answers, ..Faults::default() })).await;
    for (path, part) in [
        ("/subscribe?compress=true", "not compressed"),
        ("/subscribe?cursor=soon", "'soon' is no number"),
        ("/subscribe?wantedCollections=posts", "'posts' is no collection"),
        ("/subscribe?wantedDids=me", "'me' is no DID"),
    ] {
        let (status, text) = refused(&simulator, path).await;
        assert!(status == 400 && text.contains(part), "{path}: {status} {text}");
    }
    let plain = Answer::to(simulator.address(), "/subscribe", "").await;
    assert!(plain.head.starts_with("http/1.1 426"), "{}", plain.head);
    assert_eq!(refused(&simulator, POSTS).await.0, 429);
    open(&simulator, POSTS).await.events(10).await;
}

#[tokio::test]
async fn who_reads_too_slowly_is_dropped() {
    let faults = Faults { slow_after: Duration::from_millis(200), ..Faults::default() };
    let settings = Settings { bluesky_per_s: Some(60_000.0), events: None, others: 0.0, ..fast(faults) };
    let simulator = start(settings).await;
    let mut socket = open(&simulator, V2).await;
    socket.events(1).await;
    let mut notes = simulator.notes();
    // Not reading fills the buffers of both sides; then the service waits in vain.
    while !notes.recv().await.expect("a note").contains("too slow") {}
    let mut last = String::new();
    while let Some(Message::Text(text)) = socket.next().await {
        last = text.to_string();
    }
    assert!(last.contains("subscribeEvents#") || last.contains("ConsumerTooSlow"), "{last}");
}
