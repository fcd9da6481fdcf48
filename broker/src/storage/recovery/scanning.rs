//! One segment read from its beginning: its indexes written anew, and a verdict about what is bad in it.

use std::sync::Arc;

use super::{Finding, Recovery};
use crate::storage::Result;
use crate::storage::batch::BatchHeader;
use crate::storage::leader_epochs::LeaderEpochs;
use crate::storage::log::active::ActiveSegment;
use crate::storage::producers::Producers;
use crate::storage::segment::scan::{Depth, Rules, Scanner, Step, changed_batch, header_at, next_good_batch};
use crate::storage::segment::{Damage, Segment};

impl Recovery<'_> {
    /// What holds for the batches of a segment while it is scanned. Where gaps are allowed, a base offset that grew by a
    /// changed bit looks like one; behind the last batch nothing contradicts it but a clean stop, which says in two places
    /// where the log ended.
    pub(super) fn rules_of_scan(&self, segment: &Segment, next_base: Option<i64>, snapshots: &[i64]) -> Rules {
        let point = self.opening.recovery_point;
        let is_known_end = self.opening.clean && next_base.is_none() && snapshots.last() == Some(&point);
        if is_known_end && point > segment.base_offset {
            return Rules { offset_limit: segment.rules.offset_limit.min(point), ..segment.rules };
        }
        segment.rules
    }

    /// Scans one segment from its beginning, writes its indexes anew and decides about what is bad in it.
    pub(super) fn scan(
        &mut self,
        segment: &Arc<Segment>,
        next_base: Option<i64>,
        snapshots: &[i64],
        producers: &mut Producers,
        epochs: &mut LeaderEpochs,
    ) -> Result<ActiveSegment> {
        let size = segment.published().size;
        let (mut active, mut aborted) = (ActiveSegment::blank(Arc::clone(segment), self.now_ms), Vec::new());
        if size > 0 {
            segment.make_files()?;
        }
        active.clear_indexes()?;
        let rules = self.rules_of_scan(segment, next_base, snapshots);
        let mut scanner = Scanner::new(&segment.log, 0, size, Some(segment.base_offset), rules, Depth::Crc);
        loop {
            match segment.step(&mut scanner)? {
                Step::Batch(batch) => {
                    active.note(&batch, self.options.index_interval_bytes);
                    aborted.extend(producers.remember(&batch.header, segment.marker(&batch)?));
                    epochs.observe(batch.header.partition_leader_epoch, batch.header.base_offset);
                }
                Step::Bad(why) => {
                    match next_good_batch(&segment.log, scanner.position(), size, active.next_offset(), rules)? {
                        Some(good) => {
                            self.keep_damage(&mut active, good.position, good.header.base_offset, why);
                            scanner.jump(good.position, good.header.base_offset);
                        }
                        None => {
                            self.end_of_segment(&mut active, size, next_base, snapshots, Some(why))?;
                            break;
                        }
                    }
                }
                Step::End => {
                    self.end_of_segment(&mut active, size, next_base, snapshots, None)?;
                    break;
                }
            }
        }
        segment.trust_from(0);
        let noted = self.noted(segment.base_offset)?;
        let mut aborted = segment.with_lost(aborted, &noted)?;
        aborted.iter().for_each(|one| producers.forget_open(one));
        self.settle_index(segment.base_offset, &aborted)?;
        self.aborted.append(&mut aborted);
        if next_base.is_some() {
            active.finish_or_drop_indexes()?;
        }
        Ok(active)
    }

    /// Decides about the bytes from the last good batch to the end of a file, when no good batch follows in it.
    pub(super) fn end_of_segment(
        &mut self,
        active: &mut ActiveSegment,
        size: u64,
        next_base: Option<i64>,
        snapshots: &[i64],
        bad: Option<String>,
    ) -> Result<()> {
        let end = active.next_offset();
        let proved = match next_base {
            Some(next_base) => next_base,
            None => self.proved_end(active, size, snapshots)?,
        };
        match bad {
            None if proved <= end || (next_base.is_some() && self.rules.gaps_allowed) => {}
            None => self.keep_damage(active, size, proved, "the file ends before the records that the log had".into()),
            Some(why) if proved > end => self.keep_damage(active, size, proved, why),
            Some(why) => {
                let position = active.size();
                active.segment.log.set_len(position)?;
                active.segment.log.sync()?;
                let bytes = size - position;
                self.find(active, position, bytes, format!("{bytes} bytes of an unfinished write were cut off: {why}"));
            }
        }
        Ok(())
    }

    /// The log end offset that the folder proves beyond the last good batch of its last segment.
    pub(super) fn proved_end(&self, active: &ActiveSegment, size: u64, snapshots: &[i64]) -> Result<i64> {
        let end = active.next_offset();
        let rest = size - active.size();
        let log = &active.segment.log;
        let stale = match header_at(log, active.size(), size)? {
            Some(header) => is_copy(active, &header)?,
            None => false,
        };
        let changed = if stale { None } else { changed_batch(log, active.size(), size, end, active.segment.rules)? };
        let whole = end.saturating_add(changed.unwrap_or(0));
        // The recovery point may itself be damaged: it counts if a snapshot says the same or the bytes can hold it.
        let point = self.opening.recovery_point;
        let believable = snapshots.contains(&point) || u64::try_from(point - end).is_ok_and(|lost| lost <= rest);
        Ok(end.max(whole).max(self.named_end).max(if believable { point } else { end }))
    }

    /// Keeps bad bytes where they are, and their offsets out of use.
    pub(super) fn keep_damage(&mut self, active: &mut ActiveSegment, end: u64, next_offset: i64, why: String) {
        let (position, first) = (active.size(), active.next_offset());
        let offsets = first..next_offset.max(first);
        let what = match end - position {
            0 => why.clone(),
            bytes => format!("{bytes} bytes are damaged and stay where they are ({why})"),
        };
        let last = offsets.end - 1;
        let sentence = format!("{what}; offsets {first} to {last} cannot be read, the rest is served");
        self.find(active, position, end - position, sentence);
        active.segment.add_damage(Damage { bytes: position..end, offsets, why });
        active.skip_damage(end, next_offset);
    }

    pub(super) fn find(&mut self, active: &ActiveSegment, position: u64, length: u64, sentence: String) {
        let file = active.segment.log.path().to_owned();
        self.findings.push(Finding { file, position, length, first_offset: active.next_offset(), sentence });
    }

    pub(super) fn report_changed_epochs(&mut self, segments: &[Arc<Segment>]) {
        for segment in segments {
            if let Some(changed) = segment.mended_epoch() {
                self.findings.push(Finding {
                    file: segment.log.path().to_owned(),
                    position: changed.position,
                    length: 4,
                    first_offset: changed.base_offset,
                    sentence: changed.sentence(),
                });
            }
        }
    }

    /// New records never go behind damaged bytes in the same file: readers of that file could not tell where they begin.
    pub(super) fn roll_behind_damage(
        &self,
        scanned: ActiveSegment,
        segments: &mut Vec<Arc<Segment>>,
    ) -> Result<ActiveSegment> {
        let ends_damaged = scanned.segment.damage().last().is_some_and(|damage| damage.bytes.end == scanned.size());
        if !ends_damaged || scanned.next_offset() == scanned.segment.base_offset {
            return Ok(scanned);
        }
        scanned.finish_or_drop_indexes()?;
        let next =
            ActiveSegment::create(self.disk, self.dir, scanned.next_offset(), self.options, self.rules, self.now_ms)?;
        next.segment.make_files()?;
        segments.push(Arc::clone(&next.segment));
        self.disk.sync_dir(self.dir)?;
        Ok(next)
    }
}

/// Whether a header is that of a batch which stands further up in the same segment: stale bytes of the disk.
fn is_copy(active: &ActiveSegment, header: &BatchHeader) -> Result<bool> {
    // Looked for among the good batches alone: what is bad is judged by whoever asks.
    let good = active.segment.base_offset..active.next_offset();
    if active.size() == 0 || !good.contains(&header.base_offset) {
        return Ok(false);
    }
    let earlier = active.segment.locate(header.base_offset)?;
    Ok(earlier
        .is_some_and(|earlier| earlier.header.base_offset == header.base_offset && earlier.header.crc == header.crc))
}
