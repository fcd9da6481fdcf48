//! Rolls that fail half-way, when descriptors or space run out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cutaway::storage::disk::{Change, Disk, Script};
use cutaway::storage::log::{Appended, Log};
use cutaway_tests::chance::Chance;
use cutaway_tests::folders;

use super::{
    Model, NOW_MS, Outcome, Written, batch_of, check, check_next_offset, end_of, options, read, reopen, topic_id,
    write_folder,
};

/// A segment that nobody has read since the start is not open. When its folder gets another name, because the topic was
/// deleted, nothing may be read from the folder of a namesake.
#[test]
fn a_renamed_log_reads_nothing_of_its_namesake() {
    let folder = folders::in_memory();
    let (dir, gone, other) = (folder.path().join("t-0"), folder.path().join("gone"), folder.path().join("other"));
    let (model, end) = write_folder(&dir, 5, 60, true);
    write_folder(&other, 6, 60, true);
    let mut log = reopen(&dir, true, end);
    let (first, last) = (*model.keys().next().expect("batches"), end - 1);
    assert!(matches!(read(&log, last), Outcome::Bytes(_)));
    log.rename(&gone).expect("renamed");
    std::fs::rename(&other, &dir).expect("a namesake");
    assert_eq!(read(&log, first), Outcome::Refused, "of the first segment nothing was open");
    assert!(matches!(read(&log, last), Outcome::Bytes(_)), "the last one was open, and stays so");
}

/// A roll fails half-way at each of its steps, smaller batches still fit into the old segment, and then comes a kill or
/// a stop: everything acknowledged is there, and no offset is given twice.
#[test]
fn a_roll_that_fails_half_way() {
    for (clean, failing_step) in (0..25).flat_map(|step| [(false, step), (true, step)]) {
        let folder = folders::in_memory();
        let dir = folder.path().join("t-0");
        let script = Arc::new(Script::default());
        let disk = Disk::scripted(Arc::clone(&script));
        let mut log = Log::create(&disk, &dir, topic_id(), 0, options(), NOW_MS).expect("a new log");
        let (mut chance, mut model, mut number) = (Chance::new(5), Model::new(), 0);
        let context = format!("clean {clean}, step {failing_step} of the roll fails");
        let mut refused = false;
        for turn in 0..60 {
            if turn == 10 {
                fail_from(&script, failing_step);
            }
            // Large batches until one finds no room, then small ones that still fit into the old segment.
            match log.append(&batch_of(&mut chance, number, if refused { 1 } else { 400 }), NOW_MS) {
                Ok(appended) => {
                    model.insert(appended.base_offset, read_batch(&log, &appended));
                    number += 1;
                }
                Err(_) => refused = true,
            }
        }
        script.heal();
        let end = log.log_end_offset();
        if clean {
            log.close().expect("a clean stop");
        }
        drop(log);
        let mut log = reopen(&dir, clean, if clean { end } else { 0 });
        assert_eq!(check(&log, &model, |_| false, &context), 0, "{context}");
        check_next_offset(&mut log, end_of(&model), &context);
    }
}

/// Lets every change to the disk fail from the given one on, but for the writes of batches.
fn fail_from(script: &Script, failing_step: usize) {
    let counted = AtomicUsize::new(0);
    script.fail_when(move |change| {
        let is_log = |path: &std::path::Path| path.extension().is_some_and(|suffix| suffix == "log");
        if matches!(change, Change::Write(path, ..) if is_log(path)) {
            return None;
        }
        let step = counted.fetch_add(1, Ordering::Relaxed);
        (step >= failing_step).then(|| std::io::Error::from_raw_os_error(24))
    });
}

/// The batch that was just appended, as it stands in the file.
fn read_batch(log: &Log, appended: &Appended) -> Written {
    let Outcome::Bytes(bytes) = read(log, appended.base_offset) else { panic!("an appended batch can be read") };
    let file = format!("{:020}.log", appended.segment_base_offset);
    let position = usize::try_from(appended.position).expect("a small file");
    Written { bytes, last_offset: appended.last_offset, file, position }
}
