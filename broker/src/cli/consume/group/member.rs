//! A member of a group, towards its coordinator: it joins, lives, commits and leaves, in the classic protocol.
//!
//! Partitions are divided by range. Every client can do that, so that ours gets along with others in a group.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::{Request, StrBytes};

use crate::cli::client::consumers::{assigned, assignment, by_range, subscribed, subscription};
use crate::cli::client::{Client, Failure, PATIENCE, check, is_not_ready, name_of, text, topic_name};
use crate::cli::consume::LOOK_PAUSE;
use crate::cli::consume::settings::ConsumerSettings;

const CONSUMER: &str = "consumer";
const RANGE: &str = "range";

/// How long others wait for this member when a rebalance has begun: it hears of it with its next heartbeat.
const REBALANCE_TIMEOUT_MS: i32 = 60_000;

/// How long this one waits for others, the slowest of which decide (Java's `max.poll.interval.ms` is five minutes).
const JOIN_PATIENCE: Duration = Duration::from_secs(600);

/// From these versions on a member may have a name of its own.
const JOIN: RangeInclusive<i16> = 5..=7;
const SYNC: RangeInclusive<i16> = 3..=4;
const HEARTBEAT: RangeInclusive<i16> = 3..=4;
const LEAVE: RangeInclusive<i16> = 3..=5;
const COMMIT: RangeInclusive<i16> = 7..=9;

/// See the module.
pub(super) struct Member {
    client: Client,
    group: String,
    topic: String,
    settings: ConsumerSettings,
    /// Empty until the coordinator gives one.
    id: String,
    generation: i32,
    /// The coordinator, as far as it is known.
    node: Option<i32>,
}

/// What a member is, by what the coordinator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In its generation.
    Member,
    /// A new generation begins: it has to join again, and may commit before it does.
    MustJoin,
    /// Its generation is over, or it was taken for lost. What it read may have gone to others.
    Lost,
}

/// What a member got.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) partitions: BTreeSet<i32>,
    /// How many partitions the topic had, where this member divided them.
    pub(super) divided: Option<usize>,
}

impl Member {
    pub(super) fn new(client: Client, group: &str, topic: &str, settings: &ConsumerSettings) -> Member {
        let (group, topic, settings) = (group.to_owned(), topic.to_owned(), settings.clone());
        Member { client, group, topic, settings, id: String::new(), generation: -1, node: None }
    }

    /// The id that the coordinator knows it by.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Joins, for the first time or again, until a generation has begun and it is known what this member gets in it.
    pub(super) async fn join(&mut self) -> Result<Part, Failure> {
        loop {
            if let Some(part) = self.try_to_join().await? {
                return Ok(part);
            }
            if self.id.is_empty() {
                self.client.clock().clone().sleep(LOOK_PAUSE).await;
            }
        }
    }

