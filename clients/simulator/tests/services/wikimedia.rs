//! Wikimedia's side.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use event_simulator::{Faults, Services, Settings, Simulator, WikipediaSent};
use serde_json::Value;

use crate::client::{Answer, start};

const PATH: &str = "/v2/stream/recentchange";

fn fast(faults: Faults) -> Settings {
    Settings {
        wikipedia_per_s: Some(5_000.0),
        events: Some(3_000),
        services: Services::Wikipedia,
        faults,
        ..Settings::default()
    }
}

fn sent(simulator: &Simulator) -> WikipediaSent {
    simulator.oracle().wikipedia.expect("Wikipedia is simulated")
}

fn types(events: &[(String, Value)]) -> BTreeMap<String, u64> {
    let mut types = BTreeMap::new();
    for (_, event) in events.iter().filter(|(_, event)| event["meta"]["domain"] != "canary") {
        *types.entry(event["type"].as_str().expect("a type").to_owned()).or_default() += 1;
    }
    types
}

#[tokio::test]
async fn what_is_sent_is_what_arrives_and_the_oracle_knows_it() {
    let simulator = start(fast(Faults::default())).await;
    let mut answer = Answer::to(simulator.address(), PATH, "").await;
    assert!(
        answer.head.starts_with("http/1.1 200") && answer.head.contains("content-type: text/event-stream"),
        "{}",
        answer.head
    );
    assert!(
        answer.head.contains("cache-control: no-cache") && answer.head.contains("transfer-encoding: chunked"),
        "{}",
        answer.head
    );
    assert!(answer.read_events(3_001).await);
    let events = answer.events();
    assert_eq!(events.len(), 3_000);
    let sent = sent(&simulator);
    assert_eq!(types(&events), sent.types.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect());
    assert_eq!((sent.events + sent.canaries, sent.again, sent.complete), (3_000, 0, true));
    let mut ids = Answer::to(simulator.address(), "/oracle/wikipedia", "Connection: close\r\n").await;
    ids.read_all().await;
    let told: HashSet<String> = String::from_utf8_lossy(&ids.body).lines().map(str::to_owned).collect();
    let received = events.iter().map(|(_, event)| event["meta"]["id"].as_str().expect("an id").to_owned());
    assert_eq!(told, received.collect::<HashSet<String>>());
}

