//! Who asks, and where: what every handler is told besides the request.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Call, Hurry};
use crate::journal::{Event, Journal};
use crate::names::Principal;

/// A node's listener as its clients know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The broker id of the node.
    pub node: i32,
    /// The listener's name, such as `PLAINTEXT`.
    pub listener: String,
    /// The host that clients are told to connect to.
    pub host: String,
    /// The port that clients are told to connect to.
    pub port: u16,
}

/// What a handler knows of the connection that a request came in on.
#[derive(Debug)]
pub struct RequestContext {
    /// The broker id of the node that was asked.
    pub node: i32,
    /// The listener that the client came in on.
    pub endpoint: Arc<Endpoint>,
    /// Every node, in the order of the ids, by its listener of the same name; answers name these addresses and no others.
    pub cluster: Arc<[Arc<Endpoint>]>,
    /// Who the client is.
    pub principal: Principal,
    /// What the client calls itself; empty until it says so.
    pub client_id: Arc<str>,
    /// Where the client is.
    pub peer: SocketAddr,
    /// The number of the connection since the broker started.
    pub connection: u64,
    /// Tells a parked request to answer now.
    pub hurry: Hurry,
}

impl RequestContext {
    /// The context of a connection that has said nothing yet.
    pub fn new(
        endpoint: Arc<Endpoint>,
        cluster: Arc<[Arc<Endpoint>]>,
        peer: SocketAddr,
        connection: u64,
    ) -> RequestContext {
        RequestContext {
            node: endpoint.node,
            endpoint,
            cluster,
            principal: Principal::anonymous(),
            client_id: Arc::default(),
            peer,
            connection,
            hurry: Hurry::default(),
        }
    }

    /// Where this client finds a node.
    pub fn endpoint_of(&self, node: i32) -> Option<&Endpoint> {
        self.cluster.iter().find(|endpoint| endpoint.node == node).map(|endpoint| &**endpoint)
    }

    /// The node that clients take for the controller. Any will do, because each hands on what a controller does; Kafka names
    /// one by chance.
    pub fn controller(&self) -> i32 {
        self.cluster.first().map_or(self.node, |endpoint| endpoint.node)
    }

    /// Remembers what the client calls itself. ApiVersions names client and software together, and records it.
    pub fn note_client_id(&mut self, call: &Call, journal: &Journal) {
        let client_id = call.client_id();
        if client_id.is_empty() || *client_id == *self.client_id {
            return;
        }
        self.client_id = client_id.into();
        if !call.tells_software() {
            journal.record(|| Event::ClientIdentified {
                connection: self.connection,
                client_id: self.client_id.to_string(),
                software_name: String::new(),
                software_version: String::new(),
            });
        }
    }
}
