//! What must hold for every event of the wikis.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::*;
use crate::settings::Settings;

fn settings() -> Settings {
    // 2026-06-01T00:00:00Z
    Settings { seed: 3, from_us: 1_780_272_000_000_000, ..Settings::default() }
}

fn world() -> Wikipedia {
    flipping(None)
}

fn flipping(after: Option<Duration>) -> Wikipedia {
    let settings = settings();
    Wikipedia::new(settings.seed, settings.wikipedia_timeline(), settings.from_us, after)
}

fn live(world: &Wikipedia) -> u64 {
    world.timeline().count_before(settings().from_us)
}

fn events(world: &Wikipedia, numbers: impl Iterator<Item = u64>) -> Vec<Value> {
    numbers.map(|number| serde_json::from_str(&world.event(number)).expect("an event is JSON")).collect()
}

#[test]
fn types_and_wikis_have_their_shares() {
    let world = world();
    let events = events(&world, 0..20_000);
    let share = |test: &dyn Fn(&Value) -> bool| events.iter().filter(|event| test(event)).count() as f64 / 200.0;
    for (kind, percent) in [("categorize", 49.0), ("edit", 41.0), ("log", 8.0), ("new", 2.0)] {
        let found = share(&|event| event["type"] == kind);
        assert!((found - percent).abs() < 1.5, "{kind}: {found} %");
    }
    let found = share(&|event| event["wiki"] == "commonswiki");
    assert!((found - 47.0).abs() < 3.0, "commonswiki: {found} %");
    let found = share(&|event| event["bot"] == true);
    assert!((found - 32.0).abs() < 3.0, "bots: {found} %");
}

#[test]
fn every_oddity_occurs() {
    let world = world();
    let events = events(&world, 0..30_000);
    let occurs = |what: &str, test: &dyn Fn(&Value) -> bool| assert!(events.iter().any(test), "{what} does not occur");
    let is_log = |event: &Value| event["type"] == "log";
    occurs("a log entry without id", &|event| is_log(event) && event.get("id").is_none());
    occurs("an id that is null", &|event| event.get("id") == Some(&Value::Null));
    occurs("an event without user", &|event| event.get("type").is_some() && event.get("user").is_none());
    occurs("a list of parameters", &|event| event["log_params"].is_array());
    occurs("an object of parameters", &|event| event["log_params"].is_object());
    occurs("a string of parameters", &|event| event["log_params"].is_string());
    occurs("namespace -1", &|event| event["namespace"] == -1);
    occurs("a new page without an old length", &|event| event["type"] == "new" && event["length"]["old"].is_null());
    occurs("HTML", &|event| event["parsedcomment"].as_str().is_some_and(|text| text.contains("<a href=")));
    occurs("an external change", &|event| event["type"] == "external");
    let scripts =
        |event: &Value| event["title"].as_str().is_some_and(|title| title.chars().any(|letter| letter > '\u{3000}'));
    occurs("a title in Chinese", &scripts);
}

#[test]
fn offsets_count_up_in_each_topic_and_lead_back() {
    for world in [world(), flipping(Some(Duration::from_secs(600)))] {
        let begin = live(&world) - 30_000;
        let mut last = [None; 2];
        for number in begin..begin + 90_000 {
            let (topic, offset) = (world.topic(number), world.offset(number));
            assert!(last[topic].is_none_or(|last| offset == last + 1), "event {number} of topic {topic}");
            last[topic] = Some(offset);
            if number % 97 == 0 || topic == 1 {
                assert_eq!(world.at_offset(topic, offset), number);
            }
        }
        assert!(last.iter().all(Option::is_some), "both topics have events");
    }
}

#[test]
fn the_quiet_topic_has_one_in_ten_thousand_and_the_canary_of_the_hour() {
    let world = world();
    let begin = live(&world);
    let end = world.timeline().count_before(settings().from_us + 3 * HOUR_US);
    let quiet: Vec<u64> = (begin..end).filter(|number| world.topic(*number) == 1).collect();
    let canaries: Vec<&u64> = quiet.iter().filter(|number| world.kind(**number) == Kind::Canary).collect();
    assert_eq!(canaries.len(), 3);
    for number in canaries {
        let minute = world.timeline().time_us(*number) / MINUTE_US % 60;
        assert_eq!(minute, QUIET_CANARY_MINUTE);
        let event: Value = serde_json::from_str(&world.event(*number)).expect("a canary is JSON");
        assert_eq!(event["meta"]["domain"], "canary");
        assert_eq!(event.as_object().map(|event| event.len()), Some(2), "{event}");
    }
    let others = quiet.len() - 3;
    assert!((30..=50).contains(&others), "{others}");
}

