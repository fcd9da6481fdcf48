//! One event, as far as the demos have to understand it.
//!
//! The record is the event's own text; only a few fields are looked at: what becomes the record's key, what is counted, and
//! what tells an event that comes twice. Everything else passes through, known or not.

pub mod bluesky;
pub mod compact;
pub mod gaps;
pub mod seen;
pub mod wikipedia;

use std::hash::{DefaultHasher, Hash, Hasher};

/// An event that becomes a record.
#[derive(Debug)]
pub struct Event {
    /// The record's key; `None` is a null key, which is not the same as an empty one.
    pub key: Option<Box<str>>,
    /// What it is counted by: the type of an edit, the operation on a post.
    pub kind: Option<Box<str>>,
    /// The record's value: compact JSON.
    pub value: Vec<u8>,
    /// Where the source resumes after this event.
    pub token: Option<Box<str>>,
    /// The same for the same event, whenever it comes.
    pub identity: u64,
    /// Its topic and offset at the source, if that says so.
    pub place: Option<(Box<str>, u64)>,
}

/// What became of the text of an event.
#[derive(Debug)]
pub enum Parsed {
    /// It becomes a record.
    Event(Box<Event>),
    /// It is none of those that are wanted, and is counted under this name.
    Skipped {
        /// `canary`, `identity`, `account` or `other`.
        name: &'static str,
        /// Its topic and offset at the source, if that says so.
        place: Option<(Box<str>, u64)>,
    },
}

/// A number for what tells one event from all others.
///
/// 64 bits: among 200 000 events two share a number once in a billion runs.
fn identity(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Why a text is no event.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Not even text.
    #[error("it is not UTF-8 from byte {0} on")]
    NotText(usize),
    /// Not JSON, or a field that is needed is missing or of another type.
    #[error("{0}")]
    NotAnEvent(String),
    /// Larger than is read.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
}

impl Malformed {
    fn missing(field: &str) -> Malformed {
        Malformed::NotAnEvent(format!("it has no {field}"))
    }
}

/// The text of an event.
fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|error| Malformed::NotText(error.valid_up_to()))
}

/// Reads the fields that are looked at.
fn fields<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(text).map_err(|error| Malformed::NotAnEvent(format!("its JSON cannot be read ({error})")))
}
