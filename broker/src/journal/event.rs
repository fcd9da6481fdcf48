//! Everything that the broker tells of itself: one closed list of plain values.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Something that just happened.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A client's connection was accepted.
    ClientConnected {
        /// Counts the connections of this run.
        connection: u64,
        /// Where it comes from.
        peer: SocketAddr,
        /// The listener that it reached.
        listener: String,
    },
    /// The client said who it is (ApiVersions v3+), or at least gave a client id.
    ClientIdentified {
        /// Which connection.
        connection: u64,
        /// As in its request headers.
        client_id: String,
        /// Such as `apache-kafka-java`; empty if it did not say.
        software_name: String,
        /// Empty if it did not say.
        software_version: String,
    },
    /// A connection ended.
    ClientGone {
        /// Which connection.
        connection: u64,
        /// As in its request headers; empty if it sent none.
        client_id: String,
        /// How many requests it made.
        requests: u64,
        /// Who ended it, and why.
        why: String,
    },
    /// A topic exists that did not before.
    TopicCreated {
        /// Its name.
        topic: String,
        /// Its id, 22 characters.
        topic_id: String,
        /// Its partitions.
        partitions: i32,
        /// The principal that asked.
        by: String,
        /// How it came to be.
        origin: TopicOrigin,
    },
    /// A topic has more partitions than before.
    TopicExtended {
        /// Its name.
        topic: String,
        /// Its id, 22 characters.
        topic_id: String,
        /// Its partitions now.
        partitions: i32,
        /// The principal that asked.
        by: String,
    },
    /// Partitions of a topic are on other nodes than before.
    ReplicasMoved {
        /// Its name.
        topic: String,
        /// Its id, 22 characters.
        topic_id: String,
        /// Which, by their numbers.
        partitions: Vec<i32>,
        /// The principal that asked.
        by: String,
    },
    /// A topic exists no more.
    TopicDeleted {
        /// Its name.
        topic: String,
        /// Its id, 22 characters.
        topic_id: String,
        /// The principal that asked.
        by: String,
    },
    /// A generation of a group has its assignment: its members work.
    GroupSettled {
        /// The group's id, or as much of it as is told.
        group: String,
        /// The generation.
        generation: i32,
        /// How many members it has.
        members: usize,
        /// By which protocol they share the work.
        protocol: String,
    },
    /// The last member of a group is gone; what was committed stays.
    GroupEmptied {
        /// The group's id, or as much of it as is told.
        group: String,
        /// The generation, which nobody is in.
        generation: i32,
    },
    /// A group is gone with all that was committed in its name: deleted, or nobody had used it for long.
    GroupDeleted {
        /// The group's id, or as much of it as is told.
        group: String,
    },
    /// Settings changed while the broker runs.
    SettingsAltered {
        /// Whose: a topic, this broker, or all brokers.
        of: String,
        /// Which settings, by their keys.
        keys: Vec<String>,
        /// The principal that asked.
        by: String,
    },
    /// The first records a partition ever got in this run.
    FirstRecord {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first record's offset.
        offset: i64,
        /// The segment that holds it.
        file: PathBuf,
        /// The byte of that file where its batch begins.
        position: u64,
        /// Who sent it.
        client_id: String,
    },
    /// Recovery found something at start.
    RecoveryFound {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The file.
        file: PathBuf,
        /// The byte of that file.
        position: u64,
        /// What was found, what was done, what it means for readers.
        sentence: String,
    },
    /// A request was not answered, or its connection was closed, because it breaks a rule.
    RequestRefused {
        /// Which connection.
        connection: u64,
        /// Where it comes from.
        peer: SocketAddr,
        /// As in its request headers; empty if it sent none.
        client_id: String,
        /// The rule.
        why: String,
    },
}

/// How a topic came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TopicOrigin {
    /// Somebody wanted it.
    Requested,
    /// A client asked for its metadata.
    Automatic,
    /// Its folders were taken over from another broker.
    Adopted,
}

impl Event {
    /// About how much memory the event takes: its own size and that of its texts.
    pub fn size_bytes(&self) -> usize {
        let texts = match self {
            Event::ClientConnected { listener, .. } => listener.len(),
            Event::ClientIdentified { client_id, software_name, software_version, .. } => {
                client_id.len() + software_name.len() + software_version.len()
            }
            Event::ClientGone { client_id, why, .. } | Event::RequestRefused { client_id, why, .. } => {
                client_id.len() + why.len()
            }
            Event::TopicCreated { topic, topic_id, by, .. }
            | Event::TopicExtended { topic, topic_id, by, .. }
            | Event::TopicDeleted { topic, topic_id, by } => topic.len() + topic_id.len() + by.len(),
            Event::ReplicasMoved { topic, topic_id, partitions, by } => {
                topic.len() + topic_id.len() + by.len() + size_of_val(partitions.as_slice())
            }
            Event::GroupSettled { group, protocol, .. } => group.len() + protocol.len(),
            Event::GroupEmptied { group, .. } | Event::GroupDeleted { group } => group.len(),
            Event::SettingsAltered { of, keys, by } => {
                of.len() + by.len() + keys.iter().map(|key| size_of::<String>() + key.len()).sum::<usize>()
            }
            Event::FirstRecord { topic, file, client_id, .. } => topic.len() + file.as_os_str().len() + client_id.len(),
            Event::RecoveryFound { topic, file, sentence, .. } => topic.len() + file.as_os_str().len() + sentence.len(),
        };
        size_of::<Event>() + texts
    }
}
