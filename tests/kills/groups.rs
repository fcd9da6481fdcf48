//! Kills under the load of groups: no commit that was acknowledged goes missing or back, and no group is stuck afterwards.
//!
//! Each commit brings so much metadata that the log of groups is compacted every few rounds, and some kills fall into that.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use cutaway_tests::broker::Broker;
use cutaway_tests::chance::Chance;
use cutaway_tests::client::Client;
use cutaway_tests::patience;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest,
    SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{KILLS, kills};
use crate::offsets_topic::first_segment;

const READERS: usize = 4;
const TOPIC: &str = "read";
/// As much as a commit may bring.
const METADATA_BYTES: usize = 4096;

/// A consumer that is alone in its group, and commits ever larger offsets.
struct Reader {
    group: String,
    member_id: String,
    /// Not positive while it is in none.
    generation: i32,
    acknowledged: i64,
    /// The largest offset that it ever sent.
    sent: i64,
    chance: Chance,
}

#[test]
fn after_kills_every_commit_is_there_and_every_group_goes_on() -> anyhow::Result<()> {
    let seed = Chance::seed(0x6772_6f75);
    eprintln!("CUTAWAY_SEED={seed} {KILLS}={}", kills());
    let mut chance = Chance::new(seed);
    let mut broker = Broker::start(&[
        "--quiet",
        "--override",
        "offsets.topic.num.partitions=2",
        "--override",
        "offsets.topic.segment.bytes=1048576",
    ])?;
    ensure!(Client::connect(broker.bootstrap())?.create_topic(TOPIC, 1, &[])? == 0, "no topic");
    let mut readers: Vec<Reader> = (0..READERS).map(|index| Reader::new(index, chance.number())).collect();
    for round in 0..kills() {
        let commits = 1 + chance.below(300);
        load(&mut broker, &mut readers, commits)
            .and_then(|()| broker.restart())
            .and_then(|()| check(broker.bootstrap(), &mut readers))
            .with_context(|| format!("round {round}, seed {seed}"))?;
    }
    let begins_at = |index| first_segment(&broker.data_dir().join(format!("__consumer_offsets-{index}")));
    ensure!(kills() < 20 || begins_at(0)? + begins_at(1)? > 0, "nothing was ever compacted");
    for reader in &mut readers {
        let mut client = Client::connect(broker.bootstrap())?;
        let before = reader.acknowledged;
        patience::until("the group to go on", || {
            reader.step(&mut client)?;
            Ok(reader.acknowledged > before)
        })?;
    }
    Ok(())
}

/// Has everybody commit until so much was acknowledged, and kills the broker then.
fn load(broker: &mut Broker, readers: &mut [Reader], commits: usize) -> anyhow::Result<()> {
    let (address, count) = (broker.bootstrap(), AtomicUsize::new(0));
    thread::scope(|scope| {
        let reading: Vec<_> = readers.iter_mut().map(|reader| scope.spawn(|| reader.run(address, &count))).collect();
        let enough = patience::until("commits", || {
            let is_over = reading.iter().any(thread::ScopedJoinHandle::is_finished);
            Ok(is_over || count.load(Ordering::Relaxed) >= commits)
        });
        broker.kill()?;
        enough?;
        reading.into_iter().try_for_each(|reader| reader.join().expect("a reader does not panic"))
    })
}

/// What is committed was acknowledged, or is the one commit that was under way.
fn check(address: SocketAddr, readers: &mut [Reader]) -> anyhow::Result<()> {
    let mut client = Client::connect(address)?;
    for reader in readers {
        let topic = OffsetFetchRequestTopic::default().with_name(topic_name()).with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default().with_group_id(reader.group_id()).with_topics(Some(vec![topic]));
        let committed = client.ask(5, &request)?.topics[0].partitions[0].committed_offset.max(0);
        let Reader { group, acknowledged, sent, .. } = &*reader;
        ensure!((*acknowledged..=*sent).contains(&committed), "{group}: {committed}, not {acknowledged} to {sent}");
        reader.acknowledged = committed;
    }
    Ok(())
}

impl Reader {
    fn new(index: usize, seed: u64) -> Reader {
        let group = format!("group-{index}");
        Reader { group, member_id: String::new(), generation: 0, acknowledged: 0, sent: 0, chance: Chance::new(seed) }
    }

