//! A consumer group as a textbook: each script in `scripts/group/` is a page, and its output is what the group really did.
//! No sockets and no waiting: time is what a script says that it is.
//!
//! To write a page, leave the output away and run `UPDATE_GOLDENFILES=1 cargo test -p cutaway-tests group`.

mod bench;
mod many;
mod model;
mod words;

use std::path::{Path, PathBuf};

use bench::Bench;

#[test]
fn scripts() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/group");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(scripts)
        .expect("the folder of scripts")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    pages.sort();
    assert!(!pages.is_empty());
    for page in pages {
        goldenscript::run(&mut Bench::new(), &page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    }
}
