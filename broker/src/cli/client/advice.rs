//! Kafka's errors as people meet them: what happened, and what to do next.

use kafka_protocol::ResponseError;

/// The broker's own words if it has any, Kafka's name of the error, and what to do.
pub(super) fn sentence(error: ResponseError, message: Option<&str>) -> String {
    let message = message.map(|message| message.trim().trim_end_matches('.')).filter(|message| !message.is_empty());
    let told = match message {
        Some(message) => format!("{message} ({})", name(error)),
        None => name(error),
    };
    // Our own broker's words on replicas say already what to do.
    let is_advised = message.is_some_and(|message| message.contains("--nodes"));
    match advice(error).filter(|_| !is_advised) {
        Some(advice) => format!("{told}; {advice}"),
        None => told,
    }
}

/// Kafka's name as its documentation writes it: `UNKNOWN_TOPIC_OR_PARTITION`.
pub(super) fn name(error: ResponseError) -> String {
    let camel = error.to_string();
    if matches!(error, ResponseError::Unknown(_)) {
        return camel.to_lowercase();
    }
    let mut name = String::new();
    for (index, character) in camel.chars().enumerate() {
        if character.is_uppercase() && index > 0 {
            name.push('_');
        }
        name.extend(character.to_uppercase());
    }
    name.strip_suffix("_EXCEPTION").map_or(name.clone(), str::to_owned)
}

fn advice(error: ResponseError) -> Option<&'static str> {
    Some(match error {
        ResponseError::UnknownTopicOrPartition | ResponseError::UnknownTopicId => {
            "`cutaway topics list` shows which topics there are"
        }
        ResponseError::TopicAlreadyExists => "add --if-not-exists to let it be",
        ResponseError::InvalidReplicationFactor => {
            "each replica needs a broker of its own: with one broker it is --replication-factor 1, or none given"
        }
        ResponseError::InvalidTopicException => "a name has 1 to 249 letters, digits, dots, hyphens and underscores",
        ResponseError::InvalidConfig => "`cutaway config explain KEY` says what a setting takes",
        ResponseError::TopicAuthorizationFailed
        | ResponseError::GroupAuthorizationFailed
        | ResponseError::TransactionalIdAuthorizationFailed
        | ResponseError::DelegationTokenAuthorizationFailed
        | ResponseError::ClusterAuthorizationFailed => {
            "whoever administers the broker can allow it (an ACL for this user)"
        }
        ResponseError::SaslAuthenticationFailed
        | ResponseError::UnsupportedSaslMechanism
        | ResponseError::IllegalSaslState => "cutaway's commands give no password: use a listener without SASL",
        ResponseError::TopicDeletionDisabled => "the broker's setting delete.topic.enable is false",
        ResponseError::PolicyViolation => "the broker has a policy of its own that forbids it",
        ResponseError::NotEnoughReplicas | ResponseError::NotEnoughReplicasAfterAppend => {
            "fewer replicas are in sync than the topic's min.insync.replicas asks for"
        }
        ResponseError::LeaderNotAvailable | ResponseError::NotLeaderOrFollower => {
            "the partition is changing its leader: try again in a moment"
        }
        ResponseError::KafkaStorageError => "the broker's disk fails: its log says how",
        ResponseError::CorruptMessage => "what is stored there is damaged: the broker's log says where",
        ResponseError::RequestTimedOut => "the broker may be busy: try again in a moment",
        ResponseError::InvalidGroupId => "a group needs a name",
        ResponseError::InvalidSessionTimeout => {
            "the broker's group.min.session.timeout.ms and group.max.session.timeout.ms are the limits of session.timeout.ms"
        }
        ResponseError::InconsistentGroupProtocol => {
            "its members divide partitions in another way than by range, or are no consumers: use a group of your own"
        }
        ResponseError::FencedInstanceId => "another consumer has taken over its group.instance.id",
        ResponseError::GroupMaxSizeReached => "the broker's group.max.size is how many members a group may have",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_kafkas_names() {
        for (code, expected) in [
            (3, "UNKNOWN_TOPIC_OR_PARTITION"),
            (17, "INVALID_TOPIC"),
            (-1, "UNKNOWN_SERVER_ERROR"),
            (29, "TOPIC_AUTHORIZATION_FAILED"),
            (1000, "unknown error code: 1000"),
        ] {
            assert_eq!(name(ResponseError::try_from_code(code).expect("an error")), expected);
        }
    }

    #[test]
    fn the_brokers_words_come_first_and_what_to_do_last() {
        let exists = sentence(ResponseError::TopicAlreadyExists, Some("Topic 'a' already exists."));
        assert_eq!(exists, "Topic 'a' already exists (TOPIC_ALREADY_EXISTS); add --if-not-exists to let it be");
        assert_eq!(sentence(ResponseError::InvalidRequest, Some(" ")), "INVALID_REQUEST");
    }
}
