//! What must hold for every event of the network.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::*;
use crate::settings::Settings;

const FROM_US: u64 = 1_780_272_000_000_000;

fn world(others: f64) -> Bluesky {
    let settings = Settings { seed: 3, from_us: FROM_US, others, ..Settings::default() };
    Bluesky::new(settings.seed, settings.bluesky_timeline(), others)
}

fn event(world: &Bluesky, number: u64) -> Value {
    serde_json::from_str(&world.event(number, Version::V1)).expect("an event is JSON")
}

#[test]
fn kinds_and_collections_have_their_shares() {
    let world = world(7.0);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for number in 0..50_000 {
        let act = world.act(number);
        *counts.entry(act.commit().map_or(act.kind(), |(collection, _)| collection.name())).or_default() += 1;
    }
    for (what, percent) in
        [("app.bsky.feed.like", 68.0), ("app.bsky.feed.post", 11.3), ("app.bsky.feed.repost", 10.5), ("identity", 0.7)]
    {
        let found = counts[what] as f64 / 500.0;
        assert!((found - percent).abs() < 1.0, "{what}: {found} %");
    }
}

#[test]
fn what_is_referred_to_exists() {
    let world = world(7.0);
    let begin = 100_000;
    let mut posts: HashMap<String, u64> = HashMap::new();
    let mut referred = 0;
    for number in begin - 60_000..begin + 2_000 {
        if world.act(number) == Act::Create(Collection::Post) {
            let post = event(&world, number);
            let commit = &post["commit"];
            let did = post["did"].as_str().unwrap_or_default();
            posts.insert(
                format!("at://{did}/app.bsky.feed.post/{}", commit["rkey"].as_str().unwrap_or_default()),
                number,
            );
        }
        if number < begin {
            continue;
        }
        let event = event(&world, number);
        let record = &event["commit"]["record"];
        for subject in [&record["subject"]["uri"], &record["reply"]["parent"]["uri"]] {
            let Some(uri) = subject.as_str() else { continue };
            // What lies further back than this test remembers is left out.
            if world.referred(number).is_some_and(|post| post >= begin - 60_000) {
                referred += 1;
                assert!(posts.get(uri).is_some_and(|post| *post < number), "event {number} refers to {uri}");
            }
        }
    }
    assert!(referred > 500, "{referred}");
}

#[test]
fn deletions_delete_what_is_there_once() {
    for others in [7.0, 0.0] {
        let world = world(others);
        let mut records: HashSet<(String, String, String)> = HashSet::new();
        let (mut deleted, mut updated) = (0, 0);
        for number in 0..60_000 {
            let Some((collection, operation)) = world.act(number).commit() else { continue };
            if collection == Collection::Profile {
                continue;
            }
            let event = event(&world, number);
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let commit = &event["commit"];
            let record = (text(&event["did"]), text(&commit["collection"]), text(&commit["rkey"]));
            match operation {
                "create" => assert!(records.insert(record), "event {number} makes what is there"),
                "delete" => {
                    deleted += 1;
                    assert!(records.remove(&record), "event {number} deletes what is not there: {event}");
                    assert!(commit.get("record").is_none() && commit.get("cid").is_none(), "{event}");
                }
                _ => {
                    updated += 1;
                    assert!(records.contains(&record), "event {number} changes what is not there: {event}");
                }
            }
        }
        assert!(deleted > 300 && updated > 20, "{deleted} deleted, {updated} updated");
    }
}

#[test]
fn times_and_revisions_rise_and_a_revision_is_later_than_its_record() {
    let world = world(0.0);
    let (mut last_us, mut revisions) = (0, HashSet::new());
    for number in 0..5_000 {
        let event = event(&world, number);
        let time_us = event["time_us"].as_u64().unwrap_or_default();
        assert!(time_us > last_us, "event {number}");
        last_us = time_us;
        let commit = &event["commit"];
        if let (Some(revision), Some(key)) = (commit["rev"].as_str(), commit["rkey"].as_str()) {
            assert!(revision > key || key == "self", "{event}");
            assert!(revisions.insert(revision.to_owned()), "{revision} comes twice");
        }
    }
}