    async fn try_to_join(&mut self) -> Result<Option<Part>, Failure> {
        let protocol =
            JoinGroupRequestProtocol::default().with_name(text(RANGE)).with_metadata(subscription(&self.topic));
        let request = JoinGroupRequest::default()
            .with_group_id(self.group_id())
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance())
            .with_session_timeout_ms(self.settings.session_timeout_ms)
            .with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
            .with_protocol_type(text(CONSUMER))
            .with_protocols(vec![protocol]);
        let joined = self.ask(JOIN, &request, JOIN_PATIENCE).await?;
        match ResponseError::try_from_code(joined.error_code) {
            Some(ResponseError::MemberIdRequired) => {
                self.id = joined.member_id.to_string();
                return Ok(None);
            }
            Some(ResponseError::UnknownMemberId) => {
                self.id.clear();
                return Ok(None);
            }
            _ => self.judge("cannot be joined", joined.error_code)?,
        }
        self.id = joined.member_id.to_string();
        self.generation = joined.generation_id;
        let is_leader = joined.leader == joined.member_id;
        let (parts, divided) = if is_leader { self.divide(&joined.members).await? } else { (Vec::new(), None) };
        let request = SyncGroupRequest::default()
            .with_group_id(self.group_id())
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance())
            .with_generation_id(self.generation)
            .with_assignments(parts);
        let synced = self.ask(SYNC, &request, JOIN_PATIENCE).await?;
        if self.standing("cannot be joined", synced.error_code)? != Standing::Member {
            return Ok(None);
        }
        let own = assigned(synced.assignment).into_iter().filter(|(topic, _)| *topic == self.topic);
        Ok(Some(Part { partitions: own.map(|(_, partition)| partition).collect(), divided }))
    }

    /// As the leader: who gets what; and how many partitions the topic has by that.
    async fn divide(
        &mut self,
        members: &[JoinGroupResponseMember],
    ) -> Result<(Vec<SyncGroupRequestAssignment>, Option<usize>), Failure> {
        let wishes: Vec<(String, Vec<String>)> =
            members.iter().map(|member| (name_in_order(member), subscribed(member.metadata.clone()))).collect();
        let wanted: BTreeSet<&String> = wishes.iter().flat_map(|(_, topics)| topics).collect();
        let wanted: Vec<String> = wanted.into_iter().cloned().collect();
        let found = self.client.metadata(Some(&wanted), false).await?.topics;
        let counts: BTreeMap<String, usize> =
            found.iter().map(|topic| (name_of(topic).to_owned(), topic.partitions.len())).collect();
        let mut parts = by_range(&wishes, &counts);
        let part = |member: &JoinGroupResponseMember| {
            let part = parts.remove(&name_in_order(member)).unwrap_or_default();
            SyncGroupRequestAssignment::default()
                .with_member_id(member.member_id.clone())
                .with_assignment(assignment(&part))
        };
        Ok((members.iter().map(part).collect(), counts.get(&self.topic).copied()))
    }

    /// Says that it lives.
    pub(super) async fn heartbeat(&mut self) -> Result<Standing, Failure> {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group_id())
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance())
            .with_generation_id(self.generation);
        let answer = self.ask(HEARTBEAT, &request, PATIENCE).await?;
        self.standing("does not keep this member", answer.error_code)
    }

    /// What the group has committed for partitions of the topic.
    pub(super) async fn committed(&mut self) -> Result<BTreeMap<i32, i64>, Failure> {
        let node = self.coordinator().await?;
        let committed = self.client.committed(node, &self.group).await;
        let committed = committed.inspect_err(|_| self.node = None)?;
        let own = committed.into_iter().filter(|((topic, _), _)| *topic == self.topic);
        Ok(own.map(|((_, partition), offset)| (partition, offset)).collect())
    }

    /// Commits the offsets of the next records to read.
    pub(super) async fn commit(&mut self, next: &BTreeMap<i32, i64>) -> Result<Standing, Failure> {
        if next.is_empty() {
            return Ok(Standing::Member);
        }
        let partition = |(partition, offset): (&i32, &i64)| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(*partition)
                .with_committed_offset(*offset)
                .with_committed_metadata(Some(StrBytes::default()))
        };
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic_name(&self.topic))
            .with_partitions(next.iter().map(partition).collect());
        let request = OffsetCommitRequest::default()
            .with_group_id(self.group_id())
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance())
            .with_generation_id_or_member_epoch(self.generation)
            .with_topics(vec![topic]);
        let answer = self.ask(COMMIT, &request, PATIENCE).await?;
        let codes = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code);
        let mut standing = Standing::Member;
        for code in codes {
            match ResponseError::try_from_code(code) {
                // The topic was deleted in this moment, which is found out elsewhere.
                Some(ResponseError::UnknownTopicOrPartition) => {}
                _ => match self.standing("takes no offsets", code)? {
                    Standing::Member => {}
                    fallen => standing = fallen,
                },
            }
        }
        Ok(standing)
    }

    /// Leaves at once, so that others need not wait for the session to be over. A member with a name of its own stays: it may
    /// be back soon.
    pub(super) async fn leave(&mut self) -> Result<(), Failure> {
        if self.id.is_empty() || self.settings.instance.is_some() {
            return Ok(());
        }
        let own = MemberIdentity::default().with_member_id(text(&self.id));
        let request = LeaveGroupRequest::default().with_group_id(self.group_id()).with_members(vec![own]);
        self.ask(LEAVE, &request, PATIENCE).await.map(drop)
    }

    /// Asks the coordinator. One that does not answer is looked for anew the next time.
    async fn ask<R: Request>(
        &mut self,
        versions: RangeInclusive<i16>,
        request: &R,
        limit: Duration,
    ) -> Result<R::Response, Failure> {
        let node = self.coordinator().await?;
        let mut connection = self.client.take_connection(node).await.inspect_err(|_| self.node = None)?;
        let answer = connection.ask(versions, request, limit).await;
        match &answer {
            Err(failure) if failure.ends_connection() => self.node = None,
            _ => self.client.put_back(node, connection),
        }
        answer
    }

    async fn coordinator(&mut self) -> Result<i32, Failure> {
        if let Some(node) = self.node {
            return Ok(node);
        }
        // Where the nodes are.
        self.client.metadata(Some(&[]), false).await?;
        let node = self.client.coordinator(&self.group).await?;
        self.node = Some(node);
        Ok(node)
    }

    /// What an error code makes of the member; an error where it cannot go on by joining again.
    fn standing(&mut self, what: &str, code: i16) -> Result<Standing, Failure> {
        match ResponseError::try_from_code(code) {
            Some(ResponseError::RebalanceInProgress) => Ok(Standing::MustJoin),
            Some(ResponseError::IllegalGeneration) => Ok(Standing::Lost),
            Some(ResponseError::UnknownMemberId) => {
                self.id.clear();
                Ok(Standing::Lost)
            }
            _ => self.judge(what, code).map(|()| Standing::Member),
        }
    }

    fn judge(&mut self, what: &str, code: i16) -> Result<(), Failure> {
        if ResponseError::try_from_code(code).is_some_and(is_not_ready) {
            self.node = None;
        }
        check(&format!("group {} {what}", self.group), code, None)
    }

    fn group_id(&self) -> GroupId {
        GroupId(text(&self.group))
    }

    fn instance(&self) -> Option<StrBytes> {
        self.settings.instance.as_deref().map(text)
    }
}

/// What Kafka's range assignor sorts members by: first those with a name of their own, by that, then the others by their ids.
fn name_in_order(member: &JoinGroupResponseMember) -> String {
    match &member.group_instance_id {
        Some(name) => format!("0 {name}"),
        None => format!("1 {}", member.member_id),
    }
}
