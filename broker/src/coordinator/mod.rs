//! Who consumes what: consumer groups and their committed offsets.
//!
//! Everything that is known of a group stands as records in one partition of `__consumer_offsets`, as Kafka writes them
//! ([`record`]). A [`Shard`] holds the groups of one such partition: it decides about requests ([`conversation`]), and its
//! state machine is the [`group`]. What it decides is a value, too: records to append, answers to send.

pub mod conversation;
pub mod group;
mod offsets;
pub mod record;
mod shard;

pub use shard::{Outcome, Rules, Shard};
