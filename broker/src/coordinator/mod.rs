//! Who consumes what: consumer groups and their committed offsets.
//!
//! Everything that is known of a group stands as records in one partition of `__consumer_offsets`, as Kafka writes them
//! ([`record`]). A [`Shard`] holds the groups of one such partition: it decides about requests ([`conversation`]), and its
//! state machine is the [`group`]. What it decides is a value: records to append, answers to send.
//!
//! [`Coordinator`] is the door. It finds the shard of a group and asks it; a task of its own works for each
//! (`worker`), which has read all records before (`loading`). Nothing here knows of Kafka's messages or of sockets.

mod compaction;
pub mod conversation;
pub mod group;
mod loading;
mod offsets;
pub mod record;
mod shard;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kafka_protocol::ResponseError;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::AbortHandle;

use self::conversation::{Reply, Request};
use self::group::{GroupRules, Ticket};
use self::worker::{MAILBOX, Mail, Worker};
use crate::clock::Clock;
use crate::config::GroupConfig;
use crate::journal::Journal;
use crate::names::{GroupId, Principal, TopicId, TopicName};
use crate::topics::{NewTopic, Topic, TopicError, Topics};

pub use shard::{Outcome, Place, Rules, Shard};

/// The groups of one broker.
#[derive(Debug)]
pub struct Coordinator {
    topics: Arc<Topics>,
    clock: Clock,
    journal: Journal,
    rules: Rules,
    /// Those of the topic with this id. None before there is the topic, which the first group makes.
    shards: Mutex<Option<Arc<Shards>>>,
    is_closed: AtomicBool,
}

/// All shards that there are, in the order of their partitions.
#[derive(Debug)]
struct Shards {
    topic: TopicId,
    mailboxes: Vec<mpsc::Sender<Mail>>,
    tasks: Vec<AbortHandle>,
}

impl Coordinator {
    /// A coordinator that has read nothing yet: it does when it is first asked.
    pub fn new(topics: Arc<Topics>, clock: Clock, journal: Journal) -> Coordinator {
        let rules = rules(&topics.config().groups);
        Coordinator { topics, clock, journal, rules, shards: Mutex::new(None), is_closed: AtomicBool::new(false) }
    }

    /// The node that coordinates a group: the one that leads the partition in which the group's records stand, or will.
    pub fn node_of(&self, group: &GroupId) -> i32 {
        self.node_of_partition(|partitions| partition_of(group.as_str(), partitions))
    }

    fn node_of_partition(&self, partition: impl Fn(usize) -> usize) -> i32 {
        let number = |partitions| i32::try_from(partition(partitions)).unwrap_or(0);
        match self.topics.get(TopicName::consumer_offsets().as_str()) {
            Some(topic) => topic.leader_of(number(topic.partitions.len())),
            None => {
                let config = self.topics.config();
                // Such a topic begins at the first node.
                let partitions = usize::try_from(config.groups.offsets_topic_num_partitions).unwrap_or(1);
                config.nodes().nth(number(partitions))
            }
        }
    }

    /// Asks the shard of a group at its node, and waits for the answer: for as long as a member waits for others.
    pub async fn ask(
        &self,
        _principal: &Principal,
        node: i32,
        group: &GroupId,
        request: Request,
    ) -> Result<Reply, ResponseError> {
        if self.node_of(group) != node {
            // Kafka refuses what can be refused anywhere before it looks for the group.
            return match is_refused_anywhere(&request, self.rules.groups) {
                true => Ok(answer_of_none(self.rules, &request, &self.clock)),
                false => Err(ResponseError::NotCoordinator),
            };
        }
        let shards = match self.shards(makes_groups(&request)).await? {
            Some(shards) => shards,
            // Nobody ever joined or committed, so that all groups are as in a shard that has read nothing.
            None => return Ok(answer_of_none(self.rules, &request, &self.clock)),
        };
        let index = partition_of(group.as_str(), shards.mailboxes.len());
        shards.ask(index, request).await
    }

