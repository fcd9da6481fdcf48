//! What was found wrong while a folder was opened: told in the log, in the journal, and in a file that is still there
//! when somebody looks later.

use std::path::{Path, PathBuf};

use crate::clock::{Clock, TimestampMs};
use crate::config::limits::FINDINGS_FILE_BYTES;
use crate::journal::{Event, Journal};
use crate::names::TopicPartition;
use crate::storage::checkpoint::identity;
use crate::storage::disk::Disk;
use crate::storage::{Error, Result, log};

/// The file's name in the data folder.
pub(super) const FINDINGS_FILE: &str = "recovery-findings.txt";

/// What was found in one folder, in the order of the finding.
#[derive(Debug, Default)]
pub(super) struct Findings {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// `None`: it concerns the whole folder.
    partition: Option<TopicPartition>,
    file: PathBuf,
    position: u64,
    sentence: String,
}

impl Findings {
    /// Something about the whole folder.
    pub(super) fn add(&mut self, file: &Path, sentence: impl Into<String>) {
        self.entries.push(Entry { partition: None, file: file.to_owned(), position: 0, sentence: sentence.into() });
    }

    /// Something about one partition.
    pub(super) fn add_for(&mut self, partition: &TopicPartition, file: &Path, sentence: impl Into<String>) {
        let partition = Some(partition.clone());
        self.entries.push(Entry { partition, file: file.to_owned(), position: 0, sentence: sentence.into() });
    }

    /// What the recovery of one log found.
    pub(super) fn add_recovered(&mut self, partition: &TopicPartition, finding: log::Finding) {
        let log::Finding { file, position, sentence, .. } = finding;
        self.entries.push(Entry { partition: Some(partition.clone()), file, position, sentence });
    }

    /// A file that could be read, or, if it is damaged, what stands in for it; any other failure is passed on.
    pub(super) fn or_default<T: Default>(&mut self, path: &Path, read: Result<T>, consequence: &str) -> Result<T> {
        match read {
            Err(error @ Error::Damaged { .. }) => {
                self.add(path, format!("{error}; {consequence}"));
                Ok(T::default())
            }
            other => other,
        }
    }

    /// Tells everybody.
    pub(super) fn report(&self, disk: &Disk, folder: &Path, clock: &Clock, journal: &Journal) {
        for entry in &self.entries {
            tracing::warn!("{}", entry.line());
            journal.record(|| Event::RecoveryFound {
                topic: entry.partition.as_ref().map_or_else(String::new, |partition| partition.topic.to_string()),
                partition: entry.partition.as_ref().map_or(-1, |partition| partition.partition),
                file: entry.file.clone(),
                position: entry.position,
                sentence: entry.sentence.clone(),
            });
        }
        if let Err(error) = self.append_to_file(disk, &folder.join(FINDINGS_FILE), clock.now_ms()) {
            tracing::warn!("the findings above could not be kept: {error}");
        }
    }

    /// Adds the new ones to the file; what stands there already, as damage that is found at each start, is not repeated.
    fn append_to_file(&self, disk: &Disk, path: &Path, now_ms: TimestampMs) -> Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let mut text =
            if disk.exists(path) { String::from_utf8_lossy(&disk.read(path)?).into_owned() } else { String::new() };
        if text.len() > FINDINGS_FILE_BYTES {
            disk.rename(path, &path.with_extension("txt.old"))?;
            text.clear();
        }
        let before = text.len();
        for entry in &self.entries {
            let line = entry.line();
            if !text.contains(&line) {
                text.push_str(&format!("{}  {line}\n", identity::java_date(now_ms)));
            }
        }
        if text.len() > before { disk.replace(path, text.as_bytes()) } else { Ok(()) }
    }
}

impl Entry {
    fn line(&self) -> String {
        let Entry { file, position, sentence, .. } = self;
        match position {
            0 => format!("{}: {sentence}", file.display()),
            position => format!("{} at byte {position}: {sentence}", file.display()),
        }
    }
}
