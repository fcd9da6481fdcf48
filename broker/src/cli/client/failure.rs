//! What can go wrong between a command and a broker, as sentences that say what to do next.

use std::time::Duration;

use kafka_protocol::ResponseError;

use super::advice;

/// Why a request has no answer, or none that helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// Nobody listens.
    #[error("no broker at {address}: {reason}; start one with `cutaway`, or name another with -b HOST:PORT")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// Nobody listens where the broker says that it is.
    #[error(
        "the broker at {bootstrap} says that node {node} is at {address} (advertised.listeners), and that cannot be \
         reached: {reason}; let it advertise an address that this machine can reach"
    )]
    Advertised {
        /// The node's id.
        node: i32,
        /// Where it says it is.
        address: String,
        /// What the system says.
        reason: String,
        /// Where it said so.
        bootstrap: String,
    },
    /// No node has this id.
    #[error("{}; try again in a moment", absent(*node))]
    NoNode {
        /// The id; -1 where nobody leads.
        node: i32,
    },
    /// Somebody else than a Kafka broker answers.
    #[error("{address} {speaker}")]
    Foreign {
        /// Where.
        address: String,
        /// Who.
        speaker: Speaker,
    },
    /// What answers speaks no protocol that is known here.
    #[error("what answers at {address} is no Kafka broker; name another port with -b HOST:PORT (Kafka's is 9092)")]
    NotKafka {
        /// Where.
        address: String,
    },
    /// The connection ended before an answer.
    #[error("{address} closed the connection instead of answering {api}; {}", closed_advice(*is_first))]
    Closed {
        /// Where.
        address: String,
        /// What was asked.
        api: String,
        /// It was the first request of the connection.
        is_first: bool,
    },
    /// No answer came.
    #[error("{address} did not answer {api} in {} s; {}", limit.as_secs(), silent_advice(*is_first))]
    Silent {
        /// Where.
        address: String,
        /// What was asked.
        api: String,
        /// For how long.
        limit: Duration,
        /// It was the first request of the connection.
        is_first: bool,
    },
    /// The broker has no such API.
    #[error("the broker at {address} does not have {api}, which this needs; a newer broker may")]
    Missing {
        /// Where.
        address: String,
        /// The API.
        api: String,
    },
    /// No version is known to both.
    #[error("the broker at {address} speaks {api} in versions {oldest} to {newest} only, which this command does not")]
    NoCommonVersion {
        /// Where.
        address: String,
        /// The API.
        api: String,
        /// The broker's oldest.
        oldest: i16,
        /// The broker's newest.
        newest: i16,
    },
    /// An answer that cannot be read.
    #[error("the answer to {api} cannot be read: {reason}")]
    Malformed {
        /// What was asked.
        api: String,
        /// Where reading ended.
        reason: String,
    },
    /// A request that cannot be written.
    #[error("{api} cannot be asked like this: {reason}")]
    Unsayable {
        /// What was to be asked.
        api: String,
        /// Why not.
        reason: String,
    },
    /// The broker answered with an error code.
    #[error("{what}: {}", advice::sentence(*error, message.as_deref()))]
    Refused {
        /// What did not happen.
        what: String,
        /// Kafka's error.
        error: ResponseError,
        /// The broker's own words.
        message: Option<String>,
    },
}

impl Failure {
    /// An answer that cannot be read.
    pub(crate) fn malformed(api: impl Into<String>, reason: &str) -> Failure {
        Failure::Malformed { api: api.into(), reason: reason.to_owned() }
    }

    /// Whether the connection that it happened on is of no use any more.
    pub(crate) fn ends_connection(&self) -> bool {
        !matches!(
            self,
            Failure::Missing { .. }
                | Failure::NoCommonVersion { .. }
                | Failure::Refused { .. }
                | Failure::Unsayable { .. }
        )
    }

    /// Whether the same may work a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Failure::Refused { error, .. } => error.is_retriable() && *error != ResponseError::CorruptMessage,
            Failure::Unreachable { .. }
            | Failure::Advertised { .. }
            | Failure::NoNode { .. }
            | Failure::Closed { .. }
            | Failure::Silent { .. } => true,
            _ => false,
        }
    }
}

/// Fails when an answer carries an error code.
pub(crate) fn check(what: &str, code: i16, message: Option<&str>) -> Result<(), Failure> {
    match ResponseError::try_from_code(code) {
        None => Ok(()),
        Some(error) => Err(Failure::Refused { what: what.to_owned(), error, message: message.map(str::to_owned) }),
    }
}

/// Who answers on a port that is not a Kafka broker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// HTTP.
    Web,
    /// TLS: perhaps a Kafka broker behind it.
    Tls,
}

impl Speaker {
    /// Guesses by the first bytes of an answer.
    pub(super) fn of(start: &[u8]) -> Option<Speaker> {
        /// An alert, and the major version of every TLS.
        const TLS_ALERT: [u8; 2] = [0x15, 0x03];
        match start {
            _ if start.starts_with(b"HTTP") => Some(Speaker::Web),
            _ if start.starts_with(&TLS_ALERT) => Some(Speaker::Tls),
            _ => None,
        }
    }
}

impl std::fmt::Display for Speaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Speaker::Web => {
                "is a web server, not a Kafka broker; name another port with -b HOST:PORT (Kafka's is 9092)"
            }
            Speaker::Tls => {
                "wants TLS, which cutaway's commands do not speak; name a PLAINTEXT listener of the broker with -b \
                 HOST:PORT"
            }
        })
    }
}

fn absent(node: i32) -> String {
    match node {
        -1 => "a partition has no leader at present".to_owned(),
        _ => format!("node {node} leads a partition, but the cluster does not say where it is"),
    }
}

fn closed_advice(is_first: bool) -> &'static str {
    match is_first {
        true => "is it a Kafka broker's port, and a PLAINTEXT listener (no TLS)?",
        false => "the broker may have stopped, or its listener wants a password (SASL): its log says which",
    }
}

fn silent_advice(is_first: bool) -> &'static str {
    match is_first {
        true => "is it a Kafka broker's port?",
        false => "the broker may be busy: its log may say with what",
    }
}
