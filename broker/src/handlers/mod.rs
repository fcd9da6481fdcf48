//! One file per Kafka API, named after it, those of administration in folders by theme. Sockets are not known here, and
//! no API knows another.
//!
//! The story of a request: the connection reads a [`Call`] from a frame and awaits [`answer`]. That looks the API up
//! in the one table (`apis.rs`), has [`crate::schema`] bound the body, decodes it, calls the API's `handle` and
//! encodes what it returns. Handlers translate: what may be done to topics, and by whom, is decided in
//! [`crate::topics`]; what its errors are called on the wire stands in `errors.rs` alone.

mod access;
mod api_versions;
mod apis;
mod call;
mod cluster;
mod configs;
mod context;
mod epochs;
mod errors;
mod fetch;
mod find_coordinator;
mod groups;
mod hurry;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod offset_for_leader_epoch;
mod operations;
mod produce;
mod settings;
mod topics;
mod transactions;

use std::sync::Arc;

use kafka_protocol::messages::ApiKey;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::config::{BrokerConfig, Nodes};
use crate::coordinator::Coordinator;
use crate::journal::Journal;
use crate::topics::Topics;
use apis::Api;
pub use call::{Answer, Call, Hangup, Part};
pub use context::{Endpoint, RequestContext};
use fetch::FetchSessions;
pub use hurry::Hurry;

#[cfg(test)]
mod administration_tests;
#[cfg(test)]
mod oddities_tests;
#[cfg(test)]
pub(crate) mod tests;

/// What handlers work on: the rooms below, and the fetch sessions.
#[derive(Debug)]
pub struct Core {
    topics: Arc<Topics>,
    coordinator: Arc<Coordinator>,
    clock: Clock,
    journal: Journal,
    nodes: Nodes,
    /// The sessions of each node, in the order of the ids.
    fetch_sessions: Vec<FetchSessions>,
    /// Held by whoever makes an answer that is much longer than its request.
    long_answers: Semaphore,
}

impl Core {
    /// Puts the rooms together.
    pub fn new(topics: Arc<Topics>, clock: Clock, journal: Journal) -> Core {
        let config = topics.config();
        let sessions = |_| FetchSessions::new(config.max_incremental_fetch_session_cache_slots);
        let nodes = config.nodes();
        let fetch_sessions = nodes.ids().map(sessions).collect();
        let coordinator = Arc::new(Coordinator::new(Arc::clone(&topics), clock.clone(), journal.clone()));
        Core { topics, coordinator, clock, journal, nodes, fetch_sessions, long_answers: Semaphore::new(1) }
    }

    /// The broker's settings as they are now.
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.topics.config()
    }

    /// The fetch sessions of a node.
    fn fetch_sessions(&self, node: i32) -> &FetchSessions {
        &self.fetch_sessions[self.nodes.index_of(node).expect("a client came in on a node that there is")]
    }

    /// Who looks after groups.
    pub fn coordinator(&self) -> &Arc<Coordinator> {
        &self.coordinator
    }

    /// The broker's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The broker's journal.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}

/// Answers one request.
///
/// # Errors
/// When Kafka would close the connection: an unknown API or version, a body that does not decode, or a failure of a
/// request that wants no answer.
pub async fn answer(core: &Core, context: &RequestContext, call: Call) -> Result<Answer, Hangup> {
    #[cfg(test)]
    tests::panic_if_asked(context);
    let Call { head, body, client_id } = call;
    // It is a slice of the frame, which a fetch that waits must not keep in memory.
    drop(client_id);
    let Some(api) = Api::of(head.api_key) else { return Err(head.refuse("this broker does not know this API")) };
    if !api.speaks(head.version) {
        if api.key == ApiKey::ApiVersions {
            return api_versions::unsupported_version(head);
        }
        return Err(head.refuse(format!("this broker speaks versions {} to {} of it", api.oldest, api.newest)));
    }
    let version = head.version;
    match api.key {
        ApiKey::Produce => produce::handle(core, context, head, body).await,
        ApiKey::Fetch => fetch::handle(core, context, head, body).await,
        ApiKey::ListOffsets => head.encode(&list_offsets::handle(core, context, head.decode(body)?, version).await),
        ApiKey::Metadata => head.encode(&metadata::handle(core, context, &head.decode(body)?, version).await),
        ApiKey::FindCoordinator => head.encode(&find_coordinator::handle(core, context, head.decode(body)?, version)),
        ApiKey::ApiVersions => head.encode(&api_versions::handle(core, context, &head.decode(body)?, version)),
        ApiKey::InitProducerId => head.encode(&init_producer_id::handle(core, &head.decode(body)?).await),
        ApiKey::OffsetForLeaderEpoch => {
            head.encode(&offset_for_leader_epoch::handle(core, context, head.decode(body)?))
        }
        ApiKey::DescribeConfigs
        | ApiKey::AlterConfigs
        | ApiKey::IncrementalAlterConfigs
        | ApiKey::ListConfigResources => configs::answer(core, context, api.key, head, body).await,
        ApiKey::CreateTopics
        | ApiKey::DeleteTopics
        | ApiKey::CreatePartitions
        | ApiKey::DescribeTopicPartitions
        | ApiKey::DescribeProducers => topics::answer(core, context, api.key, head, body).await,
        ApiKey::JoinGroup
        | ApiKey::SyncGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::OffsetCommit
        | ApiKey::OffsetFetch
        | ApiKey::OffsetDelete
        | ApiKey::DescribeGroups
        | ApiKey::ListGroups
        | ApiKey::DeleteGroups => groups::answer(core, context, api.key, head, body).await,
        ApiKey::AlterReplicaLogDirs
        | ApiKey::DescribeLogDirs
        | ApiKey::ElectLeaders
        | ApiKey::AlterPartitionReassignments
        | ApiKey::ListPartitionReassignments
        | ApiKey::DescribeQuorum
        | ApiKey::DescribeCluster => cluster::answer(core, context, api.key, head, body).await,
        ApiKey::DescribeAcls
        | ApiKey::CreateAcls
        | ApiKey::DeleteAcls
        | ApiKey::DescribeClientQuotas
        | ApiKey::DescribeUserScramCredentials => access::answer(api.key, head, body),
        ApiKey::DescribeTransactions | ApiKey::ListTransactions => transactions::answer(api.key, head, body),
        _ => Err(head.has_no_handler()),
    }
}
