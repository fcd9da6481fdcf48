//! Which events a client wants, as it says in the address of its WebSocket or in a message.

use std::collections::HashSet;

use serde::Deserialize;

use super::{Act, Bluesky};

/// The most collections and accounts that a client may name.
const MAX_COLLECTIONS: usize = 100;
const MAX_DIDS: usize = 10_000;

/// Which events a client wants. Empty lists want everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filter {
    collections: Vec<String>,
    dids: HashSet<String>,
    kinds: Vec<String>,
    max_message_bytes: usize,
    /// Whether accounts that were told to be read anew are told of: the newer protocol does.
    pub(crate) has_sync: bool,
}

/// Why a filter is not taken.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// A client's message that changes its filter.
#[derive(Debug, Deserialize)]
struct Message {
    r#type: String,
    payload: Option<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    wanted_collections: Vec<String>,
    wanted_dids: Vec<String>,
    max_message_size_bytes: i64,
}

/// What a client's message means.
#[derive(Debug, PartialEq)]
pub(crate) enum Update {
    /// Nothing that is known here.
    Unknown,
    /// From now on this is wanted.
    Filter(Filter),
}

/// Why a client's message ends the connection.
#[derive(Debug, PartialEq)]
pub(crate) enum Offence {
    /// It cannot be read: close code 1007.
    Malformed(String),
    /// It can be read, but not meant: close code 1008.
    Invalid(String),
}

impl Filter {
    /// The filter of the older protocol.
    pub(crate) fn wanted(
        collections: Vec<String>,
        dids: Vec<String>,
        max_message_bytes: i64,
    ) -> Result<Filter, Refused> {
        check(&collections, &dids)?;
        let max_message_bytes = usize::try_from(max_message_bytes).unwrap_or(0);
        Ok(Filter { collections, dids: dids.into_iter().collect(), max_message_bytes, ..Filter::default() })
    }

    /// The filter of the newer protocol.
    pub(crate) fn of_v2(kinds: Vec<String>, collections: Vec<String>, dids: Vec<String>) -> Result<Filter, Refused> {
        check(&collections, &dids)?;
        if let Some(kind) =
            kinds.iter().find(|kind| !["commit", "identity", "account", "sync"].contains(&kind.as_str()))
        {
            return Err(Refused(format!("'{kind}' is no kind: commit, identity, account, sync")));
        }
        Ok(Filter { collections, dids: dids.into_iter().collect(), kinds, has_sync: true, ..Filter::default() })
    }

    /// The filter that a message asks for.
    pub(crate) fn updated(message: &[u8]) -> Result<Update, Offence> {
        let message: Message =
            serde_json::from_slice(message).map_err(|error| Offence::Malformed(error.to_string()))?;
        if message.r#type != "options_update" {
            return Ok(Update::Unknown);
        }
        let payload = message.payload.unwrap_or_default();
        let options: Options =
            serde_json::from_value(payload).map_err(|error| Offence::Malformed(error.to_string()))?;
        let filter = Filter::wanted(options.wanted_collections, options.wanted_dids, options.max_message_size_bytes);
        filter.map(Update::Filter).map_err(|refused| Offence::Invalid(refused.to_string()))
    }

    /// Whether an event is wanted. What an account does as a whole is wanted whatever the collections.
    pub(crate) fn admits(&self, world: &Bluesky, number: u64) -> bool {
        let act = world.act(number);
        if act == Act::Sync && !self.has_sync
            || !self.kinds.is_empty() && !self.kinds.iter().any(|kind| kind == act.kind())
        {
            return false;
        }
        let collection = act.commit().map(|(collection, _)| collection.name());
        let is_collected = collection.is_none_or(|name| self.collections.is_empty() || self.collects(name));
        is_collected && (self.dids.is_empty() || self.dids.contains(&world.did(number)))
    }

    /// Whether a message of this size is wanted.
    pub(crate) fn fits(&self, message: &str) -> bool {
        self.max_message_bytes == 0 || message.len() <= self.max_message_bytes
    }

    /// The filter in words, the same for the same filter.
    pub(crate) fn describe(&self) -> String {
        let mut parts: Vec<String> = self.collections.iter().map(|name| format!("wantedCollections={name}")).collect();
        parts.extend(self.kinds.iter().map(|kind| format!("kinds={kind}")));
        parts.sort();
        let mut dids: Vec<&String> = self.dids.iter().collect();
        dids.sort();
        parts.extend(dids.into_iter().map(|did| format!("wantedDids={did}")));
        if self.max_message_bytes > 0 {
            parts.push(format!("maxMessageSizeBytes={}", self.max_message_bytes));
        }
        if self.has_sync {
            parts.push("v2".to_owned());
        }
        parts.join("&")
    }

    fn collects(&self, name: &str) -> bool {
        self.collections.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => wanted == name,
        })
    }
}

fn check(collections: &[String], dids: &[String]) -> Result<(), Refused> {
    let refuse = |sentence: String| Err(Refused(sentence));
    if collections.len() > MAX_COLLECTIONS {
        return refuse(format!("{} collections are wanted, and {MAX_COLLECTIONS} is the most", collections.len()));
    }
    if dids.len() > MAX_DIDS {
        return refuse(format!("{} accounts are wanted, and {MAX_DIDS} is the most", dids.len()));
    }
    if let Some(name) = collections.iter().find(|name| !is_collection(name)) {
        return refuse(format!("'{name}' is no collection: app.bsky.feed.post, for example, or app.bsky.graph.*"));
    }
    match dids.iter().find(|did| !did.starts_with("did:") || did.split(':').count() < 3 || did.ends_with(':')) {
        Some(did) => refuse(format!("'{did}' is no DID: did:plc:, for example, and 24 letters")),
        None => Ok(()),
    }
}

/// At least three segments with dots between, the last of which may be a star.
fn is_collection(name: &str) -> bool {
    let segments: Vec<&str> = name.split('.').collect();
    let (last, first) = segments.split_last().expect("a split has at least one part");
    let is_segment = |segment: &&str| {
        !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    first.iter().all(is_segment)
        && if *last == "*" { !first.is_empty() } else { segments.len() >= 3 && is_segment(last) }
}
