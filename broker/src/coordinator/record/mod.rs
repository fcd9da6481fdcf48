//! The records of `__consumer_offsets`, as Kafka writes them: what a group was and what was committed, each under a key of
//! its own. The last record of a key counts; one without a value says that there is nothing any more.
//!
//! Keys and values begin with a number: that of a key says what the record is about, that of a value the version of its
//! fields (Kafka's `OffsetCommitKey`, `OffsetCommitValue`, `GroupMetadataKey`, `GroupMetadataValue`).

mod group_metadata;
mod offset_commit;
mod wire;

use bytes::{BufMut, Bytes};

use crate::names::{GroupId, TopicName};
pub use group_metadata::{GroupRecord, MemberRecord};
pub use offset_commit::CommittedOffset;
use wire::{Reader, put_text};

/// `OffsetCommitKey`; 0 is the same, from before Kafka 0.9.
const OFFSET_KEYS: [i16; 2] = [0, 1];
/// `GroupMetadataKey`.
const GROUP_KEY: i16 = 2;
/// What a record takes in a batch besides its texts and members.
const FIXED_BYTES: usize = 96;
/// No key is flexible.
const NEVER: i16 = i16::MAX;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// What was committed for a partition; `None` for nothing any more.
    Offset {
        /// In whose name.
        group: GroupId,
        /// For which topic.
        topic: TopicName,
        /// For which of its partitions.
        partition: i32,
        /// The commit.
        committed: Option<CommittedOffset>,
    },
    /// What a group is; `None` for one that was deleted.
    Group {
        /// Its id.
        group: GroupId,
        /// What it is.
        metadata: Option<GroupRecord>,
    },
}

/// Why a record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Fields are missing.
    #[error("it ends before all its fields")]
    EndsEarly,
    /// A text that is none.
    #[error("a text is not UTF-8")]
    NotText,
    /// Something is null that may not be.
    #[error("a field is null that may not be")]
    Null,
    /// Another kind of record, or a version from the future.
    #[error("{what} {number} is not known here")]
    Unknown {
        /// Of what.
        what: &'static str,
        /// Its number.
        number: i16,
    },
    /// A topic that cannot be.
    #[error("{0}")]
    Topic(String),
}

impl Record {
    /// The key and the value as they stand in the log.
    pub fn encode(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let mut key = Vec::new();
        match self {
            Record::Offset { group, topic, partition, committed } => {
                key.put_i16(OFFSET_KEYS[1]);
                put_text(&mut key, group.as_str());
                put_text(&mut key, topic.as_str());
                key.put_i32(*partition);
                (key, committed.as_ref().map(CommittedOffset::encode))
            }
            Record::Group { group, metadata } => {
                key.put_i16(GROUP_KEY);
                put_text(&mut key, group.as_str());
                (key, metadata.as_ref().map(GroupRecord::encode))
            }
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When it is damaged, of another kind, or from the future.
    pub fn decode(key: Bytes, value: Option<Bytes>) -> Result<Record, Unreadable> {
        let (kind, mut fields) = Reader::open(key, NEVER)?;
        if !OFFSET_KEYS.contains(&kind) && kind != GROUP_KEY {
            return Err(Unreadable::Unknown { what: "the kind of record", number: kind });
        }
        let group = GroupId::new(&fields.text()?);
        if kind == GROUP_KEY {
            return Ok(Record::Group { group, metadata: value.map(GroupRecord::decode).transpose()? });
        }
        let topic = TopicName::parse(&fields.text()?).map_err(|error| Unreadable::Topic(error.to_string()))?;
        let partition = fields.i32()?;
        Ok(Record::Offset { group, topic, partition, committed: value.map(CommittedOffset::decode).transpose()? })
    }

    /// About how many bytes it takes in a batch; rather too many than too few.
    pub fn size(&self) -> usize {
        match self {
            Record::Offset { group, topic, committed, .. } => Record::size_of_commit(group, topic, committed.as_ref()),
            Record::Group { group, metadata } => {
                FIXED_BYTES + group.as_str().len() + metadata.as_ref().map_or(0, GroupRecord::size)
            }
        }
    }

    /// The same for a commit that is no record yet.
    pub(super) fn size_of_commit(group: &GroupId, topic: &TopicName, committed: Option<&CommittedOffset>) -> usize {
        let metadata = committed.map_or(0, |committed| committed.metadata.len());
        FIXED_BYTES + group.as_str().len() + topic.as_str().len() + metadata
    }

    /// Whose it is.
    pub fn group(&self) -> &GroupId {
        match self {
            Record::Offset { group, .. } | Record::Group { group, .. } => group,
        }
    }
}

#[cfg(test)]
mod tests;