    /// Asks all shards of a node, one after another.
    pub async fn ask_all(
        &self,
        _principal: &Principal,
        node: i32,
        request: Request,
    ) -> Result<Vec<Reply>, ResponseError> {
        let mut replies = Vec::new();
        if let Some(shards) = self.shards(false).await? {
            for index in (0..shards.mailboxes.len()).filter(|index| self.node_of_partition(|_| *index) == node) {
                replies.push(shards.ask(index, request.clone()).await?);
            }
        }
        Ok(replies)
    }

    /// Forgets what was committed for a topic that is gone. Where that fails, the next start does it.
    pub async fn topic_deleted(&self, topic: &Topic) {
        let Ok(Some(shards)) = self.shards(false).await else { return };
        for index in 0..shards.mailboxes.len() {
            let forgotten = loop {
                match shards.ask(index, Request::TopicDeleted(topic.name.clone(), topic.id)).await {
                    Ok(Reply::Forgotten { is_all: false }) => {}
                    Ok(Reply::Forgotten { is_all: true }) => break Ok(()),
                    Ok(_) => unreachable!("what is forgotten is told as such"),
                    Err(error) => break Err(error),
                }
            };
            if let Err(error) = forgotten {
                tracing::warn!(
                    "what was committed for {}, which is deleted, is forgotten with the next start: {error}",
                    topic.name
                );
            }
        }
    }

    /// Reads all groups, if there are any, so that nobody waits for it later.
    pub async fn load(&self) {
        if let Err(error) = self.shards(false).await {
            tracing::warn!("groups and offsets are not read yet, and will be when somebody asks for them: {error}");
        }
    }

    /// Ends all work. Who waits for a group then, or asks later, is told to look for its coordinator elsewhere.
    pub async fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.shards.lock().await.take();
    }

    /// The shards of the topic as it is now. Where there is none, it is made if `makes` says so.
    async fn shards(&self, makes: bool) -> Result<Option<Arc<Shards>>, ResponseError> {
        let mut shards = self.shards.lock().await;
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(ResponseError::NotCoordinator);
        }
        let name = TopicName::consumer_offsets();
        let topic = match self.topics.get(name.as_str()) {
            Some(topic) => topic,
            None if makes => self.make_topic(&name).await?,
            None => {
                // Those of a topic that was deleted have nothing to write to any more.
                *shards = None;
                return Ok(None);
            }
        };
        if let Some(known) = shards.as_ref().filter(|known| known.topic == topic.id) {
            return Ok(Some(Arc::clone(known)));
        }
        let opened = self.open(topic).await;
        *shards = Some(Arc::clone(&opened));
        Ok(Some(opened))
    }

    /// As Kafka does when somebody first looks for a coordinator.
    async fn make_topic(&self, name: &TopicName) -> Result<Arc<Topic>, ResponseError> {
        let config = self.topics.config();
        // With fewer nodes than replicas Kafka waits for the others, which here will never come.
        let (nodes, config) = (config.nodes().count(), config.groups);
        let wanted = config.offsets_topic_replication_factor;
        let own = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
        ];
        let wanted = NewTopic {
            name: name.to_string(),
            partitions: config.offsets_topic_num_partitions,
            replication_factor: i16::try_from(nodes).map_or(wanted, |nodes| wanted.min(nodes)),
            assignments: Vec::new(),
            configs: own.into_iter().map(|(key, value)| (key.to_owned(), Some(value))).collect(),
        };
        match self.topics.create(&Principal::broker(), wanted, false).await {
            Ok(topic) => Ok(topic),
            Err(TopicError::Exists(_)) => self.topics.get(name.as_str()).ok_or(ResponseError::CoordinatorNotAvailable),
            Err(error) => {
                tracing::error!("{name}, which keeps groups and offsets, cannot be made: {error}");
                Err(ResponseError::CoordinatorNotAvailable)
            }
        }
    }

    /// Reads every partition of the topic, side by side, and puts a worker to each.
    async fn open(&self, topic: Arc<Topic>) -> Arc<Shards> {
        let known: HashMap<TopicName, TopicId> =
            self.topics.list().iter().map(|topic| (topic.name.clone(), topic.id)).collect();
        let known = Arc::new(known);
        let max_batch_bytes = usize::try_from(topic.config.max_message_bytes).unwrap_or(usize::MAX);
        let mut loading = Vec::new();
        for partition in &topic.partitions {
            let (partition, known, rules) = (Arc::clone(partition), Arc::clone(&known), self.rules);
            let (clock, journal) = (self.clock.clone(), self.journal.clone());
            loading.push(tokio::task::spawn_blocking(move || {
                let mut loaded = loading::load(&partition, rules, clock.now_ms());
                let gone = loaded.shard.keep_topics(&known, clock.now_ms());
                (Worker::new(loaded, partition, clock, journal, max_batch_bytes), gone)
            }));
        }
        let (mut mailboxes, mut tasks) = (Vec::new(), Vec::new());
        for loaded in loading {
            let (worker, gone) = loaded.await.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
            let (mailbox, letters) = mpsc::channel(MAILBOX);
            mailboxes.push(mailbox);
            tasks.push(tokio::spawn(worker.run(letters, gone)).abort_handle());
        }
        Arc::new(Shards { topic: topic.id, mailboxes, tasks })
    }
}

