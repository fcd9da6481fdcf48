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

pub(super) mod folder;
mod opening;
mod scanning;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::TimestampMs;
use crate::storage::Result;
use crate::storage::disk::Disk;
use crate::storage::leader_epochs::LeaderEpochs;
use crate::storage::log::active::ActiveSegment;
use crate::storage::log::options::{LogOptions, Opening};
use crate::storage::producers::Producers;
use crate::storage::segment::Segment;
use crate::storage::segment::scan::Rules;
use crate::storage::transactions::{Aborted, Transactions};
use folder::{offset_of, remove_stale_snapshots, snapshot_offsets, tidy};

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
    pub(super) transactions: Transactions,
    /// The segments whose index of aborted transactions is still to be written.
    pub(super) owed_indexes: Vec<i64>,
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
    let mut recovery = Recovery {
        disk,
        dir,
        opening,
        options,
        rules,
        now_ms,
        named_end: 0,
        indexes_of_aborted: names.iter().filter_map(|name| offset_of(name, ".txnindex")).collect(),
        owed_indexes: Vec::new(),
        aborted: Vec::new(),
        findings: Vec::new(),
    };
    let noted_epochs = LeaderEpochs::read(disk, dir, &names);
    let mut segments = recovery.open_segments(&names, noted_epochs.as_ref())?;
    let snapshots = snapshot_offsets(&names);
    let first_scanned = recovery.first_to_scan(&segments, &snapshots)?;

    let scan_from = segments.get(first_scanned).map_or(i64::MAX, |segment| segment.base_offset);
    let mut producers = recovery.producers_at(&segments[..first_scanned], &snapshots, scan_from)?;
    recovery.aborted = recovery.aborted(&segments[..first_scanned], &snapshots)?;
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
    let transactions = Transactions { aborted: recovery.aborted, first_open: producers.first_open() };
    let (owed_indexes, findings) = (recovery.owed_indexes, recovery.findings);
    Ok(Opened { segments, active, producers, epochs, transactions, owed_indexes, scanned, findings })
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
    /// The segments that have an index of aborted transactions.
    indexes_of_aborted: Vec<i64>,
    /// Indexes of aborted transactions that a full disk had no room for.
    owed_indexes: Vec<i64>,
    /// The transactions that were aborted, as far as segments were looked at.
    aborted: Vec<Aborted>,
    findings: Vec<Finding>,
}
