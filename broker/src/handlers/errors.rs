//! What failures are called on the wire: the only place that knows both our errors and Kafka's codes.

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tracing::error;

use crate::journal::PROVOKED;
use crate::storage::{Error, Refusal};
use crate::topics::TopicError;

/// Kafka's sentence for every INVALID_REQUEST that has none of its own.
pub(super) const MALFORMED: &str = "This most likely occurs because of a request being malformed by the client library or the \
                         message was sent to an incompatible broker. See the broker logs for more details.";

/// The code of a failure in storage. A fault is logged here, where it becomes an answer; but damage was reported when
/// it was found, and a consumer may ask for it again and again.
pub(super) fn storage_code(failure: &Error) -> ResponseError {
    if failure.is_fault() && !matches!(failure, Error::Damaged { .. }) {
        error!(target: PROVOKED, "{failure}");
    }
    match failure {
        Error::OffsetOutOfRange { .. } => ResponseError::OffsetOutOfRange,
        Error::Refused(refusal) => refusal_code(refusal),
        // A consumer that is told so stops and can seek; on a storage error it would ask for ever.
        Error::Damaged { .. } => ResponseError::CorruptMessage,
        Error::Deleted { .. } => ResponseError::UnknownTopicOrPartition,
        _ => ResponseError::KafkaStorageError,
    }
}

/// The code of a refused batch.
pub(super) fn refusal_code(refusal: &Refusal) -> ResponseError {
    match refusal {
        Refusal::Malformed(_) | Refusal::Corrupt(_) => ResponseError::CorruptMessage,
        Refusal::NotOneBatch(_) | Refusal::Invalid { .. } => ResponseError::InvalidRecord,
        Refusal::TooLarge(_) => ResponseError::MessageTooLarge,
        Refusal::LargerThanSegment(_) => ResponseError::RecordListTooLarge,
        Refusal::Timestamp { .. } => ResponseError::InvalidTimestamp,
        Refusal::UnsupportedCompression(_) => ResponseError::UnsupportedCompressionType,
        Refusal::Undecodable(_) => ResponseError::UnknownServerError,
        Refusal::OutOfOrderSequence(_) => ResponseError::OutOfOrderSequenceNumber,
        Refusal::ProducerEpoch(_) => ResponseError::InvalidProducerEpoch,
    }
}

/// What is said to it where Kafka leaves out sentences that say no more than the code does.
pub(super) fn topic_sentence(failure: &TopicError) -> Option<StrBytes> {
    match failure {
        TopicError::Unknown | TopicError::NoReassignment => None,
        other => Some(StrBytes::from_string(other.to_string())),
    }
}

/// The code of an operation on topics that did not happen.
pub(super) fn topic_code(failure: &TopicError) -> ResponseError {
    match failure {
        TopicError::InvalidName(_) => ResponseError::InvalidTopicException,
        TopicError::Exists(_) => ResponseError::TopicAlreadyExists,
        TopicError::InvalidPartitions(_) => ResponseError::InvalidPartitions,
        TopicError::InvalidReplicationFactor(_) => ResponseError::InvalidReplicationFactor,
        TopicError::InvalidReplicaAssignment(_) => ResponseError::InvalidReplicaAssignment,
        TopicError::InvalidConfig(_) => ResponseError::InvalidConfig,
        TopicError::InvalidRequest(_) => ResponseError::InvalidRequest,
        TopicError::Unknown | TopicError::NotFound(_) | TopicError::NoSuchTopic(_) => {
            ResponseError::UnknownTopicOrPartition
        }
        TopicError::ElectionNotNeeded => ResponseError::ElectionNotNeeded,
        TopicError::NoReassignment => ResponseError::NoReassignmentInProgress,
        TopicError::NoReplica => ResponseError::ReplicaNotAvailable,
        TopicError::NoSuchLogDir => ResponseError::LogDirNotFound,
        TopicError::UnknownId => ResponseError::UnknownTopicId,
        TopicError::DeletionDisabled => ResponseError::TopicDeletionDisabled,
        TopicError::Storage(failure) => storage_code(failure),
    }
}
