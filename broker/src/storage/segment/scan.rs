//! Walks the batches of a `.log` file and tells good ones from damaged ones, in constant memory.
//!
//! The CRC of a batch does not cover its base offset, length, leader epoch and magic, so a [`Scanner`] also checks
//! that offsets go on where the batch before ended and that lengths stay inside the file. [`next_good_batch`] finds
//! the way back after damage.

use crate::storage::Result;
use crate::storage::batch::{BatchHeader, CRC_START};
use crate::storage::crc::Crc32c;
use crate::storage::disk::DiskFile;

/// How much is read at once when batches are checked whole.
const WINDOW: usize = 64 * 1024;
/// How much is read at once when only headers are wanted.
const HEADER_WINDOW: usize = 4 * 1024;
/// Two record counts that differ by this much cannot both be meant.
const IMPLAUSIBLE_DIFFERENCE: u32 = 1 << 24;

/// What a log says about its batches, apart from their own bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct Rules {
    /// A compacted log's offsets may have gaps.
    pub(in crate::storage) gaps_allowed: bool,
    /// No batch can carry a later epoch than the current one.
    pub(in crate::storage) leader_epoch: i32,
    /// Offsets of a segment stay below those of the next one, and within 32 bits of its own first.
    pub(in crate::storage) offset_limit: i64,
}

impl Rules {
    /// The same rules for the segment that begins with `base_offset`, and ends before `next_base` at the latest.
    pub(in crate::storage) fn for_segment(self, base_offset: i64, next_base: i64) -> Rules {
        let widest = base_offset.saturating_add(i64::from(i32::MAX)).saturating_add(1);
        Rules { offset_limit: widest.min(next_base), ..self }
    }
}

/// How closely each batch is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Depth {
    /// The header alone: what stands outside the CRC is checked, the records are skipped.
    Headers,
    /// Header and CRC.
    Crc,
}

/// A batch and the byte where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Located {
    pub(in crate::storage) position: u64,
    pub(in crate::storage) header: BatchHeader,
}

impl Located {
    /// The byte after the batch.
    pub(in crate::storage) fn end(&self) -> u64 {
        self.position + self.header.total_size().expect("a located batch has a legal length") as u64
    }
}

/// What the scanner met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Step {
    /// A good batch; the scanner stands behind it.
    Batch(Located),
    /// Bytes that are no good batch; the scanner stays before them.
    Bad(String),
    /// Exactly the end.
    End,
}

/// Walks from batch to batch.
pub(in crate::storage) struct Scanner<'f> {
    file: &'f DiskFile,
    position: u64,
    end: u64,
    /// The offset that is due; `None` where the walk begins in the middle.
    due_offset: Option<i64>,
    rules: Rules,
    depth: Depth,
    window: Vec<u8>,
    window_start: u64,
}

impl<'f> Scanner<'f> {
    /// A walk over the bytes `position..end`, where `due_offset` is due first.
    pub(in crate::storage) fn new(
        file: &'f DiskFile,
        position: u64,
        end: u64,
        due_offset: Option<i64>,
        rules: Rules,
        depth: Depth,
    ) -> Self {
        Scanner { file, position, end, due_offset, rules, depth, window: Vec::new(), window_start: 0 }
    }

    /// Where the walk stands.
    pub(in crate::storage) fn position(&self) -> u64 {
        self.position
    }

    /// How closely this walk looks.
    pub(in crate::storage) fn depth(&self) -> Depth {
        self.depth
    }

    /// The offset that is due next, once a batch was met.
    pub(in crate::storage) fn due_offset(&self) -> Option<i64> {
        self.due_offset
    }

    /// Goes on elsewhere, for example behind damage.
    pub(in crate::storage) fn jump(&mut self, position: u64, due_offset: i64) {
        self.position = position;
        self.due_offset = Some(due_offset);
    }

