//! Producer ids: given out from blocks that are taken from the metadata, one commit for each.
//!
//! Two locks, so that the threads which serve clients never wait for the disk: the block at hand is held for a moment
//! only, the turn to take the next one for as long as the commit lasts, on the blocking pool. What is left of a block is
//! lost at a stop, never given out again.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::DataFolder;
use crate::storage::Result;
use crate::storage::metadata::{Metadata, PRODUCER_ID_BLOCK_SIZE};

/// No cluster gives out this many; a higher id in a log is one that a client made up.
const HIGHEST_PLAUSIBLE: i64 = 1 << 53;

/// Ids that were taken from the metadata but not yet given out.
#[derive(Debug)]
pub(super) struct ProducerIds {
    at_hand: Mutex<Range<i64>>,
    turn: Mutex<()>,
}

impl ProducerIds {
    pub(super) fn new() -> ProducerIds {
        ProducerIds { at_hand: Mutex::new(0..0), turn: Mutex::new(()) }
    }

    fn at_hand(&self) -> MutexGuard<'_, Range<i64>> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out an id, from a new block if need be. Blocks.
    fn take(&self, metadata: &Metadata) -> Result<i64> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever had the turn before may have left enough.
        if let Some(id) = self.at_hand().next() {
            return Ok(id);
        }
        let first = metadata.take_producer_id_block()?;
        *self.at_hand() = first + 1..first + PRODUCER_ID_BLOCK_SIZE;
        Ok(first)
    }
}

impl DataFolder {
    /// A producer id that no one was given before, if one is at hand.
    pub(in crate::topics) fn producer_id_at_hand(&self) -> Option<i64> {
        self.producer_ids.at_hand().next()
    }

    /// A producer id that no one was given before. Blocks.
    pub(in crate::topics) fn take_producer_id(&self) -> Result<i64> {
        self.check_in_place()?;
        self.producer_ids.take(&self.metadata)
    }
}

/// The highest id of those found in a log that may have been given out; -1 if there is none.
pub(super) fn highest_plausible(ids: impl Iterator<Item = i64>) -> i64 {
    ids.filter(|id| *id <= HIGHEST_PLAUSIBLE).max().unwrap_or(-1)
}
