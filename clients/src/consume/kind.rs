//! What a record is counted by: the one field that a consumer looks at.

use std::borrow::Cow;

use serde::Deserialize;

use crate::source::Service;

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Post<'a> {
    #[serde(borrow)]
    commit: Option<Commit<'a>>,
}

#[derive(Deserialize)]
struct Commit<'a> {
    #[serde(borrow)]
    operation: Option<Cow<'a, str>>,
}

/// The type of an edit, or the operation on a post; nothing if the record does not say.
///
/// # Errors
/// With the reason, when the record is no event.
pub(super) fn of(service: Service, value: Option<&[u8]>) -> Result<Option<Cow<'_, str>>, String> {
    let value = value.ok_or("it has no value")?;
    let kind = match service {
        Service::Wikipedia => serde_json::from_slice::<Change<'_>>(value).map(|change| change.kind),
        Service::Bluesky => {
            serde_json::from_slice::<Post<'_>>(value).map(|post| post.commit.and_then(|commit| commit.operation))
        }
    };
    let kind = kind.map_err(|error| format!("its JSON cannot be read ({error})"))?;
    // Redis would count under an empty name as well, and nobody would find it there.
    Ok(kind.filter(|kind| !kind.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(service: Service, value: &str) -> Option<String> {
        super::of(service, Some(value.as_bytes())).unwrap().map(Cow::into_owned)
    }

    #[test]
    fn edits_have_a_type_and_posts_an_operation() {
        assert_eq!(of(Service::Wikipedia, r#"{"id":1,"type":"edit"}"#).as_deref(), Some("edit"));
        let post = r#"{"type":"x","commit":{"operation":"create"}}"#;
        assert_eq!(of(Service::Bluesky, post).as_deref(), Some("create"));
        assert_eq!(of(Service::Bluesky, r#"{"kind":"account"}"#), None);
        for value in ["{}", r#"{"type":null}"#, r#"{"type":""}"#] {
            assert_eq!(of(Service::Wikipedia, value), None, "{value}");
        }
    }

    #[test]
    fn what_is_no_event_is_said_to_be_none() {
        assert_eq!(super::of(Service::Bluesky, None), Err("it has no value".to_owned()));
        for value in ["", "{", "[1]", "{\"type\":5}", "{\"type\":\"\u{0}\"}"] {
            let refusal = super::of(Service::Wikipedia, Some(value.as_bytes())).unwrap_err();
            assert!(refusal.starts_with("its JSON cannot be read"), "{refusal}");
        }
    }
}
