//! One segment as readers see it: a `.log` file with its two indexes, and how far it may be read.
//!
//! A segment is shared by the one writer and all readers. What the writer has finished is *published* as a pair of
//! size and next offset; below that, bytes never change. Bytes that were on disk before this broker started are not
//! trusted: they are *audited*, CRC and offsets, before they are served for the first time. Damage that an audit or
//! recovery finds is kept in a list, so that everything around it can be served.

mod entry_file;
mod epoch_proof;
pub(super) mod index;
pub(super) mod scan;
pub(super) mod time_index;
mod walk;

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::storage::checkpoint::epochs::EpochStart;
use crate::storage::disk::{Disk, DiskFile};
use crate::storage::{Error, Result};
use epoch_proof::{ChangedEpoch, EpochProof};
use index::{IndexEntry, OffsetIndex};
use scan::{Depth, Located, Rules, Scanner, Step, next_good_batch};
use time_index::{TimeEntry, TimeIndex};

/// The endings of the files that make up a segment.
pub(super) const SEGMENT_FILES: [&str; 4] = ["log", "index", "timeindex", "txnindex"];

/// How many index entries are tried before the whole segment is scanned, when entries turn out to be wrong.
const WRONG_ENTRIES_TOLERATED: usize = 4;

/// How many of the last batches are found without the index.
const RECENT_BATCHES: usize = 8;

/// How far the writer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Published {
    /// Bytes in the `.log` file.
    pub(super) size: u64,
    /// The offset after the last record.
    pub(super) next_offset: i64,
}

/// How far the writer has come, and where the last batches begin: consumers at the end of a log ask for just those.
#[derive(Debug)]
struct Progress {
    published: Published,
    /// Offset and position of the last batches, in no order.
    recent: [(i64, u64); RECENT_BATCHES],
    oldest: usize,
}

/// Bytes that are no good batches, and the offsets that are lost with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) bytes: Range<u64>,
    pub(super) offsets: Range<i64>,
    pub(super) why: String,
}

/// A segment, shared by its writer and its readers.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base_offset: i64,
    pub(super) log: DiskFile,
    pub(super) index: OffsetIndex,
    pub(super) time_index: TimeIndex,
    pub(super) rules: Rules,
    epochs: EpochProof,
    progress: Mutex<Progress>,
    /// Bytes that were checked or written by this broker. The end is `u64::MAX` where everything after the start is.
    audited: Mutex<Range<u64>>,
    /// Sorted, without overlaps.
    damage: RwLock<Arc<Vec<Damage>>>,
    largest_timestamp: Mutex<Option<TimeEntry>>,
}

impl Segment {
    /// The segment that begins with `base_offset`; its three files are made when it gets its first batch, and each is
    /// opened when it is needed. Nothing is published or trusted yet; `epochs` are those of the checkpoint, if it can be
    /// read.
    pub(super) fn open(
        disk: &Disk,
        dir: &Path,
        base_offset: i64,
        index_bytes: u32,
        rules: Rules,
        epochs: Arc<[EpochStart]>,
    ) -> Result<Segment> {
        let name = |suffix| segment_file(dir, base_offset, suffix);
        let index = OffsetIndex::open(disk, &name("index"), base_offset, index_bytes)?;
        let time_index = TimeIndex::open(disk, &name("timeindex"), base_offset, index_bytes)?;
        Ok(Segment::assemble(disk.open_later(&name("log")), index, time_index, rules, epochs))
    }

    /// The same where none of the files is there.
    pub(super) fn unmade(disk: &Disk, dir: &Path, base_offset: i64, index_bytes: u32, rules: Rules) -> Segment {
        let name = |suffix| segment_file(dir, base_offset, suffix);
        let index = OffsetIndex::unmade(disk, &name("index"), base_offset, index_bytes);
        let time_index = TimeIndex::unmade(disk, &name("timeindex"), base_offset, index_bytes);
        Segment::assemble(disk.open_later(&name("log")), index, time_index, rules, Arc::default())
    }

    fn assemble(
        log: DiskFile,
        index: OffsetIndex,
        time_index: TimeIndex,
        rules: Rules,
        epochs: Arc<[EpochStart]>,
    ) -> Segment {
        let base_offset = index.base_offset();
        Segment {
            base_offset,
            log,
            index,
            time_index,
            rules,
            epochs: EpochProof::new(epochs),
            progress: Mutex::new(Progress {
                published: Published { size: 0, next_offset: base_offset },
                recent: [(base_offset, 0); RECENT_BATCHES],
                oldest: 0,
            }),
            audited: Mutex::new(0..0),
            damage: RwLock::default(),
            largest_timestamp: Mutex::new(None),
        }
    }

    /// Makes those of the three files that are not there.
    pub(super) fn make_files(&self) -> Result<()> {
        self.log.make()?;
        self.index.make()?;
        self.time_index.make()
    }