#[test]
fn posts_are_as_long_as_real_ones() {
    let world = world(0.0);
    let posts: Vec<usize> = (0..5_000)
        .filter(|number| world.act(*number) == Act::Create(Collection::Post))
        .map(|number| world.event(number, Version::V1).len())
        .collect();
    let mean = posts.iter().sum::<usize>() / posts.len();
    assert!((550..850).contains(&mean), "{mean} bytes");
}

#[test]
fn the_newer_protocol_tells_the_same_otherwise() {
    let world = world(0.0);
    for number in 0..200 {
        let (old, new) = (event(&world, number), world.event(number, Version::V2));
        let new: Value = serde_json::from_str(&new).expect("an event is JSON");
        let payload = &new["payload"];
        assert_eq!(new["$type"], "message");
        assert_eq!(
            payload["$type"],
            format!("network.bsky.jetstream.subscribeEvents#{}", old["kind"].as_str().unwrap_or_default())
        );
        assert_eq!(payload["seq"], FIRST_SEQUENCE + number);
        assert_eq!(payload["did"], old["did"]);
        for field in ["rev", "operation", "collection", "rkey", "record", "cid"] {
            assert_eq!(payload[field], old["commit"][field], "{field}");
        }
        let time = payload["time"].as_str().unwrap_or_default();
        assert_eq!(time.len(), "2026-06-01T00:00:00.000000Z".len(), "{time}");
    }
}

#[test]
fn filters_admit_what_they_name() {
    let world = world(7.0);
    let admitted = |filter: Filter| -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for number in 0..30_000 {
            if filter.admits(&world, number) {
                let act = world.act(number);
                *counts.entry(act.commit().map_or(act.kind(), |(collection, _)| collection.name())).or_default() += 1;
            }
        }
        counts
    };
    let names = |filter| admitted(filter).into_keys().collect::<Vec<_>>();
    let wanted = |collections: &[&str]| {
        Filter::wanted(collections.iter().map(ToString::to_string).collect(), Vec::new(), 0).expect("a good filter")
    };
    assert_eq!(names(wanted(&["app.bsky.feed.post"])), ["account", "app.bsky.feed.post", "identity"]);
    assert_eq!(
        names(wanted(&["app.bsky.graph.*"])),
        ["account", "app.bsky.graph.block", "app.bsky.graph.follow", "identity"]
    );
    assert!(!names(wanted(&[])).contains(&"sync"), "the older protocol does not know it");
    let v2 = |kinds: &[&str]| {
        Filter::of_v2(kinds.iter().map(ToString::to_string).collect(), Vec::new(), Vec::new()).expect("a good filter")
    };
    assert_eq!(names(v2(&["sync", "identity"])), ["identity", "sync"]);
    let did = world.did(17);
    let of_one = Filter::wanted(Vec::new(), vec![did.clone()], 0).expect("a good filter");
    assert!((0..30_000).all(|number| !of_one.admits(&world, number) || world.did(number) == did));
    assert!(of_one.admits(&world, 17));
}

#[test]
fn messages_change_the_filter_or_offend() {
    let update = |text: &str| Filter::updated(text.as_bytes());
    let filter = update(
        r#"{"type":"options_update","payload":{"wantedCollections":["app.bsky.feed.like"],"maxMessageSizeBytes":900}}"#,
    );
    let Ok(Update::Filter(filter)) = filter else { panic!("{filter:?}") };
    assert_eq!(filter.describe(), "wantedCollections=app.bsky.feed.like&maxMessageSizeBytes=900");
    assert!(filter.fits("short") && !filter.fits(&"long".repeat(300)));
    assert_eq!(update(r#"{"type":"other"}"#), Ok(Update::Unknown));
    assert!(matches!(update("{"), Err(Offence::Malformed(_))));
    assert!(matches!(
        update(r#"{"type":"options_update","payload":{"wantedCollections":7}}"#),
        Err(Offence::Malformed(_))
    ));
    assert!(matches!(update(r#"{"type":"options_update","payload":{"wantedDids":["x"]}}"#), Err(Offence::Invalid(_))));
    let many = vec!["app.bsky.feed.post".to_owned(); 101];
    assert!(Filter::wanted(many, Vec::new(), 0).is_err_and(|refused| refused.0.contains("101 collections")));
}