    /// Works until the broker is gone.
    fn run(&mut self, address: SocketAddr, count: &AtomicUsize) -> anyhow::Result<()> {
        // The others may have been so quick that it is gone before this one begins.
        let Ok(mut client) = Client::connect(address) else { return Ok(()) };
        loop {
            let before = self.acknowledged;
            let code = self.step(&mut client);
            if self.acknowledged > before {
                count.fetch_add(1, Ordering::Relaxed);
            }
            match code {
                // The code of a refusal is no reason to end.
                Ok(()) => {}
                Err(refused) if refused.is::<Refused>() => return Err(refused),
                Err(_gone) => return Ok(()),
            }
        }
    }

    /// One request or two; an error when it is not answered, or not as it may be.
    fn step(&mut self, client: &mut Client) -> anyhow::Result<()> {
        if self.generation <= 0 {
            return self.join(client);
        }
        match self.chance.below(40) {
            0 => self.join(client),
            1 => self.leave(client),
            2..5 => self.heartbeat(client),
            _ => self.commit(client),
        }
    }

    /// Joins, anew or again, and takes everything.
    fn join(&mut self, client: &mut Client) -> anyhow::Result<()> {
        let join = JoinGroupRequest::default()
            .with_group_id(self.group_id())
            .with_member_id(text(&self.member_id))
            .with_session_timeout_ms(6_000)
            .with_rebalance_timeout_ms(1_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![JoinGroupRequestProtocol::default().with_name(text("range"))]);
        let joined = client.ask(3, &join)?;
        if self.is_refused(joined.error_code, &[25])? {
            return Ok(());
        }
        self.member_id = joined.member_id.to_string();
        self.generation = joined.generation_id;
        let members = joined.members.into_iter().map(|member| {
            SyncGroupRequestAssignment::default()
                .with_member_id(member.member_id)
                .with_assignment(Bytes::from_static(b"all"))
        });
        let sync = SyncGroupRequest::default()
            .with_group_id(self.group_id())
            .with_member_id(text(&self.member_id))
            .with_generation_id(self.generation)
            .with_assignments(members.collect());
        let code = client.ask(3, &sync)?.error_code;
        self.is_refused(code, &[22, 25, 27]).map(drop)
    }

    fn leave(&mut self, client: &mut Client) -> anyhow::Result<()> {
        let own = MemberIdentity::default().with_member_id(text(&self.member_id));
        let leave = LeaveGroupRequest::default().with_group_id(self.group_id()).with_members(vec![own]);
        let code = client.ask(3, &leave)?.members.first().map_or(0, |member| member.error_code);
        self.forget();
        self.is_refused(code, &[25]).map(drop)
    }

    fn heartbeat(&mut self, client: &mut Client) -> anyhow::Result<()> {
        let heartbeat = HeartbeatRequest::default()
            .with_group_id(self.group_id())
            .with_member_id(text(&self.member_id))
            .with_generation_id(self.generation);
        let code = client.ask(3, &heartbeat)?.error_code;
        self.is_refused(code, &[22, 25, 27]).map(drop)
    }

    fn commit(&mut self, client: &mut Client) -> anyhow::Result<()> {
        self.sent += 1;
        let partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(self.sent)
            .with_committed_metadata(Some(text(&"x".repeat(METADATA_BYTES))));
        let topic = OffsetCommitRequestTopic::default().with_name(topic_name()).with_partitions(vec![partition]);
        let commit = OffsetCommitRequest::default()
            .with_group_id(self.group_id())
            .with_member_id(text(&self.member_id))
            .with_generation_id_or_member_epoch(self.generation)
            .with_topics(vec![topic]);
        let code = client.ask(7, &commit)?.topics[0].partitions[0].error_code;
        if !self.is_refused(code, &[22, 25, 27])? {
            self.acknowledged = self.sent;
        }
        Ok(())
    }

    /// Whether a request was refused, by one of the codes that tell a member to join again.
    fn is_refused(&mut self, code: i16, allowed: &[i16]) -> anyhow::Result<bool> {
        if code == 0 {
            return Ok(false);
        }
        if !allowed.contains(&code) {
            bail!(Refused(format!("{} is refused with {code}", self.group)));
        }
        self.forget();
        Ok(true)
    }

    fn forget(&mut self) {
        self.member_id.clear();
        self.generation = 0;
    }

    fn group_id(&self) -> GroupId {
        GroupId(text(&self.group))
    }
}

/// The broker says something that it may not say.
#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

fn topic_name() -> TopicName {
    TopicName(text(TOPIC))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
