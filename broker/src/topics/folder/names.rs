//! Names of folders that are no longer, or not quite, a partition's.

use uuid::Uuid;

use crate::names::TopicPartition;

/// The longest name that a folder can have.
const MAX_FOLDER_NAME_BYTES: usize = 255;
const DELETED: &str = "-delete";

/// The name that a deleted partition's folder gets, `topic-0.<32 hex>-delete`. As in Kafka a long topic name is cut to
/// fit; the hexadecimal number tells namesakes apart.
pub(super) fn deleted_folder_name(id: &TopicPartition) -> String {
    let suffix = format!("-{}.{}{DELETED}", id.partition, Uuid::new_v4().simple());
    let topic = id.topic.as_str();
    // Topic names are ASCII, so any length is a character boundary.
    let kept = topic.len().min(MAX_FOLDER_NAME_BYTES - suffix.len());
    format!("{}{suffix}", &topic[..kept])
}

/// Whether a folder was a partition's before that was deleted.
pub(super) fn is_deleted_folder_name(name: &str) -> bool {
    let Some((partition, number)) = name.strip_suffix(DELETED).and_then(|rest| rest.rsplit_once('.')) else {
        return false;
    };
    let is_hex = number.len() == 32 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex && TopicPartition::from_folder_name(partition).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::TopicName;

    #[test]
    fn deleted_folders_are_recognised_however_long_their_topics_name_is() {
        for length in [1, 100, 249] {
            let topic = TopicName::parse(&"t".repeat(length)).expect("a good name");
            let name = deleted_folder_name(&TopicPartition { topic, partition: 12 });
            assert!(is_deleted_folder_name(&name), "{name}");
            assert!(name.len() <= 255);
        }
        // What a real broker made.
        assert!(is_deleted_folder_name("delme-0.f24030a45ceb4804ab2dc03551eb1c56-delete"));
        for other in ["delme-0", "my-delete", "t-0.xyz-delete", "t.f24030a45ceb4804ab2dc03551eb1c56-delete"] {
            assert!(!is_deleted_folder_name(other), "{other}");
        }
    }
}
