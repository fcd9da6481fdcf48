//! Everything that touches the disk, in Kafka's own formats.
//!
//! From the bytes up: [`disk`] is the door to the file system; [`batch`], [`compression`] and [`record`] read what
//! producers send; [`log`] keeps a partition's segments; [`checkpoint`] are Kafka's small text files; [`metadata`]
//! keeps what Kafka keeps in its metadata log. Nothing here knows of tokio, requests or sockets.

mod active;
pub mod batch;
pub mod checkpoint;
pub mod compression;
mod crc;
pub mod disk;
mod entry_file;
mod epoch_proof;
mod error;
mod flush;
mod folder;
mod index;
mod leader_epochs;
pub mod log;
pub mod metadata;
mod options;
mod producers;
mod reader;
pub mod record;
mod recovery;
mod scan;
mod segment;
mod time_index;
mod walk;

pub use disk::FileRange;
pub use error::{Error, Refusal, Result};
