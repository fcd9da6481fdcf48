//! What Kafka keeps in its metadata log, kept here in one redb file: the cluster's id, the topics with their ids and
//! settings, how often the broker was started, the producer ids that were given out. Not the logs: a lost file can be
//! rebuilt from the folders of the partitions, and [`crate::topics`] does so.
//!
//! Every change is one durable commit in two phases: metadata changes rarely, and a second fsync per change is a fair
//! price for a commit that does not depend on checksums to be told from a torn one.

mod backend;
mod settings;
mod topic;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, WriteTransaction};

use self::backend::{FileBackend, MemoryBackend};
use self::topic::StoredTopic;
use super::disk::Disk;
use super::{Error, Result};
use crate::config::Scope;
use crate::names::TopicId;

pub use topic::{Replication, TopicRecord, TopicState};

/// The file's name in the data folder.
pub const METADATA_FILE: &str = "cutaway.redb";
/// How many producer ids are taken at once; as many as Kafka's controller hands to a broker.
pub const PRODUCER_ID_BLOCK_SIZE: i64 = 1000;

/// The layout of the tables below. A file with a higher number was written by a newer Cutaway.
const FORMAT_VERSION: i64 = 1;
/// redb's page cache; the whole file is rarely larger.
const CACHE_SIZE_BYTES: usize = 1 << 20;

const TEXTS: TableDefinition<'_, &str, &str> = TableDefinition::new("texts");
const NUMBERS: TableDefinition<'_, &str, i64> = TableDefinition::new("numbers");
/// Topic id to [`StoredTopic`] as JSON.
const TOPICS: TableDefinition<'_, u128, &str> = TableDefinition::new("topics");

const CLUSTER_ID: &str = "cluster id";
const FORMAT: &str = "format version";
const RUNS: &str = "runs";
const NEXT_PRODUCER_ID: &str = "next producer id";

/// The metadata of one data folder.
///
/// After an error of the disk redb does nothing any more until it is opened again. On a full disk that is what happens: the
/// next use opens it, and when there is room again it works again. After a failed sync it stays shut, as a log does.
#[derive(Debug)]
pub struct Metadata {
    /// `None` after a failed write, until the next use.
    database: Mutex<Option<Database>>,
    disk: Disk,
    path: PathBuf,
    sync_failed: Arc<AtomicBool>,
}

/// What a new metadata file begins with.
#[derive(Clone, Debug)]
pub struct Founding {
    /// The cluster's id.
    pub cluster_id: String,
    /// The first producer id that was never given out.
    pub next_producer_id: i64,
    /// What is set for all brokers from the beginning.
    pub altered: BTreeMap<String, String>,
}

/// Why a metadata file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer version wrote it; it was not touched.
    #[error("{0}")]
    Newer(String),
    /// It names this cluster, not the one that was wanted; it was not touched.
    #[error("it belongs to the cluster {0}")]
    OtherCluster(String),
    /// It is no such file any more.
    #[error("{0}")]
    Damaged(String),
    /// The disk failed.
    #[error(transparent)]
    Storage(#[from] Error),
}

impl Metadata {
    /// Makes a new file, whole or not at all: it is put together in memory first. It counts as run 0.
    pub fn create(disk: &Disk, path: &Path, founding: &Founding) -> Result<Metadata> {
        let memory = MemoryBackend::default();
        let database = builder().create_with_backend(memory.clone()).map_err(fault("create", path))?;
        let metadata = Metadata::of(disk, path, database);
        metadata.change(|transaction| {
            transaction.open_table(TEXTS)?.insert(CLUSTER_ID, founding.cluster_id.as_str())?;
            let mut numbers = transaction.open_table(NUMBERS)?;
            numbers.insert(FORMAT, FORMAT_VERSION)?;
            numbers.insert(RUNS, 1)?;
            numbers.insert(NEXT_PRODUCER_ID, founding.next_producer_id)?;
            // A table that no one opened for writing could not be read.
            transaction.open_table(TOPICS)?;
            settings::put(transaction, Scope::Cluster, &founding.altered)
        })?;
        drop(metadata);
        disk.replace(path, &memory.bytes())?;
        let metadata = Metadata::closed(disk, path);
        metadata.with_database("open", |_| Ok(()))?;
        Ok(metadata)
    }

