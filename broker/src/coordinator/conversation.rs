//! What clients ask a group and what it answers, in the words of this room: no versions, no wire.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use uuid::Uuid;

use super::group::{GroupView, Protocol};
use super::record::CommittedOffset;
use crate::names::{GroupId, TopicId, TopicName};

/// Who speaks: a member by its id, a static one by its instance id as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Empty for one that has none yet, and for an administrator who speaks of a static member.
    pub member_id: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
}

/// JoinGroup.
#[derive(Clone, Debug)]
pub struct Join {
    /// Which group.
    pub group: GroupId,
    /// Who.
    pub who: Identity,
    /// Becomes part of the member's id, if it needs one.
    pub fresh_id: Uuid,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it is, as Kafka writes it: `/127.0.0.1`.
    pub client_host: String,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// How long it may take to join again.
    pub rebalance_timeout_ms: i32,
    /// Such as `consumer`.
    pub protocol_type: String,
    /// In the order of its preference.
    pub protocols: Vec<Protocol>,
    /// It can come back with an id that it is given (KIP-394).
    pub takes_member_id: bool,
    /// As a leader it can be told that there is nothing to assign (KIP-814).
    pub may_skip_assignment: bool,
}

/// The answer to [`Join`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Why not; all else but the id is empty then.
    pub error: Option<ResponseError>,
    /// The id that the member has, or is to come back with.
    pub member_id: String,
    /// -1 with an error.
    pub generation: i32,
    /// What kind of members the group has.
    pub protocol_type: Option<String>,
    /// The protocol of this generation.
    pub protocol: Option<String>,
    /// The member that works out the assignment; empty with an error.
    pub leader: String,
    /// The leader need not work out anything.
    pub skip_assignment: bool,
    /// For the leader: all members.
    pub members: Vec<JoinedMember>,
}

/// A member as its leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub id: String,
    /// Of a static member.
    pub instance: Option<String>,
    /// What it said about its wishes.
    pub metadata: Bytes,
}

/// SyncGroup.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Which group.
    pub group: GroupId,
    /// Who.
    pub who: Identity,
    /// The generation that it joined.
    pub generation: i32,
    /// What it takes the group for, if it says so.
    pub protocol_type: Option<String>,
    /// What it takes for the generation's protocol, if it says so.
    pub protocol: Option<String>,
    /// From the leader: who gets what.
    pub assignments: Vec<(String, Bytes)>,
}

/// The answer to [`Sync`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Why not; all else is empty then.
    pub error: Option<ResponseError>,
    /// What kind of members the group has.
    pub protocol_type: Option<String>,
    /// The protocol of this generation.
    pub protocol: Option<String>,
    /// What the member gets; in what form is the clients' business.
    pub assignment: Bytes,
}

/// Heartbeat.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Which group.
    pub group: GroupId,
    /// Who.
    pub who: Identity,
    /// The generation that it is in.
    pub generation: i32,
}

/// LeaveGroup.
#[derive(Clone, Debug)]
pub struct Leave {
    /// Which group.
    pub group: GroupId,
    /// Who leaves.
    pub members: Vec<Identity>,
}

/// OffsetCommit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// In whose name.
    pub group: GroupId,
    /// Who; nobody in particular for those who assign their partitions themselves.
    pub who: Identity,
    /// The generation that it is in; negative for those without membership.
    pub generation: i32,
    /// How long the offsets are to be kept, from clients that say so.
    pub retention_ms: Option<i64>,
    /// The client knows the error for a group that is not there (version 9).
    pub knows_missing_groups: bool,
    /// What to commit.
    pub offsets: Vec<NewOffset>,
}

/// One offset of a [`Commit`].
#[derive(Clone, Debug)]
pub struct NewOffset {
    /// For which topic, which exists.
    pub topic: TopicName,
    /// Which one of that name.
    pub topic_id: Option<TopicId>,
    /// For which partition.
    pub partition: i32,
    /// The next record that the group wants.
    pub offset: i64,
    /// The leader epoch of the last one that it had; -1 if it does not say.
    pub leader_epoch: i32,
    /// Whatever the client wants to keep with it.
    pub metadata: String,
}

