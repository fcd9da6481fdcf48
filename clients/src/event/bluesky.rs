//! A change of an account's records: the fields of a Jetstream event that the demo looks at.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Event, Malformed, Parsed, compact::compact, fields, identity, text};

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    did: Option<Cow<'a, str>>,
    time_us: Option<i64>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    commit: Option<Commit<'a>>,
}

#[derive(Deserialize)]
struct Commit<'a> {
    #[serde(borrow)]
    rev: Option<Cow<'a, str>>,
    #[serde(borrow)]
    operation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    rkey: Option<Cow<'a, str>>,
}

/// Reads one event. Its time is the token: the source resumes at a time.
///
/// # Errors
/// When it is no event.
pub fn parse(data: Vec<u8>) -> Result<Parsed, Malformed> {
    let change: Change<'_> = fields(text(&data)?)?;
    // Events of these two kinds come whatever collections were asked for, and have no `commit`.
    match change.kind.as_deref() {
        Some("commit") => {}
        Some("identity") => return Ok(Parsed::Skipped { name: "identity", place: None }),
        Some("account") => return Ok(Parsed::Skipped { name: "account", place: None }),
        Some(_) => return Ok(Parsed::Skipped { name: "other", place: None }),
        None => return Err(Malformed::missing("`kind`")),
    }
    let did = change.did.ok_or_else(|| Malformed::missing("`did`"))?;
    let time_us = change.time_us.ok_or_else(|| Malformed::missing("`time_us`"))?;
    let commit = change.commit.ok_or_else(|| Malformed::missing("`commit`"))?;
    let rev = commit.rev.ok_or_else(|| Malformed::missing("`commit.rev`"))?;
    let rkey = commit.rkey.ok_or_else(|| Malformed::missing("`commit.rkey`"))?;
    let identity = identity((&*did, &*rev, &*rkey, commit.operation.as_deref()));
    let (key, kind) = (Some(rev.into()), commit.operation.map(Box::from));
    let token = Some(time_us.to_string().into());
    Ok(Parsed::Event(Box::new(Event { key, kind, identity, token, place: None, value: compact(data) })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Parsed, String> {
        super::parse(json.as_bytes().to_vec()).map_err(|error| error.to_string())
    }

    fn commit(did: &str, operation: &str) -> String {
        format!(
            r#"{{"did":"{did}","time_us":1763769600123456,"kind":"commit","commit":{{"rev":"3m6","operation":"{operation}","collection":"c","rkey":"3m5"}}}}"#
        )
    }

    fn event(json: &str) -> Event {
        match parse(json) {
            Ok(Parsed::Event(event)) => *event,
            other => panic!("{json} gave {other:?}"),
        }
    }

    #[test]
    fn the_rev_is_the_key_and_the_time_is_the_token() {
        let create = event(&commit("a", "create"));
        assert_eq!(create.key.as_deref(), Some("3m6"));
        assert_eq!(create.kind.as_deref(), Some("create"));
        assert_eq!(create.token.as_deref(), Some("1763769600123456"));
    }

    #[test]
    fn four_fields_together_tell_events_apart() {
        let create = event(&commit("a", "create"));
        let again = event(&commit("a", "create").replace("1763769600123456", "1763769600999999"));
        assert_eq!(create.identity, again.identity);
        for other in [commit("b", "create"), commit("a", "delete"), commit("a", "create").replace("3m5", "3m7")] {
            assert_ne!(create.identity, event(&other).identity, "{other}");
        }
    }

    #[test]
    fn kinds_without_a_commit_are_counted_apart() {
        for (kind, counted) in [("identity", "identity"), ("account", "account"), ("sync", "other")] {
            let parsed = parse(&format!(r#"{{"did":"d","time_us":1,"kind":"{kind}","{kind}":{{}}}}"#));
            assert!(matches!(parsed, Ok(Parsed::Skipped { name, .. }) if name == counted), "{parsed:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(parse(r#"{"did":"d"}"#).unwrap_err(), "it has no `kind`");
        assert_eq!(parse(r#"{"did":"d","time_us":1,"kind":"commit"}"#).unwrap_err(), "it has no `commit`");
        let no_rev = commit("a", "create").replace("\"rev\":\"3m6\",", "");
        assert_eq!(parse(&no_rev).unwrap_err(), "it has no `commit.rev`");
    }
}