    /// Opens a file that is there, of the given cluster if one is given. It is first checked as a copy in memory, so
    /// that one which is refused is left exactly as it was.
    pub fn open(disk: &Disk, path: &Path, cluster_id: Option<&str>) -> std::result::Result<Metadata, OpenError> {
        check_copy(disk, path, disk.read(path)?, cluster_id)?;
        let metadata = Metadata::closed(disk, path);
        metadata.with_database("open", |_| Ok(()))?;
        Ok(metadata)
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> Result<String> {
        self.with_database("read", |database| {
            let table = database.begin_read()?.open_table(TEXTS)?;
            Ok(table.get(CLUSTER_ID)?.map_or_else(String::new, |text| text.value().to_owned()))
        })
    }

    /// Every topic, whatever its state, in the order of the ids.
    pub fn topics(&self) -> Result<Vec<TopicRecord>> {
        let stored: Vec<(u128, String)> = self.with_database("read", |database| {
            let table = database.begin_read()?.open_table(TOPICS)?;
            table
                .iter()?
                .map(|entry| entry.map(|(id, text)| (id.value(), text.value().to_owned())).map_err(Into::into))
                .collect()
        })?;
        stored.into_iter().map(|(id, text)| StoredTopic::parse(&self.path, id, &text)).collect()
    }

    /// Counts a start of the broker; returns its number, from 0. Never the same twice, also across kills.
    pub fn begin_run(&self) -> Result<i64> {
        self.take(RUNS, 1)
    }

    /// The number that the next start gets.
    pub fn next_run(&self) -> Result<i64> {
        self.number(RUNS)
    }

    /// Takes a block of [`PRODUCER_ID_BLOCK_SIZE`] producer ids that no one was given before; returns the first.
    pub fn take_producer_id_block(&self) -> Result<i64> {
        self.take(NEXT_PRODUCER_ID, PRODUCER_ID_BLOCK_SIZE)
    }

    /// Makes sure that no producer id up to `used` is given out any more.
    pub fn raise_next_producer_id(&self, used: i64) -> Result<()> {
        self.change(|transaction| {
            let mut numbers = transaction.open_table(NUMBERS)?;
            let next = numbers.get(NEXT_PRODUCER_ID)?.map_or(0, |number| number.value());
            numbers.insert(NEXT_PRODUCER_ID, next.max(used.saturating_add(1)))?;
            Ok(())
        })
    }

    /// Whether a failed sync has shut the file until a restart: the last commit may be found there, or not.
    pub fn is_shut(&self) -> bool {
        self.sync_failed.load(Ordering::Relaxed)
    }

    /// The first producer id that was never given out.
    pub fn next_producer_id(&self) -> Result<i64> {
        self.number(NEXT_PRODUCER_ID)
    }

    /// Adds a topic, or changes the one with this id.
    pub fn put_topic(&self, topic: &TopicRecord) -> Result<()> {
        self.put_topics([topic])
    }

    /// The same for many, in one commit.
    pub fn put_topics<'a>(&self, topics: impl IntoIterator<Item = &'a TopicRecord>) -> Result<()> {
        self.change(|transaction| {
            let mut table = transaction.open_table(TOPICS)?;
            for topic in topics {
                table.insert(topic.id.uuid().as_u128(), StoredTopic::render(topic).as_str())?;
            }
            Ok(())
        })
    }

    /// Forgets topics whose folders are gone.
    pub fn remove_topics(&self, ids: &[TopicId]) -> Result<()> {
        self.change(|transaction| {
            let mut topics = transaction.open_table(TOPICS)?;
            for id in ids {
                topics.remove(id.uuid().as_u128())?;
            }
            Ok(())
        })
    }

    fn number(&self, key: &str) -> Result<i64> {
        self.with_database("read", |database| {
            let table = database.begin_read()?.open_table(NUMBERS)?;
            Ok(table.get(key)?.map_or(0, |number| number.value()))
        })
    }

