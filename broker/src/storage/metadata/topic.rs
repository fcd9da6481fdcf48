//! A topic as the metadata keeps it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::names::{TopicId, TopicName};
use crate::storage::{Error, Result};

/// Where a topic is in its life. Those being created or deleted are not served: they are what a crash left half done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TopicState {
    /// Its folders are being made; nobody was told that it exists.
    Creating,
    /// It exists.
    Live,
    /// It exists, and gets more partitions: as many as the record says. Nobody was told of those yet.
    Extending,
    /// Its folders are being renamed away.
    Deleting,
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRecord {
    /// The name; no two topics have the same.
    pub name: TopicName,
    /// The id.
    pub id: TopicId,
    /// Partitions are numbered from 0.
    pub partition_count: i32,
    /// What the topic sets itself, by Kafka's keys.
    pub overrides: BTreeMap<String, String>,
    /// Where it is in its life.
    pub state: TopicState,
    /// The run whose leader epoch is 0. A leader epoch is the number of runs since, so that it rises with every start
    /// and begins at 0 for a new topic, as in Kafka. Negative for a log that came with higher epochs.
    pub first_run: i64,
    /// How many replicas its partitions have.
    pub replication: Replication,
    /// The logs were found, not made here: what they were compacted by is unknown.
    pub adopted: bool,
}

/// How many replicas the partitions of a topic were asked to have, and on which nodes, as far as somebody said. The wish is
/// kept and not what came of it: the next start may have more nodes, or fewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// Of each partition that nobody put anywhere.
    pub factor: i16,
    /// The nodes of those that somebody put there, by partition; the first is to lead.
    pub assigned: BTreeMap<i32, Vec<i32>>,
}

impl Replication {
    /// So many replicas, wherever they come to be.
    pub fn of(factor: i16) -> Replication {
        Replication { factor, assigned: BTreeMap::new() }
    }
}

impl Default for Replication {
    /// One of each partition.
    fn default() -> Replication {
        Replication::of(1)
    }
}

/// A topic as it is kept: JSON, so that a later version can add to it.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredTopic {
    name: String,
    partition_count: i32,
    overrides: BTreeMap<String, String>,
    state: TopicState,
    first_run: i64,
    adopted: bool,
    /// Files of an older Cutaway do not have it.
    #[serde(default)]
    replication: Replication,
}

impl StoredTopic {
    pub(super) fn render(topic: &TopicRecord) -> String {
        let stored = StoredTopic {
            name: topic.name.to_string(),
            partition_count: topic.partition_count,
            overrides: topic.overrides.clone(),
            state: topic.state,
            first_run: topic.first_run,
            adopted: topic.adopted,
            replication: topic.replication.clone(),
        };
        serde_json::to_string(&stored).expect("a map with texts as keys is always JSON")
    }

    pub(super) fn parse(path: &Path, id: u128, text: &str) -> Result<TopicRecord> {
        let damaged = |what: String| Error::Damaged { path: path.to_owned(), position: 0, what };
        let stored: StoredTopic =
            serde_json::from_str(text).map_err(|error| damaged(format!("topic {id:032x}: {error}")))?;
        Ok(TopicRecord {
            name: TopicName::parse(&stored.name).map_err(|error| damaged(error.to_string()))?,
            id: TopicId::from_uuid(Uuid::from_u128(id)).ok_or_else(|| damaged("a topic has the zero id".into()))?,
            partition_count: stored.partition_count,
            overrides: stored.overrides,
            state: stored.state,
            first_run: stored.first_run,
            adopted: stored.adopted,
            replication: stored.replication,
        })
    }
}
