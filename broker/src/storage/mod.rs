//! Everything that touches the disk, in Kafka's own formats.
//!
//! From the bytes up: [`disk`] is the door to the file system; [`batch`], [`compression`] and [`record`] read what
//! producers send; a [`segment`] is a file of batches with its indexes, a [`log`] all segments of a partition, and
//! [`recovery`] opens one; [`producers`], [`transactions`] and [`leader_epochs`] are what a log knows of its
//! records;
//! [`checkpoint`] are Kafka's small text files; [`metadata`] keeps what Kafka keeps in its metadata log. Nothing here knows
//! of tokio, requests or sockets.

pub mod batch;
pub mod checkpoint;
pub mod compression;
mod crc;
pub mod disk;
mod error;
mod leader_epochs;
pub mod log;
pub mod metadata;
mod producers;
pub mod record;
mod recovery;
mod segment;
mod transactions;

pub use disk::FileRange;
pub use error::{Error, Refusal, Result};
