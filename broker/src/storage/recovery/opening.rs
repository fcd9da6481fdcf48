//! Which segments there are, and which of them must be scanned before they are believed.

use std::sync::Arc;

use super::folder::offset_of;
use super::{INDEX_EXPECTED_ABOVE_BYTES, Recovery};
use crate::storage::Result;
use crate::storage::leader_epochs::LeaderEpochs;
use crate::storage::log::active::ActiveSegment;
use crate::storage::segment::scan::{Depth, Scanner, Step};
use crate::storage::segment::{Published, SEGMENT_FILES, Segment, segment_file};

impl Recovery<'_> {
    /// Opens every segment; what is sealed is published whole, its contents unread.
    pub(super) fn open_segments(
        &mut self,
        names: &[String],
        epochs: Option<&LeaderEpochs>,
    ) -> Result<Vec<Arc<Segment>>> {
        let epochs = epochs.map_or_else(Arc::default, LeaderEpochs::entries);
        let mut bases: Vec<i64> = names.iter().filter_map(|name| offset_of(name, ".log")).collect();
        bases.sort_unstable();
        self.remove_unused(&mut bases)?;
        if bases.is_empty() {
            let (base, index_bytes) = (self.opening.log_start_offset.max(0), self.options.segment_index_bytes);
            let rules = self.rules.for_segment(base, i64::MAX);
            let segment = Segment::unmade(self.disk, self.dir, base, index_bytes, rules);
            segment.publish(Published { size: 0, next_offset: i64::MAX });
            return Ok(vec![Arc::new(segment)]);
        }
        let mut segments = Vec::with_capacity(bases.len());
        for (index, base) in bases.iter().enumerate() {
            let next_offset = bases.get(index + 1).copied().unwrap_or(i64::MAX);
            let rules = self.rules.for_segment(*base, next_offset);
            let index_bytes = self.options.segment_index_bytes;
            let segment = Segment::open(self.disk, self.dir, *base, index_bytes, rules, Arc::clone(&epochs))?;
            segment.publish(Published { size: segment.log.len()?, next_offset });
            segments.push(Arc::new(segment));
        }
        Ok(segments)
    }

    /// Removes empty segments behind the first one: a roll made them and did not finish, and the segment before may have
    /// grown on. Only a clean stop may leave one, at the very end. Their names still prove that offsets below were used.
    pub(super) fn remove_unused(&mut self, bases: &mut Vec<i64>) -> Result<()> {
        let ends_clean = self.opening.clean.then_some(self.opening.recovery_point);
        let last = bases.last().copied();
        for base in bases.split_off(bases.len().min(1)) {
            let file = |suffix| segment_file(self.dir, base, suffix);
            let is_empty = self.disk.open_later(&file("log")).is_empty()?;
            if !is_empty || (Some(base) == last && ends_clean == last) {
                bases.push(base);
                continue;
            }
            for suffix in SEGMENT_FILES {
                self.disk.remove_file(&file(suffix))?;
            }
            self.named_end = self.named_end.max(base);
        }
        Ok(())
    }

    /// The index of the first segment that must be scanned; the number of segments when none must.
    pub(super) fn first_to_scan(&self, segments: &[Arc<Segment>], snapshots: &[i64]) -> Result<usize> {
        let last = segments.len() - 1;
        if self.opening.clean && self.end_is_whole(&segments[last], snapshots)? {
            return Ok(segments.len());
        }
        let reached = |segment: &Arc<Segment>| segment.published().next_offset > self.opening.recovery_point;
        let lost_index = |segment: &Arc<Segment>| {
            segment.published().size > INDEX_EXPECTED_ABOVE_BYTES && segment.index.last().is_none()
        };
        let unclean_from = if self.opening.clean { last } else { segments.iter().position(reached).unwrap_or(last) };
        Ok(segments.iter().position(lost_index).map_or(unclean_from, |index| index.min(unclean_from)))
    }

    /// Whether the active segment ends where the clean stop said, with good batches from its last index entry on.
    pub(super) fn end_is_whole(&self, segment: &Segment, snapshots: &[i64]) -> Result<bool> {
        let size = segment.published().size;
        if let Some(last) = segment.index.last()
            && !segment.leads_true(last, size)?
        {
            return Ok(false);
        }
        let (start, due) = segment.start_before(i64::MAX, size)?;
        let mut scanner = Scanner::new(&segment.log, start, size, due, segment.rules, Depth::Crc);
        loop {
            match segment.step(&mut scanner)? {
                Step::Batch(_) => {}
                Step::Bad(_) => return Ok(false),
                Step::End => break,
            }
        }
        let end = scanner.due_offset().unwrap_or(segment.base_offset);
        segment.trust_from(start);
        segment.publish(Published { size, next_offset: end });
        Ok(end == self.opening.recovery_point && snapshots.iter().all(|offset| *offset <= end))
    }

    pub(super) fn resume(&self, segment: &Arc<Segment>) -> Result<ActiveSegment> {
        ActiveSegment::resume(Arc::clone(segment), segment.published(), self.now_ms)
    }
}
