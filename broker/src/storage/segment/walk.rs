//! Walks through a segment, past its damage, to a batch or to all of them.
//!
//! A walk knows the damage that was found before, and finds out about more.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::scan::{Depth, Located, Scanner, Step};
use super::{Damage, Published, Segment};
use crate::storage::batch::crc_of;
use crate::storage::producers::Producers;
use crate::storage::transactions::{Aborted, Marker};
use crate::storage::{Error, Result};

impl Segment {
    /// The batch that contains `offset`, or the first one after it.
    ///
    /// Headers alone show *that* something is wrong, not which batch it is (a wrong last offset is noticed one batch
    /// later), so a walk that meets trouble is repeated with CRCs.
    pub(in crate::storage) fn locate(&self, offset: i64) -> Result<Option<Located>> {
        let Published { size, next_offset } = self.published();
        if offset >= next_offset {
            return Ok(None);
        }
        let (start, due) = match self.recent_batch(offset) {
            Some(position) => (position, Some(offset)),
            None => self.start_before(offset, size)?,
        };
        for depth in [Depth::Headers, Depth::Crc] {
            let mut walk = self.walk(Scanner::new(&self.log, start, size, due, self.rules, depth));
            loop {
                match walk.step()? {
                    Stop::Batch(found) if found.header.last_offset() >= offset => return Ok(Some(found)),
                    Stop::Batch(_) => {}
                    Stop::Damage(damage) if offset < damage.offsets.end => return Err(self.damaged(&damage)),
                    Stop::Damage(_) => {}
                    Stop::End => return self.end_of_walk(offset),
                    Stop::Unclear => break,
                }
            }
        }
        unreachable!("a walk with CRCs is never unclear")
    }

    /// Lost offsets need not leave any bytes behind: a walk that finds nothing may have passed over them.
    fn end_of_walk(&self, offset: i64) -> Result<Option<Located>> {
        match self.damage().iter().find(|damage| damage.offsets.contains(&offset)) {
            Some(damage) => Err(self.damaged(damage)),
            None => Ok(None),
        }
    }

    /// Shows every good batch that ends at or after `offset`, CRCs checked, until `show` has seen enough.
    pub(in crate::storage) fn visit(
        &self,
        offset: i64,
        mut show: impl FnMut(&Located) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let Published { size, .. } = self.published();
        let (start, due) = self.start_before(offset, size)?;
        let mut walk = self.walk(Scanner::new(&self.log, start, size, due, self.rules, Depth::Crc));
        loop {
            match walk.step()? {
                Stop::Batch(found) if found.header.last_offset() >= offset => {
                    if show(&found)?.is_break() {
                        return Ok(());
                    }
                }
                Stop::Batch(_) | Stop::Damage(_) => {}
                Stop::End | Stop::Unclear => return Ok(()),
            }
        }
    }

    /// The transactions that were aborted in this segment, where `before` is what was known of producers at its beginning.
    /// What a damaged marker said is taken from the index.
    pub(in crate::storage) fn aborted(&self, before: &Producers, index: &[Aborted]) -> Result<Vec<Aborted>> {
        let size = self.published().size;
        for depth in [Depth::Headers, Depth::Crc] {
            let (mut producers, mut aborted) = (before.clone(), Vec::new());
            let mut walk = self.walk(Scanner::new(&self.log, 0, size, Some(self.base_offset), self.rules, depth));
            loop {
                match walk.step()? {
                    Stop::Batch(found) => {
                        let marker = self.marker(&found)?.or_else(|| noted(&found, index));
                        aborted.extend(producers.remember(&found.header, marker));
                    }
                    Stop::Damage(_) => {}
                    Stop::End => return self.with_lost(aborted, index),
                    Stop::Unclear => break,
                }
            }
        }
        unreachable!("a walk with CRCs is never unclear")
    }

    /// Adds what the index tells of markers that cannot be read any more.
    pub(in crate::storage) fn with_lost(&self, mut found: Vec<Aborted>, index: &[Aborted]) -> Result<Vec<Aborted>> {
        for one in index {
            let is_known = found.iter().any(|other| other.last_offset == one.last_offset);
            if !is_known && self.is_damaged_at(one.last_offset)? {
                found.push(*one);
            }
        }
        found.sort_by_key(|one| one.last_offset);
        Ok(found)
    }

    fn is_damaged_at(&self, offset: i64) -> Result<bool> {
        match self.locate(offset) {
            Ok(Some(batch)) if batch.header.base_offset <= offset => {
                Ok(crc_of(&self.bytes_of(&batch)?) != batch.header.crc)
            }
            Ok(_) => Ok(false),
            Err(Error::Damaged { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// What a batch says as a marker, if it is one.
    pub(in crate::storage) fn marker(&self, batch: &Located) -> Result<Option<Marker>> {
        if !batch.header.is_control() {
            return Ok(None);
        }
        Ok(Marker::of(&self.bytes_of(batch)?))
    }

    /// One batch, read from the file.
    pub(in crate::storage) fn bytes_of(&self, batch: &Located) -> Result<Bytes> {
        let mut bytes = vec![0; usize::try_from(batch.end() - batch.position).expect("a batch fits into memory")];
        let filled = self.log.read_at(batch.position, &mut bytes)?;
        if filled < bytes.len() {
            let what = "the file ends inside a batch".into();
            return Err(Error::Damaged { path: self.log.path().to_owned(), position: batch.position, what });
        }
        Ok(Bytes::from(bytes))
    }

    fn walk<'s>(&'s self, scanner: Scanner<'s>) -> Walk<'s> {
        Walk { segment: self, scanner }
    }
}

/// What the index says of a control batch whose record cannot be read.
fn noted(batch: &Located, index: &[Aborted]) -> Option<Marker> {
    let (producer_id, last_offset) = (batch.header.producer_id, batch.header.last_offset());
    let is_it = |one: &&Aborted| one.producer_id == producer_id && one.last_offset == last_offset;
    batch.header.is_control().then(|| index.iter().find(is_it))?.map(|_| Marker::LOST)
}

/// A walk over a segment's batches that knows its damage, and finds out about more.
struct Walk<'s> {
    segment: &'s Segment,
    scanner: Scanner<'s>,
}

/// What a [`Walk`] met.
enum Stop {
    /// A good batch, as far as the walk looks.
    Batch(Located),
    /// Damage; the walk goes on behind it.
    Damage(Damage),
    /// Something is wrong, but headers alone do not tell which batch it is.
    Unclear,
    End,
}

impl Walk<'_> {
    fn step(&mut self) -> Result<Stop> {
        let position = self.scanner.position();
        if let Some(known) = self.segment.damage().iter().find(|damage| damage.bytes.contains(&position)) {
            self.scanner.jump(known.bytes.end, known.offsets.end);
            return Ok(Stop::Damage(known.clone()));
        }
        match self.segment.step(&mut self.scanner)? {
            Step::Batch(found) => Ok(Stop::Batch(found)),
            Step::End => Ok(Stop::End),
            Step::Bad(_) if self.scanner.depth() == Depth::Headers => Ok(Stop::Unclear),
            Step::Bad(why) => {
                let due = self.scanner.due_offset().unwrap_or(self.segment.base_offset);
                let damage = self.segment.diagnose(position, due, why)?;
                self.scanner.jump(damage.bytes.end, damage.offsets.end);
                Ok(Stop::Damage(damage))
            }
        }
    }
}
