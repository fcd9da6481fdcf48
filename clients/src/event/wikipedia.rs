//! An edit of a wiki: the fields of `mediawiki/recentchange` that the demo looks at.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Event, Malformed, Parsed, compact::compact, fields, identity, text};

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    meta: Option<Meta<'a>>,
    /// As it is written: a number may be larger than any of ours.
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    domain: Option<Cow<'a, str>>,
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    offset: Option<u64>,
}

/// Reads one event; `token` is the SSE id that came with it.
///
/// # Errors
/// When it is no event.
pub fn parse(data: Vec<u8>, token: Option<Box<str>>) -> Result<Parsed, Malformed> {
    let change: Change<'_> = fields(text(&data)?)?;
    let meta = change.meta.ok_or_else(|| Malformed::missing("`meta`"))?;
    let place = meta.topic.zip(meta.offset).map(|(topic, offset)| (topic.into(), offset));
    // The service sends canaries to see that its pipes are open. They are no edits.
    if meta.domain.as_deref() == Some("canary") {
        return Ok(Parsed::Skipped { name: "canary", place });
    }
    let id = meta.id.filter(|id| !id.is_empty()).ok_or_else(|| Malformed::missing("`meta.id`"))?;
    let key = change.id.map(|id| number(id.get())).transpose()?;
    let (kind, identity) = (change.kind.map(Box::from), identity(&*id));
    Ok(Parsed::Event(Box::new(Event { key, kind, identity, token, place, value: compact(data) })))
}

/// The id as a decimal number.
fn number(id: &str) -> Result<Box<str>, Malformed> {
    let digits = id.strip_prefix('-').unwrap_or(id);
    match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(id.into()),
        false => Err(Malformed::NotAnEvent("its `id` is not a whole number".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Parsed, String> {
        super::parse(json.as_bytes().to_vec(), None).map_err(|error| error.to_string())
    }

    fn event(json: &str) -> Event {
        match parse(json) {
            Ok(Parsed::Event(event)) => *event,
            other => panic!("{json} gave {other:?}"),
        }
    }

    #[test]
    fn the_id_is_the_key_whatever_its_size() {
        let edit =
            event(r#"{"meta":{"id":"u","topic":"t","offset":7},"id":123456789012345678901,"type":"edit","x":[]}"#);
        assert_eq!(edit.key.as_deref(), Some("123456789012345678901"));
        assert_eq!(edit.kind.as_deref(), Some("edit"));
        assert_eq!(edit.place, Some(("t".into(), 7)));
    }

    #[test]
    fn without_an_id_there_is_no_key() {
        for json in [r#"{"meta":{"id":"u"},"type":"log"}"#, r#"{"meta":{"id":"u"},"id":null}"#] {
            assert_eq!(event(json).key, None);
        }
        assert_eq!(event(r#"{"meta":{"id":"u"},"id":null}"#).kind, None);
    }

    #[test]
    fn the_same_meta_id_is_the_same_event() {
        let first = event(r#"{"meta":{"id":"u","offset":1},"id":1}"#);
        let again = event(r#"{"meta":{"offset":2,"id":"u"},"id":2}"#);
        let other = event(r#"{"meta":{"id":"v"},"id":1}"#);
        assert!(first.identity == again.identity && first.identity != other.identity);
    }

    #[test]
    fn canaries_are_told_apart_without_their_other_fields() {
        let canary = parse(r#"{"$schema":"s","meta":{"domain":"canary","id":"u"}}"#);
        assert!(matches!(canary, Ok(Parsed::Skipped { name: "canary", place: None })), "{canary:?}");
    }

    #[test]
    fn what_is_no_event_is_said_to_be_none() {
        assert_eq!(parse(r#"{"id":1}"#).unwrap_err(), "it has no `meta`");
        assert_eq!(parse(r#"{"meta":{},"id":1}"#).unwrap_err(), "it has no `meta.id`");
        assert_eq!(parse(r#"{"meta":{"id":"u"},"id":1.5}"#).unwrap_err(), "its `id` is not a whole number");
        assert!(parse("{\"meta\":{").unwrap_err().starts_with("its JSON cannot be read (EOF"));
        let not_text = super::parse(b"{\"a\":\"\xff\"}".to_vec(), None).unwrap_err();
        assert_eq!(not_text.to_string(), "it is not UTF-8 from byte 6 on");
    }
}
