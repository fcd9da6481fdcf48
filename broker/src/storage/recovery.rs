//! Opens a partition's folder and finds out what of it is good.
//!
//! After a clean stop only the end of the active segment is read; everything below is audited when it is first served.
//! After a kill, every segment at or above the recovery point is scanned with CRCs, and its indexes are written anew.
//! Where the bytes are bad, two cases are told apart:
//!
//! - a **torn tail**: nothing good follows, and it lies above the recovery point. A write that never finished; it is
//!   cut off.
//! - **damage**: good batches follow, or the recovery point proves that more was there, or a batch is whole but for its
//!   CRC. The bytes stay where they are, their offsets are never given again, and everything else is served. If the
//!   damage is at the end, the next record goes into a new segment.
//!
//! Checkpoints and snapshots are believed only as far as the log bears them out.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Result;
use super::active::ActiveSegment;
use super::batch::BatchHeader;
use super::disk::Disk;
use super::folder::{offset_of, remove_stale_snapshots, snapshot_offsets, tidy};
use super::leader_epochs::LeaderEpochs;
use super::options::{LogOptions, Opening};
use super::producers::{Producers, unusable};
use super::scan::{Depth, Rules, Scanner, Step, changed_batch, header_at, next_good_batch};
use super::segment::{Damage, Published, SEGMENT_FILES, Segment, segment_file};
use crate::clock::TimestampMs;

/// A segment without an index, but with more bytes than this, has lost it.
const INDEX_EXPECTED_ABOVE_BYTES: u64 = 256 * 1024;

/// Something that recovery found, and what it did about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The first byte concerned.
    pub position: u64,
    /// How many bytes.
    pub length: u64,
    /// The first offset concerned.
    pub first_offset: i64,
    /// What was found, what was done, and what it means for readers.
    pub sentence: String,
}

/// What opening a folder came to.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) active: ActiveSegment,
    pub(super) producers: Producers,
    pub(super) epochs: LeaderEpochs,
    /// Some segment that has records was scanned, and its indexes written anew.
    pub(super) scanned: bool,
    pub(super) findings: Vec<Finding>,
}

/// Opens the log in `dir`.
pub(super) fn open(
    disk: &Disk,
    dir: &Path,
    opening: Opening,
    options: &LogOptions,
    now_ms: TimestampMs,
) -> Result<Opened> {
    let rules =
        Rules { gaps_allowed: options.gaps_allowed, leader_epoch: opening.leader_epoch, offset_limit: i64::MAX };
    let names = tidy(disk, dir)?;
    let mut recovery = Recovery { disk, dir, opening, options, rules, now_ms, named_end: 0, findings: Vec::new() };
    let noted_epochs = LeaderEpochs::read(disk, dir, &names);
    let mut segments = recovery.open_segments(&names, noted_epochs.as_ref())?;
    let snapshots = snapshot_offsets(&names);
    let first_scanned = recovery.first_to_scan(&segments, &snapshots)?;

    let scan_from = segments.get(first_scanned).map_or(i64::MAX, |segment| segment.base_offset);
    let mut producers = recovery.producers_at(&segments[..first_scanned], &snapshots, scan_from)?;
    let mut epochs = match noted_epochs {
        Some(noted) => noted,
        None => recovery.epochs(&segments[..first_scanned])?,
    };
    let mut active = None;
    for index in first_scanned..segments.len() {
        let next_base = segments.get(index + 1).map(|next| next.base_offset);
        let scanned = recovery.scan(&segments[index], next_base, &snapshots, &mut producers, &mut epochs)?;
        active = Some(scanned);
    }
    let active = match active {
        Some(scanned) => recovery.roll_behind_damage(scanned, &mut segments)?,
        None => recovery.resume(segments.last().expect("a log has a segment"))?,
    };
    remove_stale_snapshots(disk, dir, &segments, &snapshots, active.next_offset())?;
    epochs.settle();
    epochs.cut(active.next_offset());
    recovery.report_changed_epochs(&segments);
    let scanned = segments[first_scanned.min(segments.len())..].iter().any(|one| one.published().size > 0);
    Ok(Opened { segments, active, producers, epochs, scanned, findings: recovery.findings })
}

struct Recovery<'a> {
    disk: &'a Disk,
    dir: &'a Path,
    opening: Opening,
    options: &'a LogOptions,
    rules: Rules,
    now_ms: TimestampMs,
    /// The largest base offset of an unused segment: the log had come that far.
    named_end: i64,
    findings: Vec<Finding>,
}

