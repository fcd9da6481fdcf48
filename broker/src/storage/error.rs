//! What can go wrong below the topics: the world failed, or what was sent must be refused.

use std::io;
use std::path::{Path, PathBuf};

/// The result of an operation on the disk or on bytes that a client sent.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation on the log did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Bytes on disk are not what was written there.
    #[error("{} is damaged at byte {position}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first byte of the damage.
        position: u64,
        /// What was found instead of what.
        what: String,
    },
    /// An earlier fsync failed, so nothing more may be acknowledged until a restart.
    #[error("{} takes no more writes until the broker restarts: {why}", path.display())]
    Poisoned {
        /// The partition's folder.
        path: PathBuf,
        /// The failure that closed it.
        why: String,
    },
    /// The offset lies outside the log.
    #[error("offset {offset} is outside {start}..={end}")]
    OffsetOutOfRange {
        /// The offset that was asked for.
        offset: i64,
        /// The log start offset.
        start: i64,
        /// The log end offset.
        end: i64,
    },
    /// The partition was deleted while someone held on to it: UNKNOWN_TOPIC_OR_PARTITION (3).
    #[error("{partition} was deleted")]
    Deleted {
        /// The partition, `topic-0`.
        partition: String,
    },
    /// What the client sent may not be appended.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Error {
    /// True when the world failed rather than the request: the log line belongs to the operator, not to the client.
    pub fn is_fault(&self) -> bool {
        matches!(self, Error::Io { .. } | Error::Damaged { .. } | Error::Poisoned { .. })
    }

    /// True when the process, or the system, has no descriptor left for another open file.
    pub fn is_out_of_descriptors(&self) -> bool {
        use rustix::io::Errno;
        let Error::Io { source, .. } = self else { return false };
        [Errno::MFILE, Errno::NFILE].iter().any(|errno| source.raw_os_error() == Some(errno.raw_os_error()))
    }

    /// True when somebody else's file or folder was to be used.
    pub fn is_permission_denied(&self) -> bool {
        matches!(self, Error::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// True when the disk, or a limit that somebody set, has no room for what was to be written: later it may have.
    pub fn is_out_of_room(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self, Error::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }

    /// Wraps an operating-system error with what was tried, and where.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }
}

/// Why a record batch is refused; each has its Kafka error code in `handlers/errors.rs`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Bytes that begin like no batch of any version: CORRUPT_MESSAGE (2). Kafka fails the whole request for it.
    #[error("{0}")]
    Malformed(String),
    /// Not exactly one whole batch of magic 2: INVALID_RECORD (87). Found before the partition's log is looked at.
    #[error("{0}")]
    NotOneBatch(String),
    /// The bytes do not match their CRC: CORRUPT_MESSAGE (2).
    #[error("{0}")]
    Corrupt(String),
    /// Larger than `max.message.bytes`, or than a batch's content may be: MESSAGE_TOO_LARGE (10).
    #[error("{0}")]
    TooLarge(String),
    /// A batch that no segment of this topic could hold: RECORD_LIST_TOO_LARGE (18).
    #[error("{0}")]
    LargerThanSegment(String),
    /// A batch that Kafka's rules forbid: INVALID_RECORD (87). `records` names the culprits, where there are any.
    #[error("{message}")]
    Invalid {
        /// What is wrong with the batch, as a sentence.
        message: String,
        /// What is wrong with single records: index in the batch and sentence.
        records: Vec<(i32, String)>,
    },
    /// A timestamp outside the limits of the topic: INVALID_TIMESTAMP (32).
    #[error("One or more records have been rejected due to invalid timestamp")]
    Timestamp {
        /// Index in the batch and sentence, for each record.
        records: Vec<(i32, String)>,
    },
    /// A codec this request version or topic cannot carry: UNSUPPORTED_COMPRESSION_TYPE (76).
    #[error("{0}")]
    UnsupportedCompression(String),
    /// Bytes that do not decompress, or an unknown codec: UNKNOWN_SERVER_ERROR (-1), as Kafka answers.
    #[error("{0}")]
    Undecodable(String),
    /// A sequence number that leaves a gap: OUT_OF_ORDER_SEQUENCE_NUMBER (45).
    #[error("{0}")]
    OutOfOrderSequence(String),
    /// An older producer epoch than the one known: INVALID_PRODUCER_EPOCH (47).
    #[error("{0}")]
    ProducerEpoch(String),
}

impl Refusal {
    /// INVALID_RECORD for the batch as a whole.
    pub fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::Invalid { message: message.into(), records: Vec::new() }
    }

    /// Whether Kafka's answer carries the partition's log start offset; -1 stands there otherwise.
    pub fn knows_log_start(&self) -> bool {
        match self {
            Refusal::Malformed(_)
            | Refusal::NotOneBatch(_)
            | Refusal::Corrupt(_)
            | Refusal::TooLarge(_)
            | Refusal::LargerThanSegment(_)
            | Refusal::UnsupportedCompression(_) => false,
            Refusal::Invalid { .. }
            | Refusal::Timestamp { .. }
            | Refusal::Undecodable(_)
            | Refusal::OutOfOrderSequence(_)
            | Refusal::ProducerEpoch(_) => true,
        }
    }

    /// The `error_message` of Kafka's answer, which has one only for bad records and for bytes that are no batch.
    pub fn message_for_client(&self) -> Option<String> {
        match self {
            Refusal::Malformed(_) | Refusal::Timestamp { .. } => Some(self.to_string()),
            Refusal::Invalid { records, .. } if !records.is_empty() => Some(self.to_string()),
            _ => None,
        }
    }

    /// The `record_errors` of Kafka's answer: index in the batch and sentence.
    pub fn record_errors(&self) -> &[(i32, String)] {
        match self {
            Refusal::Invalid { records, .. } | Refusal::Timestamp { records } => records,
            _ => &[],
        }
    }
}
