//! Kafka's small text files, byte for byte.
//!
//! [`offsets`] are the files of a data folder that hold one offset per partition, [`epochs`] a partition's
//! `leader-epoch-checkpoint`, [`identity`] who a folder belongs to: `meta.properties`, `partition.metadata` and
//! `.kafka_cleanshutdown`. All are written whole, through [`Disk::replace`](super::disk::Disk::replace), and read
//! strictly: anything that Kafka would not have written is [`Error::Damaged`]. None of them is worth more than the
//! log: whoever reads a damaged one goes on as if it were not there, and says so.

pub mod epochs;
pub mod identity;
pub mod offsets;

use std::path::Path;

use super::disk::Disk;
use super::{Error, Result};

/// A file's text; `None` when there is no such file.
fn read_text(disk: &Disk, path: &Path) -> Result<Option<String>> {
    let Some(bytes) = disk.read_if_there(path)? else { return Ok(None) };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => Err(damaged(path, error.utf8_error().valid_up_to(), "text was expected, not these bytes")),
    }
}

/// The damage at a byte of a file.
fn damaged(path: &Path, position: usize, what: impl Into<String>) -> Error {
    Error::Damaged { path: path.to_owned(), position: position as u64, what: what.into() }
}

/// Writes Kafka's checkpoint frame: the version 0, how many lines follow, the lines.
fn render_lines(lines: impl ExactSizeIterator<Item = String>) -> String {
    let mut text = format!("0\n{}\n", lines.len());
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Reads Kafka's checkpoint frame, and each of its lines with `parse`, which says what it wanted instead.
fn parse_lines<T>(
    path: &Path,
    text: &str,
    parse: impl Fn(&str) -> std::result::Result<T, &'static str>,
) -> Result<Vec<T>> {
    let mut position = 0;
    let mut lines = Vec::new();
    let mut expected_count = None;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let Some(content) = line.strip_suffix('\n') else {
            return Err(damaged(path, position, "the last line is cut short"));
        };
        match index {
            0 if content != "0" => {
                return Err(damaged(path, position, format!("version 0 was expected, not {content:?}")));
            }
            0 => {}
            1 => match content.parse::<usize>() {
                Ok(count) => expected_count = Some(count),
                Err(_) => return Err(damaged(path, position, format!("a count was expected, not {content:?}"))),
            },
            _ => match parse(content) {
                Ok(entry) => lines.push(entry),
                Err(wanted) => return Err(damaged(path, position, format!("{wanted} was expected, not {content:?}"))),
            },
        }
        position += line.len();
    }
    match expected_count {
        Some(count) if count == lines.len() => Ok(lines),
        Some(count) => Err(damaged(path, position, format!("{count} lines were announced, {} are there", lines.len()))),
        None => Err(damaged(path, position, "the file ends before its count")),
    }
}