    /// Advances a number durably; returns what it was.
    fn take(&self, key: &str, count: i64) -> Result<i64> {
        let (mut before, mut after) = (0, None);
        self.change(|transaction| {
            let mut numbers = transaction.open_table(NUMBERS)?;
            before = numbers.get(key)?.map_or(0, |number| number.value());
            after = before.checked_add(count).filter(|_| before >= 0);
            if let Some(after) = after {
                numbers.insert(key, after)?;
            }
            Ok(())
        })?;
        match after {
            Some(_) => Ok(before),
            None => Err(Error::io("commit to", &self.path)(std::io::Error::other(format!(
                "the numbers for \"{key}\" are used up: it stands at {before}; move the file away while the broker is \
                 stopped, and the next start makes a new one from the folders"
            )))),
        }
    }

    /// Makes one durable commit.
    fn change(&self, change: impl FnOnce(&WriteTransaction) -> std::result::Result<(), redb::Error>) -> Result<()> {
        self.with_database("commit to", |database| {
            let mut transaction = database.begin_write()?;
            transaction.set_two_phase_commit(true);
            change(&transaction)?;
            transaction.commit()?;
            Ok(())
        })
    }

    fn of(disk: &Disk, path: &Path, database: Database) -> Metadata {
        Metadata { database: Mutex::new(Some(database)), ..Metadata::closed(disk, path) }
    }

    fn closed(disk: &Disk, path: &Path) -> Metadata {
        let (disk, path) = (disk.clone(), path.to_owned());
        Metadata { database: Mutex::new(None), disk, path, sync_failed: Arc::default() }
    }

    /// Works with the open file. Where a write fails, the next use opens it anew, like a start after a kill.
    fn with_database<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Database) -> std::result::Result<T, redb::Error>,
    ) -> Result<T> {
        let mut kept = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match kept.take() {
            Some(database) => database,
            None => self.open_file()?,
        };
        let outcome = work(&database);
        let is_shut = matches!(outcome, Err(redb::Error::Io(_) | redb::Error::PreviousIo));
        if !is_shut || self.sync_failed.load(Ordering::Relaxed) {
            *kept = Some(database);
        }
        outcome.map_err(fault(action, &self.path))
    }

    fn open_file(&self) -> Result<Database> {
        let file = FileBackend::new(self.disk.open(&self.path, false)?, &self.sync_failed);
        let opened = open_without_panic(&builder(), file);
        opened.map_err(|what| Error::io("open", &self.path)(std::io::Error::other(what)))
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_SIZE_BYTES);
    builder
}

/// Opens a copy of the file in memory, checks every page, and reads what is needed to trust it.
fn check_copy(disk: &Disk, path: &Path, bytes: Vec<u8>, wanted: Option<&str>) -> std::result::Result<(), OpenError> {
    let mut checking = builder();
    checking.set_check_integrity_on_open(true);
    let database = open_without_panic(&checking, MemoryBackend::new(bytes)).map_err(OpenError::Damaged)?;
    let copy = Metadata::of(disk, path, database);
    let version = copy.number(FORMAT).map_err(|error| OpenError::Damaged(error.to_string()))?;
    if version > FORMAT_VERSION {
        return Err(OpenError::Newer(format!(
            "a newer version of Cutaway wrote {} (format {version}, this one reads up to {FORMAT_VERSION}); \
             start that version, or choose another data folder",
            path.display()
        )));
    }
    let readable = copy.topics().and_then(|_| copy.cluster_id());
    match readable.map_err(|error| OpenError::Damaged(error.to_string()))? {
        found if wanted.is_some_and(|wanted| wanted != found) => Err(OpenError::OtherCluster(found)),
        _ => Ok(()),
    }
}

/// redb may panic on pages that were altered behind its back; to us that is damage like any other.
fn open_without_panic(builder: &Builder, backend: impl StorageBackend) -> std::result::Result<Database, String> {
    match catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(backend))) {
        Ok(opened) => opened.map_err(|error| error.to_string()),
        Err(_) => Err("redb could not make sense of its pages".into()),
    }
}

/// Wraps redb's error with what was tried.
fn fault<E: Into<redb::Error>>(action: &'static str, path: &Path) -> impl FnOnce(E) -> Error {
    let path = path.to_owned();
    move |error| match error.into() {
        redb::Error::Io(source) => Error::Io { action, path, source },
        redb::Error::Corrupted(what) => Error::Damaged { path, position: 0, what },
        other => Error::Io { action, path, source: std::io::Error::other(other) },
    }
}

#[cfg(test)]
mod tests;