    /// Closes the `.log` until it is needed again.
    pub(super) fn close(&mut self, disk: &Disk) {
        self.log = disk.open_later(self.log.path());
    }

    /// Keeps files that were not opened yet from being opened: the folder gets another name.
    pub(super) fn seal(&self) {
        self.log.seal();
        self.index.seal();
        self.time_index.seal();
    }

    pub(super) fn published(&self) -> Published {
        lock(&self.progress).published
    }

    pub(super) fn publish(&self, published: Published) {
        let mut progress = lock(&self.progress);
        let (begins, oldest) = (progress.published, progress.oldest);
        progress.recent[oldest] = (begins.next_offset, begins.size);
        progress.oldest = (oldest + 1) % RECENT_BATCHES;
        progress.published = published;
    }

    /// Declares bytes as checked: all from `start` on, now and later.
    pub(super) fn trust_from(&self, start: u64) {
        *lock(&self.audited) = start..u64::MAX;
    }

    pub(super) fn damage(&self) -> Arc<Vec<Damage>> {
        Arc::clone(&self.damage.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn add_damage(&self, damage: Damage) {
        let mut list = self.damage.write().unwrap_or_else(PoisonError::into_inner);
        if list.iter().all(|known| known.bytes.start != damage.bytes.start) {
            let mut longer = list.to_vec();
            longer.push(damage);
            longer.sort_by_key(|damage| damage.bytes.start);
            *list = Arc::new(longer);
        }
    }

    /// The first byte of what may not be read yet when `end_offset` is the readable end.
    pub(super) fn position_of_end(&self, end_offset: i64) -> Result<u64> {
        let published = self.published();
        if published.next_offset <= end_offset {
            return Ok(published.size);
        }
        Ok(self.locate(end_offset)?.map_or(published.size, |batch| batch.position))
    }

    /// Makes sure that the bytes from a located batch up to `end` are good before they leave the house; returns the
    /// end of what is good.
    pub(super) fn audit(&self, first: &Located, end: u64) -> Result<u64> {
        let damage = self.damage();
        let next_damage = damage.iter().map(|damage| damage.bytes.start).find(|start| *start >= first.end());
        let end = next_damage.map_or(end, |start| end.min(start));
        let audited = lock(&self.audited).clone();
        let whole = audited.start <= first.position;
        if whole && end <= audited.end {
            return Ok(end);
        }
        let (from, due) = if whole && first.position < audited.end {
            (audited.end, None)
        } else {
            (first.position, Some(first.header.base_offset))
        };
        let mut scanner = Scanner::new(&self.log, from, self.published().size, due, self.rules, Depth::Crc);
        while scanner.position() < end {
            match self.step(&mut scanner)? {
                Step::Batch(_) => {}
                Step::End => break,
                Step::Bad(why) => {
                    let position = scanner.position();
                    let due = scanner.due_offset().unwrap_or(first.header.last_offset() + 1);
                    let damage = self.diagnose(position, due, why)?;
                    if position == first.position {
                        return Err(self.damaged(&damage));
                    }
                    self.add_audited(first.position..position);
                    return Ok(position);
                }
            }
        }
        self.add_audited(first.position..scanner.position());
        Ok(end)
    }

    /// The scanner's next step. A leader epoch that was changed after it was written is put right on the way, once the
    /// CRC says that the rest of the batch is good.
    pub(super) fn step(&self, scanner: &mut Scanner<'_>) -> Result<Step> {
        let step = scanner.step()?;
        let Step::Batch(mut found) = step else { return Ok(step) };
        let Some(changed) = self.changed_epoch(&found)? else { return Ok(step) };
        let mended = match scanner.depth() {
            Depth::Headers => Err("its CRC was not looked at".into()),
            Depth::Crc => self.epochs.mend(&self.log, changed).map_err(|error| error.to_string()),
        };
        if let Err(why) = mended {
            scanner.jump(found.position, found.header.base_offset);
            return Ok(Step::Bad(format!("leader epoch {} was changed and is not mended: {why}", changed.found)));
        }
        found.header.partition_leader_epoch = changed.written;
        tracing::warn!("{}: {}", self.log.path().display(), changed.sentence());
        Ok(Step::Batch(found))
    }

    /// The leader epoch that was found changed and put right.
    pub(super) fn mended_epoch(&self) -> Option<ChangedEpoch> {
        self.epochs.mended()
    }

    /// What is proved against the leader epoch of a batch. Only bytes from before this start are doubted.
    fn changed_epoch(&self, found: &Located) -> Result<Option<ChangedEpoch>> {
        if !self.epochs.differs(&found.header) {
            return Ok(None);
        }
        let audited = lock(&self.audited).clone();
        if audited.contains(&found.position) {
            return Ok(None);
        }
        let doubted = if audited.end == u64::MAX { audited.start } else { u64::MAX };
        let changed = self.epochs.changed(&self.log, doubted, self.rules)?;
        Ok(changed.filter(|changed| changed.position == found.position))
    }

    /// The largest timestamp of the segment, if the segment has records.
    pub(super) fn largest_timestamp(&self) -> Result<Option<TimeEntry>> {
        let known = *lock(&self.largest_timestamp);
        if known.is_some() {
            return Ok(known);
        }
        let claimed = self.time_index.last();
        let largest = match claimed {
            Some(entry) if self.confirms(entry)? => claimed,
            _ => self.scan_largest_timestamp()?,
        };
        *lock(&self.largest_timestamp) = largest;
        Ok(largest)
    }

    pub(super) fn set_largest_timestamp(&self, entry: TimeEntry) {
        *lock(&self.largest_timestamp) = Some(entry);
    }

    /// Whether a time index entry leads to a batch that bears it out.
    pub(super) fn confirms(&self, entry: TimeEntry) -> Result<bool> {
        Ok(self.locate(entry.offset)?.is_some_and(|batch| {
            batch.header.last_offset() == entry.offset && batch.header.max_timestamp == entry.timestamp
        }))
    }

    /// Whether an offset index entry leads to a batch that bears it out.
    pub(super) fn leads_true(&self, entry: IndexEntry, size: u64) -> Result<bool> {
        let mut scanner = Scanner::new(&self.log, u64::from(entry.position), size, None, self.rules, Depth::Headers);
        Ok(matches!(scanner.step()?, Step::Batch(found) if found.header.last_offset() == entry.offset))
    }

    /// The error for readers whose offset is lost.
    pub(super) fn damaged(&self, damage: &Damage) -> Error {
        let Range { start, end } = damage.offsets;
        Error::Damaged {
            path: self.log.path().to_owned(),
            position: damage.bytes.start,
            what: format!(
                "{}; offsets {start} to {} cannot be read, reading goes on at offset {end}",
                damage.why,
                end - 1
            ),
        }
    }

    /// Finds out how far the damage at `position` reaches, notes it and reports it once.
    pub(super) fn diagnose(&self, position: u64, due_offset: i64, why: String) -> Result<Damage> {
        if let Some(known) = self.damage().iter().find(|damage| damage.bytes.start == position) {
            return Ok(known.clone());
        }
        let Published { size, next_offset } = self.published();
        let next = next_good_batch(&self.log, position, size, due_offset, self.rules)?;
        let (end, next_offset) =
            next.map_or((size, next_offset.max(due_offset)), |good| (good.position, good.header.base_offset));
        let damage = Damage { bytes: position..end, offsets: due_offset..next_offset.max(due_offset), why };
        tracing::error!("{}", self.damaged(&damage));
        self.add_damage(damage.clone());
        Ok(damage)
    }

    /// Where the batch with this base offset begins, if it is one of the last.
    pub(super) fn recent_batch(&self, base_offset: i64) -> Option<u64> {
        let progress = lock(&self.progress);
        progress.recent.iter().find(|(offset, _)| *offset == base_offset).map(|(_, position)| *position)
    }

    /// A byte where a batch begins that is not after `offset`, by the index if its entry leads where it says; and the
    /// offset that is due there, where that is known.
    pub(super) fn start_before(&self, offset: i64, size: u64) -> Result<(u64, Option<i64>)> {
        let mut below = offset;
        for _ in 0..WRONG_ENTRIES_TOLERATED {
            let Some(entry) = self.index.lookup(below)? else { break };
            if self.leads_true(entry, size)? {
                return Ok((u64::from(entry.position), None));
            }
            below = entry.offset.min(below) - 1;
        }
        Ok((0, Some(self.base_offset)))
    }

    fn scan_largest_timestamp(&self) -> Result<Option<TimeEntry>> {
        let mut largest: Option<TimeEntry> = None;
        self.visit(i64::MIN, |found| {
            largest = later(largest, *found);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(largest)
    }

    /// Joins a checked range to the one known already where they touch; otherwise the longer of the two is kept.
    fn add_audited(&self, range: Range<u64>) {
        let mut audited = lock(&self.audited);
        if range.start <= audited.end && audited.start <= range.end {
            *audited = audited.start.min(range.start)..audited.end.max(range.end);
        } else if range.end - range.start > audited.end - audited.start {
            *audited = range;
        }
    }
}

/// The larger of a timestamp so far and that of a batch; of equal ones the earlier.
pub(super) fn later(so_far: Option<TimeEntry>, batch: Located) -> Option<TimeEntry> {
    let entry = TimeEntry { timestamp: batch.header.max_timestamp, offset: batch.header.last_offset() };
    match so_far {
        Some(known) if known.timestamp >= entry.timestamp => Some(known),
        _ => Some(entry),
    }
}

/// `<dir>/00000000000000000042.log` and its like.
pub(super) fn segment_file(dir: &Path, base_offset: i64, suffix: &str) -> PathBuf {
    dir.join(format!("{base_offset:020}.{suffix}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
