//! The small files beside a log, in words.

use std::error::Error;

use super::Bench;

impl Bench {
    /// What a file says, entry by entry; text as it stands there.
    pub(super) fn show(&self, name: &str) -> Result<String, Box<dyn Error>> {
        let bytes = std::fs::read(self.dir().join(name))?;
        let lines: Vec<String> = match name.rsplit_once('.').map_or("", |(_, suffix)| suffix) {
            "index" => bytes
                .chunks(8)
                .map(|entry| format!("offset +{} position {}", i32_at(entry, 0), i32_at(entry, 4)))
                .collect(),
            "timeindex" => bytes
                .chunks(12)
                .map(|entry| format!("timestamp {} offset +{}", i64_at(entry, 0), i32_at(entry, 8)))
                .collect(),
            "snapshot" => bytes[10..]
                .chunks(46)
                .map(|entry| {
                    format!(
                        "producer {} last sequence {} last offset {} open since {}",
                        i64_at(entry, 0),
                        i32_at(entry, 10),
                        i64_at(entry, 14),
                        i64_at(entry, 38)
                    )
                })
                .collect(),
            "txnindex" => bytes
                .chunks(34)
                .map(|entry| {
                    let [producer, first, last, stable] = [2, 10, 18, 26].map(|at| i64_at(entry, at));
                    format!("producer {producer} first {first} last {last} stable {stable}")
                })
                .collect(),
            _ => return Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned()),
        };
        Ok(lines.join("\n"))
    }
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
