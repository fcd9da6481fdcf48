//! Temporary folders.

use std::path::Path;

/// A folder in memory where there is such a place, so that thousands of fsyncs cost nothing. For tests of what is
/// written, not of how fast or how durable.
///
/// # Panics
/// When no temporary folder can be made.
pub fn in_memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder")
}