impl Shards {
    async fn ask(&self, index: usize, request: Request) -> Result<Reply, ResponseError> {
        let (reply, answer) = oneshot::channel();
        // A worker that is gone, or goes before it answers, is one of a broker that stops, or of a topic that is gone.
        self.mailboxes[index].send(Mail { request, reply }).await.map_err(|_| ResponseError::NotCoordinator)?;
        match answer.await {
            Ok(Reply::Refused(error)) => Err(error),
            Ok(reply) => Ok(reply),
            Err(_) => Err(ResponseError::NotCoordinator),
        }
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Which partition a group's records stand in: by Java's hash of its id, as in Kafka (`Utils.abs(groupId.hashCode)`).
pub fn partition_of(group: &str, partitions: usize) -> usize {
    let hash = group.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    let positive = if hash == i32::MIN { 0 } else { hash.abs() };
    usize::try_from(positive).unwrap_or(0) % partitions.max(1)
}

/// What is wrong with a request whichever group it is about.
fn is_refused_anywhere(request: &Request, rules: GroupRules) -> bool {
    match request {
        Request::Join(join) => {
            let sessions = rules.min_session_timeout_ms..=rules.max_session_timeout_ms;
            join.group.as_str().is_empty() || !sessions.contains(&join.session_timeout_ms)
        }
        Request::Sync(sync) => sync.group.as_str().is_empty(),
        Request::Heartbeat(heartbeat) => heartbeat.group.as_str().is_empty(),
        Request::Leave(leave) => leave.group.as_str().is_empty(),
        Request::DeleteOffsets { group, .. } => group.as_str().is_empty(),
        _ => false,
    }
}

fn makes_groups(request: &Request) -> bool {
    matches!(request, Request::Join(_) | Request::Commit(_))
}

fn answer_of_none(rules: Rules, request: &Request, clock: &Clock) -> Reply {
    let outcome = Shard::new(rules).apply(request, Ticket(0), clock.now_ms());
    outcome.replies.into_iter().next().map(|(_, reply)| reply).expect("only joins and syncs of members wait")
}

fn rules(config: &GroupConfig) -> Rules {
    Rules {
        groups: GroupRules {
            initial_rebalance_delay_ms: config.initial_rebalance_delay_ms.max(0),
            max_size: usize::try_from(config.max_size).unwrap_or(0),
            min_session_timeout_ms: config.min_session_timeout_ms,
            max_session_timeout_ms: config.max_session_timeout_ms,
        },
        max_metadata_bytes: usize::try_from(config.offset_metadata_max_bytes).unwrap_or(0),
        offsets_retention_ms: i64::from(config.offsets_retention_minutes) * 60_000,
        expiry_interval_ms: config.offsets_retention_check_interval_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_where_kafka_puts_them() {
        // Of fifty partitions; the second one is that of a file that Kafka wrote.
        assert_eq!(partition_of("", 50), 0);
        assert_eq!(partition_of("txgroup", 50), 37);
        // "polygenelubricants".hashCode() is the smallest number, which has no positive counterpart.
        assert_eq!(partition_of("polygenelubricants", 50), 0);
    }
}
