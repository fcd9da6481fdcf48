//! What a running broker says of itself.

use std::path::PathBuf;

use crate::clock::TimestampMs;

/// The answer to `GET /status`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Status {
    /// The version of Cutaway.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// The cluster's id.
    pub cluster_id: String,
    /// `node.id`; of several nodes, that of the first.
    pub node_id: i32,
    /// How many nodes the process shows itself as (`cutaway.nodes`); more than one are simulated.
    pub nodes: i32,
    /// In the order of the settings; at least one.
    pub listeners: Vec<ListenerStatus>,
    /// The absolute path of the data folder.
    pub data_folder: PathBuf,
    /// When it began to start, by its clock.
    pub started_at_ms: TimestampMs,
    /// The same as RFC 3339.
    pub started_at: String,
    /// How many topics there are.
    pub topics: usize,
    /// How many partitions they have together.
    pub partitions: usize,
    /// What recovery found at start, a sentence each.
    pub recovery: Vec<String>,
}

/// One listener of a running broker.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ListenerStatus {
    /// The id of the node whose it is.
    pub node: i32,
    /// Its name.
    pub name: String,
    /// What was bound: `PLAINTEXT://127.0.0.1:9092`.
    pub address: String,
    /// What clients are told: `PLAINTEXT://localhost:9092`.
    pub advertised: String,
}
