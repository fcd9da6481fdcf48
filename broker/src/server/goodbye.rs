//! Why connections end.

use std::io;

use crate::handlers::Hangup;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Goodbye {
    /// The client closed it, as clients do.
    Left,
    /// The client closed it in the middle of a request.
    LeftInTheMiddle,
    /// Nothing was asked for `connections.max.idle.ms`.
    Idle,
    /// The broker stops.
    Stopping,
    /// What the client sent, or failed to do, was not acceptable: the reason, as a sentence.
    Refused(String),
    /// The socket or a file failed.
    Broken(io::Error),
}

impl Goodbye {
    /// The reason as a sentence.
    pub(super) fn sentence(&self) -> String {
        match self {
            Goodbye::Left => "the client left".into(),
            Goodbye::LeftInTheMiddle => "the client left in the middle of a request".into(),
            Goodbye::Idle => "the client was idle for longer than connections.max.idle.ms".into(),
            Goodbye::Stopping => "the broker stops".into(),
            Goodbye::Refused(why) => why.clone(),
            Goodbye::Broken(failure) => format!("the connection broke: {failure}"),
        }
    }
}

impl From<Hangup> for Goodbye {
    fn from(hangup: Hangup) -> Goodbye {
        Goodbye::Refused(hangup.why)
    }
}

/// Resets and broken pipes are how clients leave in a hurry.
pub(super) fn is_the_clients_doing(failure: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut};
    matches!(failure.kind(), ConnectionReset | BrokenPipe | ConnectionAborted | TimedOut)
}
