//! Single bits that change on the disk.

use std::path::PathBuf;

use cutaway::storage::disk::Disk;
use cutaway::storage::log::Log;
use cutaway_tests::chance::Chance;
use cutaway_tests::folders;

use super::{
    EPOCH, Model, Outcome, Written, check, check_next_offset, copy, end_of, read, reopen, reopen_with, write_folder,
};

/// How far apart the base offsets of two batches are.
const RECORDS_PER_BATCH: i64 = 3;

/// One bit, anywhere in any file of the folder, 2000 times.
#[test]
fn random_bit_flips() {
    let seed = Chance::seed(11);
    let mut chance = Chance::new(seed);
    let folder = folders::in_memory();
    let sides: Vec<(bool, PathBuf, Model, i64)> = [false, true]
        .into_iter()
        .map(|clean| {
            let dir = folder.path().join(format!("{clean}-0"));
            let (model, recovery_point) = write_folder(&dir, 5, 31, clean);
            (clean, dir, model, recovery_point)
        })
        .collect();
    for round in 0..2_000 {
        let (clean, original, model, recovery_point) = chance.pick(&sides).clone();
        let dir = folder.path().join("flip-0");
        copy(&original, &dir);
        let names: Vec<String> = Disk::default().list(&dir).expect("a list");
        let name = chance.pick(&names).clone();
        let mut bytes = std::fs::read(dir.join(&name)).expect("a file");
        if bytes.is_empty() {
            continue;
        }
        let (byte, bit) = (chance.below(bytes.len()), chance.below(8));
        bytes[byte] ^= 1 << bit;
        std::fs::write(dir.join(&name), bytes).expect("a file");
        let context = format!(
            "seed {seed}, round {round} (odd: gaps allowed), clean {clean}, bit {bit} of byte {byte} of {name}"
        );
        let gaps_allowed = round % 2 == 1;
        let mut log = reopen_with(&dir, clean, recovery_point, gaps_allowed);
        let hit = |written: &Written| {
            written.file == name && (written.position..written.position + written.bytes.len()).contains(&byte)
        };
        check(&log, &model, hit, &context);
        for written in model.values().filter(|written| hit(written)) {
            check_epoch(&log, &model, written, &context);
        }
        assert!(log.log_end_offset() >= end_of(&model), "{context}: the end fell to {}", log.log_end_offset());
        check_next_offset(&mut log, end_of(&model), &context);
        std::fs::remove_dir_all(dir).expect("clean up");
    }
}

/// Every bit of every batch's leader epoch that leaves a possible one. It is put right, or else the checkpoint does not
/// prove it; and no epoch that is asked for comes from it, whether the checkpoint is there or has to be made anew.
#[test]
fn changed_leader_epochs() {
    let folder = folders::in_memory();
    let mut mended = 0;
    for (clean, has_checkpoint) in [(false, false), (false, true), (true, false), (true, true)] {
        let original = folder.path().join("t-0");
        let (model, recovery_point) = write_folder(&original, 5, 31, clean);
        if !has_checkpoint {
            std::fs::remove_file(original.join("leader-epoch-checkpoint")).expect("a checkpoint");
        }
        for (offset, bit) in model.keys().flat_map(|offset| (0..5).map(move |bit| (*offset, bit))) {
            let context = format!("clean {clean}, checkpoint {has_checkpoint}, bit {bit} of the epoch at {offset}");
            let (dir, hit) = (folder.path().join("flip-0"), &model[&offset]);
            copy(&original, &dir);
            let mut bytes = std::fs::read(dir.join(&hit.file)).expect("a file");
            bytes[hit.position + EPOCH.end - 1] ^= 1 << bit;
            std::fs::write(dir.join(&hit.file), bytes).expect("a file");
            let log = reopen(&dir, clean, recovery_point);
            let unreadable = check(&log, &model, |written| written.position == hit.position, &context);
            assert_eq!(unreadable, 0, "{context}: a whole batch cannot be read");
            let is_mended = has_checkpoint && check_epoch(&log, &model, hit, &context);
            mended += usize::from(is_mended);
            for (other, written) in &model {
                let epoch = log.reader().leader_epoch_of(*other);
                // Without a checkpoint nobody knows which of two neighbours at the edge of an epoch was changed.
                let doubtful = if has_checkpoint { 0 } else { RECORDS_PER_BATCH };
                let is_doubtful = !is_mended && (other - offset).abs() <= doubtful;
                let is_right = epoch == Some(epoch_of(&written.bytes)) || is_doubtful;
                assert!(is_right, "{context}: the epoch at {other} is said to be {epoch:?}");
            }
            std::fs::remove_dir_all(dir).expect("clean up");
        }
        std::fs::remove_dir_all(original).expect("clean up");
    }
    assert!(mended > 200, "only {mended} epochs were put right");
}