impl Recovery<'_> {
    /// Opens every segment; what is sealed is published whole, its contents unread.
    fn open_segments(&mut self, names: &[String], epochs: Option<&LeaderEpochs>) -> Result<Vec<Arc<Segment>>> {
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
    fn remove_unused(&mut self, bases: &mut Vec<i64>) -> Result<()> {
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
    fn first_to_scan(&self, segments: &[Arc<Segment>], snapshots: &[i64]) -> Result<usize> {
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

    /// What holds for the batches of a segment while it is scanned. Where gaps are allowed, a base offset that grew by a
    /// changed bit looks like one; behind the last batch nothing contradicts it but a clean stop, which says in two places
    /// where the log ended.
    fn rules_of_scan(&self, segment: &Segment, next_base: Option<i64>, snapshots: &[i64]) -> Rules {
        let point = self.opening.recovery_point;
        let is_known_end = self.opening.clean && next_base.is_none() && snapshots.last() == Some(&point);
        if is_known_end && point > segment.base_offset {
            return Rules { offset_limit: segment.rules.offset_limit.min(point), ..segment.rules };
        }
        segment.rules
    }

    /// Whether the active segment ends where the clean stop said, with good batches from its last index entry on.
    fn end_is_whole(&self, segment: &Segment, snapshots: &[i64]) -> Result<bool> {
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

    fn resume(&self, segment: &Arc<Segment>) -> Result<ActiveSegment> {
        ActiveSegment::resume(Arc::clone(segment), segment.published(), self.now_ms)
    }

    /// Scans one segment from its beginning, writes its indexes anew and decides about what is bad in it.
    fn scan(
        &mut self,
        segment: &Arc<Segment>,
        next_base: Option<i64>,
        snapshots: &[i64],
        producers: &mut Producers,
        epochs: &mut LeaderEpochs,
    ) -> Result<ActiveSegment> {
        let size = segment.published().size;
        let mut active = ActiveSegment::blank(Arc::clone(segment), self.now_ms);
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
                    producers.remember(&batch.header);
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
        if next_base.is_some() {
            active.finish_or_drop_indexes()?;
        }
        Ok(active)
    }

    /// Decides about the bytes from the last good batch to the end of a file, when no good batch follows in it.
    fn end_of_segment(
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
    fn proved_end(&self, active: &ActiveSegment, size: u64, snapshots: &[i64]) -> Result<i64> {
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
    fn keep_damage(&mut self, active: &mut ActiveSegment, end: u64, next_offset: i64, why: String) {
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

    fn find(&mut self, active: &ActiveSegment, position: u64, length: u64, sentence: String) {
        let file = active.segment.log.path().to_owned();
        self.findings.push(Finding { file, position, length, first_offset: active.next_offset(), sentence });
    }

    fn report_changed_epochs(&mut self, segments: &[Arc<Segment>]) {
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
    fn roll_behind_damage(&self, scanned: ActiveSegment, segments: &mut Vec<Arc<Segment>>) -> Result<ActiveSegment> {
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

    /// Producer state at the end of the segments that are not scanned: the newest snapshot that is whole, and the
    /// batches after it.
    fn producers_at(&mut self, segments: &[Arc<Segment>], snapshots: &[i64], limit: i64) -> Result<Producers> {
        let (mut producers, mut from) = (Producers::default(), i64::MIN);
        for offset in snapshots.iter().rev().filter(|offset| **offset <= limit) {
            let path = segment_file(self.dir, *offset, "snapshot");
            if let Some(read) = Producers::from_snapshot(&self.disk.read(&path)?) {
                (producers, from) = (read, *offset);
                break;
            }
            let sentence = format!("{}; producers are worked out from the log instead", unusable(&path));
            self.findings.push(Finding { file: path, position: 0, length: 0, first_offset: *offset, sentence });
        }
        for segment in segments.iter().filter(|segment| segment.published().next_offset > from) {
            segment.visit(from, |batch| {
                producers.remember(&batch.header);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(producers)
    }

    /// Leader epochs up to the segments that are scanned, from the log itself: the checkpoint is lost.
    fn epochs(&self, segments: &[Arc<Segment>]) -> Result<LeaderEpochs> {
        let mut epochs = LeaderEpochs::empty(self.dir);
        for segment in segments {
            segment.visit(i64::MIN, |batch| {
                epochs.observe(batch.header.partition_leader_epoch, batch.header.base_offset);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(epochs)
    }
}

/// Whether a header is that of a batch which stands further up in the same segment: stale bytes of the disk.
fn is_copy(active: &ActiveSegment, header: &BatchHeader) -> Result<bool> {
    if header.base_offset >= active.next_offset() {
        return Ok(false);
    }
    let earlier = active.segment.locate(header.base_offset)?;
    Ok(earlier
        .is_some_and(|earlier| earlier.header.base_offset == header.base_offset && earlier.header.crc == header.crc))
}
