//! The beginning of a log moves, and the power fails after every single change to the disk.

use std::sync::Arc;

use cutaway::storage::disk::{Disk, Script};
use cutaway::storage::log::Log;
use cutaway_tests::chance::Chance;
use cutaway_tests::folders;

use super::{Model, NOW_MS, append, check, check_next_offset, options, reopen, topic_id};

const BATCHES: usize = 60;
/// After this one the log begins anew.
const MOVED_AFTER: usize = 45;

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