/// Where a batch can be read, its leader epoch is what was written, unless nothing proves it; returns whether it is.
fn check_epoch(log: &Log, model: &Model, hit: &Written, context: &str) -> bool {
    let Outcome::Bytes(bytes) = read(log, hit.last_offset) else { return false };
    let (found, written) = (epoch_of(&bytes), epoch_of(&hit.bytes));
    let is_peer = |other: &&Written| other.file == hit.file && epoch_of(&other.bytes) == written;
    let peers: Vec<usize> = model.values().filter(is_peer).map(|other| other.position).collect();
    let latest = model.values().map(|other| epoch_of(&other.bytes)).max();
    let is_unproved = if found < written {
        peers.first() == Some(&hit.position) && found == written - 1
    } else {
        peers.last() == Some(&hit.position) && (found == written + 1 || latest == Some(written))
    };
    assert!(found == written || is_unproved || peers.len() == 1, "{context}: epoch {found} instead of {written}");
    found == written
}

fn epoch_of(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(bytes[EPOCH].try_into().expect("four bytes"))
}

/// Every bit of the checkpoint: it may be wrong, the batches are not, and none of them is put right by it.
#[test]
fn changed_checkpoints_change_no_batch() {
    let folder = folders::in_memory();
    for clean in [false, true] {
        let original = folder.path().join("t-0");
        let (model, recovery_point) = write_folder(&original, 5, 31, clean);
        let checkpoint = std::fs::read(original.join("leader-epoch-checkpoint")).expect("a checkpoint");
        for (byte, bit) in (0..checkpoint.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            let context = format!("clean {clean}, bit {bit} of byte {byte} of the checkpoint");
            let dir = folder.path().join("flip-0");
            copy(&original, &dir);
            let mut changed = checkpoint.clone();
            changed[byte] ^= 1 << bit;
            std::fs::write(dir.join("leader-epoch-checkpoint"), changed).expect("a file");
            let log = reopen(&dir, clean, recovery_point);
            assert_eq!(check(&log, &model, |_| false, &context), 0, "{context}");
            std::fs::remove_dir_all(dir).expect("clean up");
        }
        std::fs::remove_dir_all(original).expect("clean up");
    }
}

/// Every bit of the last batch's base offset, after a clean stop. Where gaps are allowed a larger offset looks like one,
/// and no batch follows that would contradict it; but the stop said where the log ended.
#[test]
fn a_changed_base_offset_of_the_last_batch() {
    let folder = folders::in_memory();
    let original = folder.path().join("t-0");
    let (model, recovery_point) = write_folder(&original, 5, 31, true);
    let last = model.last_key_value().expect("batches").1;
    for (gaps_allowed, bit) in [false, true].into_iter().flat_map(|gaps| (0..64).map(move |bit| (gaps, bit))) {
        let context = format!("gaps allowed {gaps_allowed}, bit {bit}");
        let dir = folder.path().join("flip-0");
        copy(&original, &dir);
        let mut bytes = std::fs::read(dir.join(&last.file)).expect("a file");
        bytes[last.position + bit / 8] ^= 1 << (bit % 8);
        std::fs::write(dir.join(&last.file), bytes).expect("a file");
        let mut log = reopen_with(&dir, true, recovery_point, gaps_allowed);
        let unreadable = check(&log, &model, |written| written.last_offset == last.last_offset, &context);
        assert_eq!(unreadable, 2, "{context}: the first and the last record of the batch are refused");
        assert_eq!(log.log_end_offset(), end_of(&model), "{context}: offsets were burned");
        check_next_offset(&mut log, end_of(&model), &context);
        std::fs::remove_dir_all(dir).expect("clean up");
    }
}
