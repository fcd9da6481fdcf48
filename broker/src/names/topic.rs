//! Topic names, partitions and topic ids.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// A legal topic name: 1 to 249 characters of `[a-zA-Z0-9._-]`, neither `.` nor `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(Arc<str>);

/// Why a text is not a topic name, in the words of Kafka's `Topic.validate`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Topic name is invalid: {0}")]
pub struct InvalidTopicName(String);

impl TopicName {
    /// The bytes of the longest name, as in Kafka's `Topic.MAX_NAME_LENGTH`.
    pub const MAX_LENGTH: usize = 249;

    /// The topic in which groups and their offsets are kept.
    pub fn consumer_offsets() -> TopicName {
        TopicName("__consumer_offsets".into())
    }

    /// Checks a text by Kafka's rules.
    pub fn parse(text: &str) -> Result<TopicName, InvalidTopicName> {
        let refuse = |why: String| Err(InvalidTopicName(why));
        if text.is_empty() {
            return refuse("the empty string is not allowed".into());
        }
        if text == "." || text == ".." {
            return refuse(format!("'{text}' is not allowed"));
        }
        let limit = TopicName::MAX_LENGTH;
        if text.len() > limit {
            return refuse(format!("the length of '{text}' is longer than the max allowed length {limit}"));
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return refuse(format!(
                "'{text}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
            ));
        }
        Ok(TopicName(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Kafka's own topics, which clients may not write to.
    pub fn is_internal(&self) -> bool {
        matches!(self.as_str(), "__consumer_offsets" | "__transaction_state" | "__share_group_state")
    }

    /// Whether two names would collide in metric names, where `.` and `_` are the same.
    pub fn collides_with(&self, other: &TopicName) -> bool {
        self != other && self.0.replace('.', "_") == other.0.replace('.', "_")
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One partition of one topic; displayed as its folder is named, `topic-0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// The number of the partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Reads a folder's name, `topic-0`; `None` if it is not one that a partition can have.
    pub fn from_folder_name(name: &str) -> Option<TopicPartition> {
        let (topic, number) = name.rsplit_once('-')?;
        let partition: i32 = number.parse().ok()?;
        let parsed = TopicPartition { topic: TopicName::parse(topic).ok()?, partition };
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// What tells a topic from its namesakes before and after it (KIP-516); printed as 22 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(Uuid);

impl TopicId {
    /// A new random id: never one of the two that Kafka reserves, never one whose text begins with `-`.
    pub fn random() -> TopicId {
        loop {
            let id = TopicId(Uuid::new_v4());
            if id.0.as_u128() > 1 && !id.to_string().starts_with('-') {
                return id;
            }
        }
    }

    /// The id with these bytes; `None` for the all-zero id, which means "no id" on the wire.
    pub fn from_uuid(uuid: Uuid) -> Option<TopicId> {
        (!uuid.is_nil()).then_some(TopicId(uuid))
    }

    /// The id on the wire.
    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<TopicId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        TopicId::from_uuid(Uuid::from_bytes(bytes.try_into().ok()?))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rules() {
        for good in ["a", "A-b_c.9", &"x".repeat(249)] {
            assert!(TopicName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a\0b", "é", &"x".repeat(250)] {
            assert!(TopicName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn folder_names_round_trip() {
        let parsed = TopicPartition::from_folder_name("my-topic-12").expect("a folder name");
        assert_eq!((parsed.topic.as_str(), parsed.partition), ("my-topic", 12));
        for other in ["my-topic", "t-01", "t-+1", "t-0.f24030a45ceb4804ab2dc03551eb1c56-delete", "-1"] {
            assert_eq!(TopicPartition::from_folder_name(other), None, "{other}");
        }
    }

    #[test]
    fn topic_ids_print_as_kafka_prints_them() {
        let id = TopicId::random();
        assert_eq!(id.to_string().len(), 22);
        assert_eq!(TopicId::parse(&id.to_string()), Some(id));
        assert_eq!(TopicId::parse("AAAAAAAAAAAAAAAAAAAAAA"), None);
    }
}