#[test]
fn a_flip_changes_the_topics_roles() {
    let world = flipping(Some(Duration::from_secs(60)));
    let begin = live(&world);
    assert_eq!(world.topic(begin), 0);
    assert_eq!(world.topic(begin + 120 * 36), 1);
}

#[test]
fn a_page_is_put_into_a_category_by_the_edit_before() {
    let world = world();
    let numbers = 1000..2000;
    let categorized: Vec<u64> = numbers.filter(|number| world.kind(*number) == Kind::Categorize).collect();
    for number in &categorized {
        let cause = world.cause(*number, Kind::Categorize);
        let (event, edit) = (&events(&world, *number..number + 1)[0], &events(&world, cause..cause + 1)[0]);
        assert!(cause < *number && matches!(world.kind(cause), Kind::Edit | Kind::New));
        assert_eq!((&event["wiki"], &event["user"].is_string()), (&edit["wiki"], &true), "{event}");
        let page = edit["title"].as_str().unwrap_or_default();
        assert!(event["comment"].as_str().is_some_and(|comment| comment.contains(page)), "{event}");
    }
    let causes: HashSet<u64> = categorized.iter().map(|number| world.cause(*number, Kind::Categorize)).collect();
    assert!(causes.len() < categorized.len(), "an edit fans out");
}

#[test]
fn the_same_seed_makes_the_same_text_and_another_does_not() {
    let settings = settings();
    let other = Wikipedia::new(4, settings.wikipedia_timeline(), settings.from_us, None);
    for number in [0, 5, 123_456] {
        assert_eq!(world().event(number), world().event(number));
        assert_ne!(world().event(number), other.event(number));
    }
}

#[test]
fn who_resumes_by_id_gets_what_comes_after() {
    let world = world();
    let begin = live(&world) - 20_000;
    let mut positions = world.begin(&Wanted::Live, begin, 0);
    let mut ids = BTreeMap::new();
    for number in begin..begin + 15_000 {
        ids.insert(number, world.deliver(number, &mut positions));
    }
    for number in (begin + 12_000..begin + 15_000).step_by(500) {
        let wanted = Wanted::read(Some(&ids[&number]), None).expect("an id can be read back");
        let resumed = world.begin(&wanted, u64::MAX, 0);
        let after = (number + 1..).find(|next| world.timestamp_ms(*next) > world.timestamp_ms(number));
        let expected = world.next_in_topic(0, after.expect("time goes on"));
        assert_eq!(world.next_in_topic(0, resumed.next[0]), expected);
        let quiet = (begin..=number).rev().find(|earlier| world.topic(*earlier) == 1).expect("the quiet topic had one");
        assert!(resumed.next[1] > quiet && world.next_in_topic(1, resumed.next[1]) > number);
    }
    let first = &ids[&begin];
    assert!(first.contains(r#""offset":-1"#) && first.contains(r#""topic":"codfw"#), "{first}");
    let starts: HashSet<&str> = ids.values().filter_map(|id| id.get(..20)).collect();
    assert_eq!(starts.len(), 2, "the order of the topics varies");
}

#[test]
fn what_cannot_be_resumed_is_said() {
    let said =
        |id: Option<&str>, since| Wanted::read(id, since).map_or_else(|error| error.to_string(), |_| "fine".to_owned());
    assert!(said(Some("abc"), None).contains("Last-Event-ID is no list"));
    assert!(said(Some(r#"[{"topic":"other","partition":0}]"#), None).contains("other [0]"));
    assert!(said(None, Some("yesterday")).contains("'yesterday'"));
    assert_eq!(said(None, Some("2026-06-01T00:00:00Z")), "fine");
    let both = Wanted::read(
        Some(r#"[{"topic":"eqiad.mediawiki.recentchange","partition":0,"timestamp":5,"offset":5800000007}]"#),
        Some("1"),
    );
    let Ok(Wanted::After(places)) = &both else { panic!("an id takes precedence") };
    let world = world();
    assert_eq!(
        world.begin(&both.clone().expect("checked"), 100, 0).next,
        [7, 100],
        "an offset wins over a timestamp, {places:?}"
    );
    let since = Wanted::read(None, Some("1780272000000")).expect("milliseconds");
    assert_eq!(world.begin(&since, u64::MAX, 0).next, [live(&world); 2]);
}
