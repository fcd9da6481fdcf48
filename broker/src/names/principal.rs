//! Who asks: the identity that every operation on topics takes.

use std::fmt;
use std::sync::Arc;

/// A Kafka principal, such as `User:ANONYMOUS`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The identity of a client that did not authenticate.
    pub fn anonymous() -> Principal {
        Principal("User:ANONYMOUS".into())
    }

    /// The broker itself.
    pub fn broker() -> Principal {
        Principal("User:CUTAWAY".into())
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