/// A request to the groups of a shard.
#[derive(Clone, Debug)]
pub enum Request {
    /// JoinGroup.
    Join(Join),
    /// SyncGroup.
    Sync(Sync),
    /// Heartbeat.
    Heartbeat(Heartbeat),
    /// LeaveGroup.
    Leave(Leave),
    /// OffsetCommit.
    Commit(Commit),
    /// OffsetFetch: the offsets of partitions, or all that there are.
    Offsets {
        /// In whose name.
        group: GroupId,
        /// Of which partitions; `None` for all that have any.
        partitions: Option<Vec<(String, i32)>>,
    },
    /// OffsetDelete.
    DeleteOffsets {
        /// In whose name.
        group: GroupId,
        /// For which partitions.
        partitions: Vec<(TopicName, i32)>,
    },
    /// DescribeGroups.
    Describe(GroupId),
    /// ListGroups.
    List,
    /// DeleteGroups.
    Delete(GroupId),
    /// A topic is gone, and with it everything that was committed for it.
    TopicDeleted(TopicName, TopicId),
}

/// What was asked for partition by partition, or why not at all.
pub type Outcomes = Result<Vec<Result<(), ResponseError>>, ResponseError>;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`Join`].
    Joined(Joined),
    /// To [`Sync`].
    Synced(Synced),
    /// To [`Heartbeat`].
    Alive(Result<(), ResponseError>),
    /// To [`Leave`]: for each of those who leave, in their order.
    Left(Outcomes),
    /// To [`Request::Commit`].
    Committed(Outcomes),
    /// To [`Request::Offsets`]: in the order of the question.
    Offsets(Vec<(String, i32, Option<CommittedOffset>)>),
    /// To [`Request::DeleteOffsets`].
    OffsetsDeleted(Outcomes),
    /// To [`Request::Describe`]; `None` for a group that is not there.
    Described(Option<GroupView>),
    /// To [`Request::List`], in no order.
    Listed(Vec<GroupView>),
    /// To [`Request::Delete`].
    Deleted(Result<(), ResponseError>),
    /// To [`Request::TopicDeleted`].
    Forgotten {
        /// There is no more; otherwise the request has to be made again.
        is_all: bool,
    },
    /// To any request whose answer might tell of what was not written down.
    Refused(ResponseError),
}

impl Joined {
    /// A refusal.
    pub fn refused(member_id: &str, error: ResponseError) -> Joined {
        Joined {
            error: Some(error),
            member_id: member_id.to_owned(),
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: String::new(),
            skip_assignment: false,
            members: Vec::new(),
        }
    }
}

impl Synced {
    /// A refusal.
    pub fn refused(error: ResponseError) -> Synced {
        Synced { error: Some(error), ..Synced::default() }
    }
}

impl Reply {
    /// The same answer, had what it tells of not been written down.
    pub(super) fn failed(self, error: ResponseError) -> Reply {
        match self {
            Reply::Joined(joined) => Reply::Joined(Joined::refused(&joined.member_id, error)),
            Reply::Synced(_) => Reply::Synced(Synced::refused(error)),
            Reply::Alive(_) => Reply::Alive(Err(error)),
            Reply::Left(members) => Reply::Left(members),
            Reply::Committed(_) => Reply::Committed(Err(error)),
            Reply::OffsetsDeleted(_) => Reply::OffsetsDeleted(Err(error)),
            Reply::Deleted(_) => Reply::Deleted(Err(error)),
            // What was told may have built on what is taken back.
            Reply::Offsets(_)
            | Reply::Described(_)
            | Reply::Listed(_)
            | Reply::Forgotten { .. }
            | Reply::Refused(_) => Reply::Refused(error),
        }
    }
}

impl From<Joined> for Reply {
    fn from(joined: Joined) -> Reply {
        Reply::Joined(joined)
    }
}

impl From<Synced> for Reply {
    fn from(synced: Synced) -> Reply {
        Reply::Synced(synced)
    }
}
