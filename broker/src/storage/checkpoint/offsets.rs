//! The checkpoints of a data folder that hold one offset per partition: `recovery-point-offset-checkpoint`,
//! `log-start-offset-checkpoint`, `replication-offset-checkpoint`, `cleaner-offset-checkpoint`.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::Result;
use super::super::disk::Disk;
use super::{parse_lines, read_text, render_lines};
use crate::names::{TopicName, TopicPartition};

/// Below these offsets everything is on disk.
pub const RECOVERY_POINT_FILE: &str = "recovery-point-offset-checkpoint";
/// Where logs begin whose first records were deleted.
pub const LOG_START_FILE: &str = "log-start-offset-checkpoint";
/// The high watermarks.
pub const HIGH_WATERMARK_FILE: &str = "replication-offset-checkpoint";

/// One offset per partition.
pub type Offsets = BTreeMap<TopicPartition, i64>;

/// Reads a checkpoint; empty when there is no such file.
pub fn read(disk: &Disk, path: &Path) -> Result<Offsets> {
    match read_text(disk, path)? {
        Some(text) => parse(path, &text),
        None => Ok(Offsets::new()),
    }
}

/// Writes a checkpoint in place of the old one.
pub fn write(disk: &Disk, path: &Path, offsets: &Offsets) -> Result<()> {
    disk.replace(path, render(offsets).as_bytes())
}

/// The file's text.
pub fn render(offsets: &Offsets) -> String {
    render_lines(offsets.iter().map(|(id, offset)| format!("{} {} {offset}", id.topic, id.partition)))
}

/// Reads the file's text; `path` is for the error alone.
pub fn parse(path: &Path, text: &str) -> Result<Offsets> {
    Ok(parse_lines(path, text, parse_line)?.into_iter().collect())
}

fn parse_line(line: &str) -> std::result::Result<(TopicPartition, i64), &'static str> {
    let parsed = || {
        let (rest, offset) = line.rsplit_once(' ')?;
        let (topic, partition) = rest.split_once(' ')?;
        let partition = partition.parse().ok().filter(|number| *number >= 0)?;
        let id = TopicPartition { topic: TopicName::parse(topic).ok()?, partition };
        Some((id, offset.parse().ok()?))
    };
    parsed().ok_or("\"<topic> <partition> <offset>\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Error;

    /// Copied from what a real broker wrote, with its order replaced by ours.
    const WRITTEN: &str = "0\n3\na.b_c 0 0\nseg 0 2034\nseg 11 -1\n";

    #[test]
    fn reads_and_writes_kafkas_bytes() {
        let offsets = parse(Path::new("f"), WRITTEN).expect("a good file");
        assert_eq!(offsets.len(), 3);
        assert_eq!(render(&offsets), WRITTEN);
        assert_eq!(render(&Offsets::new()), "0\n0\n");
    }

    #[test]
    fn refuses_whatever_kafka_would_not_have_written() {
        for (text, at) in [
            ("", 0),
            ("0\n", 2),
            ("1\n0\n", 0),
            ("0\nx\n", 2),
            ("0\n-1\n", 2),
            ("0\n2\na 0 0\n", 10),
            ("0\n0\na 0 0\n", 10),
            ("0\n1\na 0 0", 4),
            ("0\n1\na 0 \n", 4),
            ("0\n1\na -1 0\n", 4),
            ("0\n1\na  0 0\n", 4),
            ("0\n1\na/b 0 0\n", 4),
            ("0\n1\na 0 0 0\n", 4),
            ("0\n99999999999999999999999\n", 2),
        ] {
            match parse(Path::new("f"), text) {
                Err(Error::Damaged { position, .. }) => assert_eq!(position, at, "{text:?}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_missing_file_is_empty_and_a_written_one_comes_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (disk, path) = (Disk::default(), folder.path().join(RECOVERY_POINT_FILE));
        assert_eq!(read(&disk, &path).expect("no file is no error"), Offsets::new());
        let offsets = parse(&path, WRITTEN).expect("a good file");
        write(&disk, &path, &offsets).expect("written");
        assert_eq!(read(&disk, &path).expect("read back"), offsets);
    }
}
