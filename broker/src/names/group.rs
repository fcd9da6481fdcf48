//! Names of consumer groups.

use std::fmt;
use std::sync::Arc;

/// A group id. Kafka takes any text; where it must not be empty, whoever is asked says so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(Arc<str>);

impl GroupId {
    /// The id with this text, in bytes of its own.
    pub fn new(text: &str) -> GroupId {
        GroupId(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
