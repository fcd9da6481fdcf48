//! A partition's `leader-epoch-checkpoint`: which leader epoch wrote the records from which offset on.

use std::path::Path;

use super::super::Result;
use super::super::disk::Disk;
use super::{damaged, parse_lines, read_text, render_lines};

/// The file's name.
pub const LEADER_EPOCH_FILE: &str = "leader-epoch-checkpoint";

/// The first offset of one leader epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// The leader epoch.
    pub epoch: i32,
    /// The first offset written under it.
    pub start_offset: i64,
}

/// Reads the file; empty when there is none.
pub fn read(disk: &Disk, path: &Path) -> Result<Vec<EpochStart>> {
    match read_text(disk, path)? {
        Some(text) => parse(path, &text),
        None => Ok(Vec::new()),
    }
}

/// Writes the file in place of the old one.
pub fn write(disk: &Disk, path: &Path, epochs: &[EpochStart]) -> Result<()> {
    disk.replace(path, render(epochs).as_bytes())
}

/// Writes the file at a log's first record, when the log itself still tells all that is in it: not durably.
pub fn write_first(disk: &Disk, path: &Path, epochs: &[EpochStart]) -> Result<()> {
    disk.put(path, render(epochs).as_bytes())
}

/// The file's text.
pub fn render(epochs: &[EpochStart]) -> String {
    render_lines(epochs.iter().map(|start| format!("{} {}", start.epoch, start.start_offset)))
}

/// Reads the file's text, whose epochs and offsets must ascend; `path` is for the error alone.
pub fn parse(path: &Path, text: &str) -> Result<Vec<EpochStart>> {
    let epochs = parse_lines(path, text, parse_line)?;
    let ascends =
        epochs.windows(2).all(|pair| pair[0].epoch < pair[1].epoch && pair[0].start_offset < pair[1].start_offset);
    if ascends { Ok(epochs) } else { Err(damaged(path, 0, "the epochs do not ascend")) }
}

fn parse_line(line: &str) -> std::result::Result<EpochStart, &'static str> {
    let parsed = || {
        let (epoch, start_offset) = line.split_once(' ')?;
        let epoch = epoch.parse().ok().filter(|epoch| *epoch >= 0)?;
        Some(EpochStart { epoch, start_offset: start_offset.parse().ok().filter(|offset| *offset >= 0)? })
    };
    parsed().ok_or("\"<epoch> <start offset>\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_kafkas_bytes() {
        for text in ["0\n0\n", "0\n1\n0 0\n", "0\n2\n0 0\n3 17\n"] {
            let epochs = parse(Path::new("f"), text).expect("a good file");
            assert_eq!(render(&epochs), text);
        }
    }

    #[test]
    fn refuses_epochs_that_do_not_ascend_or_are_none() {
        for text in [
            "0\n2\n1 0\n1 5\n",
            "0\n2\n0 5\n1 5\n",
            "0\n1\n-1 0\n",
            "0\n1\n0 -1\n",
            "0\n1\n0\n",
            "0\n1\n2147483648 0\n",
        ] {
            assert!(parse(Path::new("f"), text).is_err(), "{text:?}");
        }
    }
}