    /// The next batch, or what stands in its place.
    pub(in crate::storage) fn step(&mut self) -> Result<Step> {
        if self.position >= self.end {
            return Ok(Step::End);
        }
        let Some(header) = self.header()? else {
            let rest = self.end - self.position;
            return Ok(Step::Bad(format!("{rest} bytes are too few for a batch header")));
        };
        if let Some(why) = self.implausible(&header) {
            return Ok(Step::Bad(why));
        }
        let found = Located { position: self.position, header };
        if self.depth == Depth::Crc {
            let crc = self.crc(found.position, found.end())?;
            if crc != header.crc {
                return Ok(Step::Bad(format!(
                    "the CRC in the header is {:#010x}, that of the bytes {crc:#010x}",
                    header.crc
                )));
            }
        }
        if let Some(why) = self.contradicted(&found)? {
            return Ok(Step::Bad(why));
        }
        self.position = found.end();
        self.due_offset = Some(header.last_offset() + 1);
        Ok(Step::Batch(found))
    }

    /// Where gaps are allowed, a base offset that grew by a flipped bit looks like one. But then the next batch goes on
    /// below it.
    fn contradicted(&mut self, found: &Located) -> Result<Option<String>> {
        let base = found.header.base_offset;
        let Some(due) = self.due_offset.filter(|due| self.rules.gaps_allowed && base > *due) else { return Ok(None) };
        let rules = Rules { offset_limit: base, ..self.rules };
        let mut behind = Scanner::new(self.file, found.end(), self.end, None, rules, Depth::Crc);
        match behind.header()? {
            Some(next) if (due..base).contains(&next.base_offset) => {}
            _ => return Ok(None),
        }
        let goes_on_below = matches!(behind.step()?, Step::Batch(_));
        Ok(goes_on_below.then(|| format!("base offset {base} leaves a gap, and the batch behind it goes on below")))
    }

    fn header(&mut self) -> Result<Option<BatchHeader>> {
        let available = self.fill(self.position, BatchHeader::SIZE)?;
        Ok(available.first_chunk().map(BatchHeader::parse))
    }

    /// What is wrong with the fields that the CRC does not cover.
    fn implausible(&self, header: &BatchHeader) -> Option<String> {
        if header.magic != 2 {
            return Some(format!("the magic byte is {}, not 2", header.magic));
        }
        let Some(size) = header.total_size().filter(|size| *size >= BatchHeader::SIZE) else {
            return Some(format!("a batch length of {} is too small", header.batch_length));
        };
        if size as u64 > self.end - self.position {
            return Some(format!("a batch of {size} bytes reaches past the end of the log"));
        }
        if header.last_offset_delta < 0 || header.base_offset < 0 || header.last_offset() == i64::MAX {
            return Some(format!("offsets {} + {} are impossible", header.base_offset, header.last_offset_delta));
        }
        if !(0..=self.rules.leader_epoch).contains(&header.partition_leader_epoch) {
            let (epoch, current) = (header.partition_leader_epoch, self.rules.leader_epoch);
            return Some(format!("leader epoch {epoch} is not between 0 and the current one, {current}"));
        }
        if header.last_offset() >= self.rules.offset_limit {
            let (last, limit) = (header.last_offset(), self.rules.offset_limit);
            return Some(format!("offset {last} does not belong to this segment, whose offsets stay below {limit}"));
        }
        let due = self.due_offset?;
        let fits = if self.rules.gaps_allowed { header.base_offset >= due } else { header.base_offset == due };
        (!fits).then(|| format!("base offset {} stands where {due} is due", header.base_offset))
    }

    /// The CRC of a batch that would fill the bytes `start..end`.
    fn crc(&mut self, start: u64, end: u64) -> Result<u32> {
        let mut crc = Crc32c::new();
        let mut position = start + CRC_START as u64;
        while position < end {
            let available = self.fill(position, 1)?;
            let wanted = usize::try_from(end - position).unwrap_or(usize::MAX).min(available.len());
            if wanted == 0 {
                break;
            }
            crc.update(&available[..wanted]);
            position += wanted as u64;
        }
        Ok(crc.finish())
    }

