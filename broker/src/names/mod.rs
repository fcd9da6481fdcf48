//! Names that cannot be wrong: parsed once at the edge, then trusted.
//!
//! [`TopicName`] and [`TopicPartition`] say where records live, [`TopicId`] tells a topic from its namesakes before
//! and after, [`GroupId`] says who reads them together, [`Principal`] who asks. Each owns its bytes: a name kept from a request does not pin the frame
//! that it came in.

mod brief;
mod group;
mod principal;
mod topic;

pub use brief::brief;
pub use group::GroupId;
pub use principal::Principal;
pub use topic::{InvalidTopicName, TopicId, TopicName, TopicPartition};
