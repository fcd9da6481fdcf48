//! Why an operation on topics, or on the settings that bear on them, does not happen.

use crate::config::AlterationError;
use crate::names::TopicName;

/// Why a topic is not created, altered, extended, deleted or put elsewhere; the sentences are Kafka's.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// INVALID_TOPIC_EXCEPTION (17).
    #[error("{0}")]
    InvalidName(String),
    /// TOPIC_ALREADY_EXISTS (36).
    #[error("Topic '{0}' already exists.")]
    Exists(TopicName),
    /// INVALID_PARTITIONS (37).
    #[error("{0}")]
    InvalidPartitions(String),
    /// INVALID_REPLICATION_FACTOR (38).
    #[error("{0}")]
    InvalidReplicationFactor(String),
    /// INVALID_REPLICA_ASSIGNMENT (39).
    #[error("{0}")]
    InvalidReplicaAssignment(String),
    /// INVALID_CONFIG (40).
    #[error("{0}")]
    InvalidConfig(String),
    /// INVALID_REQUEST (42).
    #[error("{0}")]
    InvalidRequest(String),
    /// UNKNOWN_TOPIC_OR_PARTITION (3).
    #[error("This server does not host this topic-partition.")]
    Unknown,
    /// The same, where Kafka names the topic.
    #[error("The topic '{0}' does not exist.")]
    NoSuchTopic(String),
    /// UNKNOWN_TOPIC_ID (100).
    #[error("This server does not host this topic ID.")]
    UnknownId,
    /// UNKNOWN_TOPIC_OR_PARTITION (3), where Kafka says more.
    #[error("{0}")]
    NotFound(String),
    /// ELECTION_NOT_NEEDED (84).
    #[error("Leader election not needed for topic partition.")]
    ElectionNotNeeded,
    /// NO_REASSIGNMENT_IN_PROGRESS (85).
    #[error("No partition reassignment is in progress.")]
    NoReassignment,
    /// REPLICA_NOT_AVAILABLE (9).
    #[error("The replica is not available for the requested topic-partition.")]
    NoReplica,
    /// LOG_DIR_NOT_FOUND (57).
    #[error("The user-specified log directory is not found in the broker config.")]
    NoSuchLogDir,
    /// TOPIC_DELETION_DISABLED (73).
    #[error("Topic deletion is disabled.")]
    DeletionDisabled,
    /// The disk failed: KAFKA_STORAGE_ERROR (56).
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
}

impl From<AlterationError> for TopicError {
    fn from(error: AlterationError) -> TopicError {
        match error {
            AlterationError::InvalidConfig(sentence) => TopicError::InvalidConfig(sentence),
            AlterationError::InvalidRequest(sentence) => TopicError::InvalidRequest(sentence),
        }
    }
}
