//! A thin Kafka client, for the commands that talk to a broker over the Kafka protocol, ours or Apache Kafka's.
//!
//! [`Client::connect`] takes the first broker of `-b` that answers. [`Client::metadata`] tells which nodes there are and
//! what they lead; [`Client::ask`] asks whichever node is connected, [`Client::ask_node`] a certain one. A request goes
//! out in the newest version that both sides know; what fails is a [`Failure`], a sentence that says what to do next.
//! Messages are kafka-protocol's; records are written and read by the broker's own `storage::batch` and
//! `storage::record`.

mod advice;
mod connection;
pub(crate) mod consumers;
mod coordinator;
mod failure;
mod offsets;
mod options;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use cutaway::clock::Clock;
use cutaway::config::limits::CLIENT_REQUEST_TIMEOUT_MS;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{ApiKey, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};

pub(crate) use connection::Connection;
pub(crate) use consumers::Partition;
pub(crate) use coordinator::{Committed, is_not_ready};
pub(crate) use failure::{Failure, check};
pub(crate) use offsets::{EARLIEST, LATEST, Offsets};
pub(crate) use options::BrokerOptions;

/// Versions of an API, the oldest and the newest that a caller's request can be written in.
pub(crate) type Versions = RangeInclusive<i16>;

/// How long an answer may take that the broker need not wait for.
pub(crate) const PATIENCE: Duration = Duration::from_millis(CLIENT_REQUEST_TIMEOUT_MS);

/// The same for requests that carry their limit.
pub(crate) const TIMEOUT_MS: i32 = 30_000;

/// Connections to the nodes of one cluster.
#[derive(Debug)]
pub(crate) struct Client {
    bootstrap: Vec<String>,
    client_id: String,
    clock: Clock,
    /// The connection to whichever node answered first.
    first: Option<Connection>,
    /// Where the nodes are, as they advertise themselves.
    nodes: BTreeMap<i32, String>,
    connections: BTreeMap<i32, Connection>,
}

impl Client {
    /// Connects to the first broker that answers.
    pub(crate) async fn connect(options: &BrokerOptions, client_id: &str) -> Result<Client, Failure> {
        let mut client = Client {
            bootstrap: options.addresses(),
            client_id: client_id.to_owned(),
            clock: Clock::system(),
            first: None,
            nodes: BTreeMap::new(),
            connections: BTreeMap::new(),
        };
        client.first().await?;
        Ok(client)
    }

    /// The clock that the client waits by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Asks whichever node is connected.
    pub(crate) async fn ask<R: Request>(&mut self, versions: Versions, request: &R) -> Result<R::Response, Failure> {
        let asked = self.first().await?.ask(versions, request, PATIENCE).await;
        if asked.as_ref().is_err_and(Failure::ends_connection) {
            self.first = None;
        }
        asked
    }

    /// Asks a certain node.
    pub(crate) async fn ask_node<R: Request>(
        &mut self,
        node: i32,
        versions: Versions,
        request: &R,
    ) -> Result<R::Response, Failure> {
        let mut connection = self.take_connection(node).await?;
        let asked = connection.ask(versions, request, PATIENCE).await;
        if !asked.as_ref().is_err_and(Failure::ends_connection) {
            self.put_back(node, connection);
        }
        asked
    }

    /// Whether the node that is connected offers an API.
    pub(crate) async fn offers(&mut self, api: ApiKey) -> Result<bool, Failure> {
        Ok(self.first().await?.offers(api as i16))
    }

    /// Topics, all or those named, with their partitions in order, and every node. `create` lets the broker create
    /// those that are missing, if its settings do.
    pub(crate) async fn metadata(
        &mut self,
        topics: Option<&[String]>,
        create: bool,
    ) -> Result<MetadataResponse, Failure> {
        let named = |name: &String| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let topics = topics.map(|names| names.iter().map(named).collect());
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(create);
        let mut answer = self.ask(4..=13, &request).await?;
        check("the broker does not tell its topics", answer.error_code, None)?;
        for topic in &mut answer.topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
        answer.topics.sort_by(|one, other| one.name.cmp(&other.name));
        let address = |host: &str, port: i32| match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        self.nodes = answer.brokers.iter().map(|node| (node.node_id.0, address(&node.host, node.port))).collect();
        Ok(answer)
    }

    /// One topic, whose error code is still to be looked at.
    pub(crate) async fn topic(&mut self, name: &str, create: bool) -> Result<MetadataResponseTopic, Failure> {
        let answer = self.metadata(Some(&[name.to_owned()]), create).await?;
        answer.topics.into_iter().next().ok_or_else(|| Failure::malformed("Metadata", "it speaks of no topic"))
    }

    /// A connection to a node, which is the caller's until it is put back.
    pub(crate) async fn take_connection(&mut self, node: i32) -> Result<Connection, Failure> {
        if let Some(connection) = self.connections.remove(&node) {
            return Ok(connection);
        }
        let Some(address) = self.nodes.get(&node) else { return Err(Failure::NoNode { node }) };
        Connection::open(address, &self.client_id, &self.clock).await.map_err(|failure| match failure {
            // The address is not the one that was typed: whoever reads of it must learn where it comes from.
            Failure::Unreachable { address, reason } if !self.bootstrap.contains(&address) => {
                Failure::Advertised { node, address, reason, bootstrap: self.bootstrap.join(",") }
            }
            failure => failure,
        })
    }

    /// Keeps a connection for the next request to its node.
    pub(crate) fn put_back(&mut self, node: i32, connection: Connection) {
        self.connections.insert(node, connection);
    }

    async fn first(&mut self) -> Result<&mut Connection, Failure> {
        let connection = match self.first.take() {
            Some(connection) => connection,
            None => self.first_that_answers().await?,
        };
        Ok(self.first.insert(connection))
    }

    async fn first_that_answers(&self) -> Result<Connection, Failure> {
        let mut failed = None;
        for address in self.bootstrap.iter().chain(self.nodes.values()) {
            match Connection::open(address, &self.client_id, &self.clock).await {
                Ok(connection) => return Ok(connection),
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        Err(failed.unwrap_or(Failure::NoNode { node: -1 }))
    }
}

/// A topic's name as messages hold it.
pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A text as messages hold it.
pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// What a topic is called in an answer.
pub(crate) fn name_of(topic: &MetadataResponseTopic) -> &str {
    topic.name.as_ref().map_or("", |name| name.as_str())
}