    /// The bytes from `position` on that are at hand, at least `wanted` of them unless the file ends before.
    fn fill(&mut self, position: u64, wanted: usize) -> Result<&[u8]> {
        let held = self.window_start..self.window_start + self.window.len() as u64;
        if !(held.start <= position && position + wanted as u64 <= held.end) {
            let size = if self.depth == Depth::Crc { WINDOW } else { HEADER_WINDOW };
            let size = usize::try_from(self.end - position).unwrap_or(size).min(size);
            self.window.resize(size, 0);
            let filled = self.file.read_at(position, &mut self.window)?;
            self.window.truncate(filled);
            self.window_start = position;
        }
        let skip = usize::try_from(position - self.window_start).expect("the window begins at or before the position");
        Ok(&self.window[skip..])
    }
}

/// The header at a position, whatever its fields say.
pub(in crate::storage) fn header_at(file: &DiskFile, position: u64, end: u64) -> Result<Option<BatchHeader>> {
    let rules = Rules { gaps_allowed: true, leader_epoch: i32::MAX, offset_limit: i64::MAX };
    Scanner::new(file, position, end, None, rules, Depth::Headers).header()
}

/// How many offsets the bytes from the scanner's place to `end` take, if they are one whole batch that was changed after
/// it was written: all its bytes are there, by its length or by its CRC, and its base offset is off by one bit at most.
/// A stale batch, or part of one, is none.
pub(in crate::storage) fn changed_batch(
    file: &DiskFile,
    position: u64,
    end: u64,
    due_offset: i64,
    rules: Rules,
) -> Result<Option<i64>> {
    let mut probe = Scanner::new(file, position, end, Some(due_offset), rules, Depth::Crc);
    let Some(header) = probe.header()? else { return Ok(None) };
    let whole_by_length = header.total_size().is_some_and(|size| size as u64 == end - position);
    let whole = whole_by_length || probe.crc(position, end)? == header.crc;
    if !whole || (header.base_offset ^ due_offset).count_ones() > 1 {
        return Ok(None);
    }
    // Both fields say the same in a good batch. If they differ, the larger one wins, unless it is out of all proportion:
    // a few offsets never used are no harm, an offset used twice is.
    let (count, delta) = (header.records_count.max(1), header.last_offset_delta.saturating_add(1).max(1));
    let claimed = if count.abs_diff(delta) < IMPLAUSIBLE_DIFFERENCE { count.max(delta) } else { count.min(delta) };
    Ok(Some(i64::from(claimed)))
}

/// The first good batch behind the bad bytes at `bad`, whose offsets go on at or after `due_offset`.
///
/// If the bad batch's own length leads to a good one, that is taken; only then every byte is tried, because a record's
/// value can itself hold a Kafka log.
pub(in crate::storage) fn next_good_batch(
    file: &DiskFile,
    bad: u64,
    end: u64,
    due_offset: i64,
    rules: Rules,
) -> Result<Option<Located>> {
    let loose = Rules { gaps_allowed: true, ..rules };
    let mut probe = Scanner::new(file, bad, end, Some(due_offset), loose, Depth::Crc);
    if let Some(size) = probe.header()?.and_then(|header| header.total_size()) {
        probe.jump(bad.saturating_add(size as u64), due_offset);
        if let Step::Batch(found) = probe.step()? {
            return Ok(Some(found));
        }
    }
    for position in bad + 1..end {
        probe.jump(position, due_offset);
        // The magic byte alone rules out almost every position.
        let available = probe.fill(position, 17)?;
        if available.len() < 17 {
            break;
        }
        if available[16] == 2
            && let Step::Batch(found) = probe.step()?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
