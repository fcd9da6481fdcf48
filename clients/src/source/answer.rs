//! Why there is no stream, or none any more; and what an HTTP status means for the next attempt.

use std::time::{Duration, SystemTime};

use super::address::USER_AGENT_RULE;
use super::backoff::retry_after;
use crate::event::Malformed;
use crate::talk::excerpt;

/// What ended a connection, or kept it from beginning.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another attempt would end the same way.
    Final(String),
    /// A later attempt may work.
    Passing {
        /// What happened.
        sentence: String,
        /// How long the service asked us to stay away.
        wait: Option<Duration>,
    },
    /// The service does not know what to do with the resume token.
    BadToken(String),
    /// An event that the connection cannot get over.
    Poison(Malformed),
    /// The program has no more use for events.
    Unwanted,
}

impl Trouble {
    /// A later attempt may work.
    pub(super) fn passing(sentence: impl Into<String>) -> Trouble {
        Trouble::Passing { sentence: sentence.into(), wait: None }
    }
}

/// What an HTTP answer says that is not the stream.
pub(super) struct Answer<'a> {
    /// Who answered.
    pub(super) place: &'a str,
    /// What was asked for.
    pub(super) path: &'a str,
    /// Its status, and the words for it.
    pub(super) status: u16,
    /// The words for the status.
    pub(super) reason: &'a str,
    /// The header of that name.
    pub(super) retry_after: Option<&'a str>,
    /// The beginning of its text.
    pub(super) body: &'a str,
    /// A resume token was sent.
    pub(super) is_resuming: bool,
}

impl Answer<'_> {
    /// What to do about it.
    pub(super) fn trouble(&self) -> Trouble {
        let Answer { place, path, .. } = self;
        let status = format!("{} {}", self.status, self.reason);
        let status = status.trim();
        let words = match excerpt(self.body) {
            words if words.is_empty() || words.starts_with('<') => String::new(),
            words => format!(", \"{words}\""),
        };
        match self.status {
            400 if self.is_resuming => Trouble::BadToken(format!("{place} answered {status}{words}")),
            403 => Trouble::Final(format!("{place} refuses this client ({status}{words}); {USER_AGENT_RULE}")),
            404 => Trouble::Final(format!("{place} has no stream at {path} ({status}{words}); check --source")),
            429 | 500..=599 => {
                let wait = self.retry_after.and_then(|value| retry_after(value, SystemTime::now()));
                let asked = wait.map_or(String::new(), |wait| format!(" and asks to wait {} s", wait.as_secs()));
                Trouble::Passing { sentence: format!("{place} answered {status}{words}{asked}"), wait }
            }
            200..=299 => Trouble::passing(format!("{place} answered {status} at {path}, but not with events{words}")),
            _ => Trouble::Final(format!("{place} answered {status}{words} at {path}; check --source")),
        }
    }
}

/// The last cause of an error: what the system said.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string().to_lowercase()
}
