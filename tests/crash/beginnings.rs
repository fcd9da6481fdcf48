//! The ends of a log: its beginning moves, and the power fails after every single change to the disk; its last segment is no
//! more than rubbish.

use std::sync::Arc;

use cutaway::storage::disk::{Disk, Script};
use cutaway::storage::log::Log;
use cutaway_tests::chance::Chance;
use cutaway_tests::folders;

use super::{Model, NOW_MS, append, check, check_next_offset, end_of, options, reopen, topic_id, write_folder};

const BATCHES: usize = 60;
/// After this one the log begins anew.
const MOVED_AFTER: usize = 45;

/// A file of which the disk kept nothing but its length, or something else: recovery looked for the stale batch that its first
/// bytes might be, met the damage, and took it for damage without end.
#[test]
fn a_last_segment_without_a_good_batch() {
    for (clean, rubbish) in [(true, false), (false, false), (true, true), (false, true)] {
        let folder = folders::in_memory();
        let dir = folder.path().join("t-0");
        let (model, recovery_point) = write_folder(&dir, 5, 60, clean);
        let last = model.last_key_value().expect("batches").1.file.clone();
        let size = std::fs::metadata(dir.join(&last)).expect("a file").len();
        let mut chance = Chance::new(9);
        let byte = |_| if rubbish { chance.number().to_le_bytes()[0] } else { 0 };
        std::fs::write(dir.join(&last), (0..size).map(byte).collect::<Vec<u8>>()).expect("a file");
        let context = format!("clean {clean}, rubbish {rubbish}");
        let mut log = reopen(&dir, clean, recovery_point);
        check(&log, &model, |written| written.file == last, &context);
        assert!(log.log_end_offset() <= end_of(&model), "{context}: it ends at {}", log.log_end_offset());
        check_next_offset(&mut log, if clean { recovery_point } else { 0 }, &context);
    }
}

/// What is readable from the new beginning on was durable before anything in front of it goes, so that it is there whatever is
/// left of the rest; and what is left of the rest is what was written.
#[test]
fn power_cut_while_the_beginning_moves() {
    let folder = folders::in_memory();
    let root = folder.path().join("live");
    let script = Arc::new(Script::default());
    let disk = Disk::scripted(Arc::clone(&script));
    let mut chance = Chance::new(11);
    let mut log = Log::create(&disk, &root.join("t-0"), topic_id(), 0, options(), NOW_MS).expect("a new log");
    disk.sync_dir(&root).expect("whoever makes logs makes their folders durable");
    let (mut model, mut beginning, mut moved) = (Model::new(), 0, 0..0);
    for number in 0..BATCHES {
        let (offset, written) = append(&mut log, &mut chance, number);
        model.insert(offset, written);
        if number == MOVED_AFTER {
            let outcome = log.begin_flush().run();
            log.end_flush(outcome).expect("a flush");
            beginning = offset;
            let before = script.changes().len();
            let mut dropped = log.begin_at(beginning).expect("a beginning");
            assert!(dropped.count() > 3, "{dropped:?}");
            while dropped.remove_next().expect("files to remove") {}
            moved = before..script.changes().len();
        }
    }
    assert_eq!(log.log_start_offset(), beginning);
    let durable = model.range(..=beginning).next_back().expect("batches").1.last_offset + 1;
    let changes = script.changes();
    assert!(moved.len() > 12, "three files of each segment are removed: {moved:?}");
    let cuts = (moved.start..=changes.len()).flat_map(|kept| [(kept, false), (kept, true)]);
    let mut half_removed = 0;
    for (kept, unsynced) in cuts {
        let context =
            format!("{kept} of {} changes, {moved:?} move the beginning, unsynced: {unsynced}", changes.len());
        let image = folder.path().join("image");
        std::fs::create_dir(&image).expect("a folder");
        Script::crash_image(&changes, kept, unsynced, &root, &image).expect("an image");
        let names =
            std::fs::read_dir(image.join("t-0")).expect("a folder").map(|entry| entry.expect("an entry").path());
        let logs: Vec<_> = names.filter(|path| path.extension().is_some_and(|suffix| suffix == "log")).collect();
        half_removed += usize::from(logs.iter().any(|path| !path.with_extension("index").exists()));
        let mut log = reopen(&image.join("t-0"), false, durable);
        let start = log.log_start_offset();
        assert!(start <= beginning, "{context}: it begins at {start}");
        let left: Model = model.range(start..).map(|(offset, written)| (*offset, written.clone())).collect();
        check(&log, &left, |written| written.last_offset >= durable, &context);
        check_next_offset(&mut log, durable, &context);
        std::fs::remove_dir_all(&image).expect("clean up");
    }
    assert!(half_removed > 3, "a segment that is half removed was met {half_removed} times");
}