#[tokio::test]
async fn two_runs_of_one_seed_send_the_same_bytes() {
    let mut bodies = Vec::new();
    for bytewise in [false, true] {
        let simulator = start(fast(Faults { bytewise, ..Faults::default() })).await;
        let mut answer = Answer::to(simulator.address(), "/v2/stream/mediawiki.recentchange", "").await;
        assert!(answer.read_events(301).await);
        assert_eq!(answer.chunks.iter().all(|size| *size == 1), bytewise);
        answer.body.truncate(200_000);
        bodies.push(answer.body);
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn connections_are_cut_in_mid_event_and_resumed_without_loss() {
    let simulator = start(fast(Faults { life_events: Some(400), mid_event: true, ..Faults::default() })).await;
    let (mut id, mut events) = (String::new(), Vec::new());
    while events.len() < 3_000 {
        let header = if id.is_empty() { String::new() } else { format!("Last-Event-ID: {}\r\n", rewound(&id)) };
        let mut answer = Answer::to(simulator.address(), PATH, &header).await;
        let is_cut = !answer.read_events(401 + 1).await;
        assert!(is_cut && !answer.is_whole, "a cut has no last chunk");
        assert!(!answer.body.ends_with(b"\n\n"), "half an event is left over");
        let received = answer.events();
        id = received.last().expect("events").0.clone();
        let known: HashSet<Value> =
            events.iter().map(|(_, event): &(String, Value)| event["meta"]["id"].clone()).collect();
        events.extend(received.into_iter().filter(|(_, event)| !known.contains(&event["meta"]["id"])));
    }
    let sent = sent(&simulator);
    assert_eq!(events.len() as u64, sent.events + sent.canaries);
    assert!(sent.connections.cut >= 7 && sent.again > 0, "{sent:?}");
    assert_eq!(types(&events).values().sum::<u64>(), sent.events);
}

/// The id, a tenth of a second before: several events may have happened in its millisecond.
fn rewound(id: &str) -> String {
    let mut places: Value = serde_json::from_str(id).expect("an id is JSON");
    for place in places.as_array_mut().expect("an id is a list") {
        if let Some(timestamp) = place["timestamp"].as_u64() {
            place["timestamp"] = (timestamp - 100).into();
        }
    }
    places.to_string()
}

#[tokio::test]
async fn history_is_replayed_topic_by_topic() {
    let simulator = start(Settings { services: Services::Wikipedia, ..Settings::default() }).await;
    let mut answer = Answer::to(simulator.address(), &format!("{PATH}?since=2026-05-31T22:00:00Z"), "").await;
    assert!(answer.read_events(1_001).await);
    let events = answer.events();
    let mut last = BTreeMap::new();
    for (_, event) in &events {
        let (topic, offset) =
            (event["meta"]["topic"].to_string(), event["meta"]["offset"].as_i64().expect("an offset"));
        assert!(last.insert(topic, offset).is_none_or(|last| offset == last + 1), "{event}");
    }
    assert_eq!(last.len(), 2);
    assert!(events[0].1["meta"]["dt"].as_str().is_some_and(|dt| dt.starts_with("2026-05-31T")), "{}", events[0].1);
}

#[tokio::test]
async fn without_frames_there_is_a_line_for_each() {
    let simulator = start(fast(Faults { life_events: Some(50), ..Faults::default() })).await;
    let mut answer = Answer::to(simulator.address(), PATH, "Accept: application/json\r\n").await;
    answer.read_all().await;
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 50);
}

#[tokio::test]
async fn who_asks_wrongly_is_told() {
    let answers = vec!["503".parse().expect("a status"), "html".parse().expect("a page")];
    let simulator = start(fast(Faults { max_connections: 1, answers, ..Faults::default() })).await;
    let head = async |path: String, headers: &str| Answer::to(simulator.address(), &path, headers).await.head;
    let unnamed = Answer::to_agent(simulator.address(), PATH, "User-Agent: python-requests/2.32\r\n").await;
    assert!(unnamed.head.starts_with("http/1.1 403"), "{}", unnamed.head);
    let named =
        Answer::to_agent(simulator.address(), "/v2/stream/other", "User-Agent: x\r\nApi-User-Agent: lesson/1\r\n")
            .await;
    assert!(named.head.starts_with("http/1.1 400"), "{}", named.head);
    assert!(head(format!("{PATH}?since=never"), "").await.starts_with("http/1.1 400"));
    assert!(head(PATH.to_owned(), "Last-Event-ID: 5\r\n").await.starts_with("http/1.1 400"));
    let unavailable = head(PATH.to_owned(), "").await;
    assert!(unavailable.starts_with("http/1.1 503") && unavailable.contains("retry-after: 1"), "{unavailable}");
    let page = head(PATH.to_owned(), "").await;
    assert!(page.starts_with("http/1.1 200") && page.contains("text/html"), "{page}");
    let mut served = Answer::to(simulator.address(), PATH, "").await;
    let full = head(PATH.to_owned(), "").await;
    assert!(full.starts_with("http/1.1 429") && full.contains("retry-after"), "{full}");
    assert!(served.read_events(100).await);
    assert_eq!(sent(&simulator).connections.refused, 7);
    assert!(head("/subscribe".to_owned(), "").await.starts_with("http/1.1 404"), "only Wikipedia is here");
}

#[tokio::test]
async fn a_stall_comes_once_and_what_is_no_event_is_counted() {
    let stall = Some((100, Duration::from_millis(300)));
    let simulator = start(fast(Faults { stall, malformed_permille: 20, ..Faults::default() })).await;
    let mut notes = simulator.notes();
    let mut answer = Answer::to(simulator.address(), PATH, "").await;
    assert!(answer.read_events(3_001 + 30).await);
    let sent = sent(&simulator);
    assert!(sent.complete && sent.malformed > 30, "{sent:?}");
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let frames = text.split("\n\n").filter(|frame| frame.starts_with("event: message\ndata: ")).count() as u64;
    assert!(frames > 0 && frames <= sent.malformed, "{frames} of {}", sent.malformed);
    let told: Vec<String> = std::iter::from_fn(|| notes.try_recv().ok()).collect();
    assert!(told.iter().any(|note| note.contains("stalls for 0.3 s")), "{told:?}");
}
