//! What is wrong with bytes that are not the message they claim to be.

use std::fmt;

use thiserror::Error;

/// The first place where bytes cannot be what they claim to be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Malformed {
    /// The byte, counted from the start of what was checked.
    pub position: usize,
    /// The path of the field, such as `topics[0].name`; empty where it concerns the whole.
    pub field: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Why {
    /// The value, or its length, reaches beyond the end.
    #[error("takes {needed} bytes, but only {left} are left")]
    Cut {
        /// The bytes that it takes or claims to take.
        needed: u64,
        /// The bytes that are there.
        left: usize,
    },
    /// The elements cannot fit into what is left.
    #[error("claims {count} elements of at least {smallest} bytes each, but only {left} bytes are left")]
    Crowded {
        /// The elements that it claims.
        count: u64,
        /// The bytes that one element takes at least.
        smallest: usize,
        /// The bytes that are there.
        left: usize,
    },
    /// All arrays and tag sections together have too many elements.
    #[error("brings the elements of the message above the limit of {limit}")]
    TooManyElements {
        /// The elements that a message may have.
        limit: usize,
    },
    /// Null in a version that does not allow it.
    #[error("is null, which this version does not allow")]
    Null,
    /// A length below that of null.
    #[error("has the length {0}")]
    NegativeLength(i64),
    /// A string longer than Kafka allows.
    #[error("is a string of {0} bytes, and Kafka's strings end at 32767")]
    LongString(u64),
    /// A varint that does not fit into 32 bits.
    #[error("is a varint of more than 32 bits")]
    LongVarint,
    /// A struct that is neither there nor not.
    #[error("marks a struct with {0}, which means neither present nor null")]
    Presence(i64),
    /// A tagged field in a version that does not have it.
    #[error("has no tag {0} in this version")]
    TagOfAnotherVersion(u32),
    /// A tagged field whose size is not what its value takes.
    #[error("is a tagged field of {declared} bytes by its size, but its value takes {used}")]
    TagSize {
        /// The size that stands before the value.
        declared: usize,
        /// What the value took.
        used: usize,
    },
    /// A request that Kafka does not know.
    #[error("is version {version} of API key {api_key}, which Kafka 4.3 does not know")]
    UnknownRequest {
        /// The API key.
        api_key: i16,
        /// The version.
        version: i16,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "the message" } else { &self.field };
        write!(formatter, "{field}, at byte {}, {}", self.position, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_which_field_is_wrong_and_where_and_why() {
        let malformed =
            Malformed { position: 9, field: "topics[0].name".into(), why: Why::Cut { needed: 200, left: 3 } };
        assert_eq!(malformed.to_string(), "topics[0].name, at byte 9, takes 200 bytes, but only 3 are left");
        let unknown =
            Malformed { position: 0, field: String::new(), why: Why::UnknownRequest { api_key: 3, version: 99 } };
        assert_eq!(
            unknown.to_string(),
            "the message, at byte 0, is version 99 of API key 3, which Kafka 4.3 does not know"
        );
    }
}
