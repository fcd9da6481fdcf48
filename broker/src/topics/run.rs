//! The number of this start of the broker, from which leader epochs are made.
//!
//! No two starts may write under the same number, so it is on the disk before the first record is. A full disk may have no
//! room for it; what is there is served all the same, and whoever wants to write first tries again.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::storage::metadata::{METADATA_FILE, Metadata};
use crate::storage::{Error, Result};

/// The number of this start, and whether the metadata tells of it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) number: i64,
    /// Partitions may outlive their data folder, and must not keep its metadata file open.
    metadata: Weak<Metadata>,
    is_counted: AtomicBool,
    turn: Mutex<()>,
}

impl Run {
    /// The first start, which a new metadata file counts from the beginning.
    pub(super) fn first(metadata: &Arc<Metadata>) -> Run {
        Run { number: 0, metadata: Arc::downgrade(metadata), is_counted: AtomicBool::new(true), turn: Mutex::default() }
    }

    /// A start with a metadata file that was there before.
    pub(super) fn begin(metadata: &Arc<Metadata>) -> Result<Run> {
        let first = Run::first(metadata);
        match metadata.begin_run() {
            Ok(number) => Ok(Run { number, ..first }),
            Err(error) if error.is_out_of_room() => {
                tracing::warn!("{error}; what is there is served, and nothing can be written until there is room");
                Ok(Run { number: metadata.next_run()?, is_counted: AtomicBool::new(false), ..first })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the metadata tells of it.
    pub(super) fn is_counted(&self) -> bool {
        self.is_counted.load(Ordering::Acquire)
    }

    /// Must come before anything is written under the number. Blocks, if the disk was full at the start.
    pub(super) fn count(&self) -> Result<()> {
        if self.is_counted() {
            return Ok(());
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_counted() {
            let Some(metadata) = self.metadata.upgrade() else {
                let closed = std::io::Error::other("the data folder was closed");
                return Err(Error::io("count a start in", Path::new(METADATA_FILE))(closed));
            };
            metadata.begin_run()?;
            self.is_counted.store(true, Ordering::Release);
        }
        Ok(())
    }
}
