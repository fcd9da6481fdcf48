//! Fetch sessions (KIP-227) over their whole life: whose turn it is when room is short, what changes, what is told.

use anyhow::Context;
use cutaway_tests::batches::Batch;
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest};
use serde_json::Value;

use super::produce::Target;
use super::{make_topic, topic_name};

/// Room for one batch of these conversations, and not for two.
const ROOM_FOR_ONE: i32 = 500;

const PLENTY: i32 = 1_000_000;

/// A topic as one version names it.
struct Topic {
    name: &'static str,
    id: String,
}

/// The session that a conversation is about.
struct Session<'a> {
    talk: &'a mut Talk,
    version: i16,
    id: i32,
    epoch: i32,
}

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    for (version, name) in [(7, "sessions-7"), (12, "sessions-12"), (13, "sessions-13"), (17, "sessions-17")] {
        let topic = Topic { name, id: make_topic(talk, name, 4)? };
        for partition in 0..3 {
            append(talk, &topic, partition)?;
            append(talk, &topic, partition)?;
        }
        turns(talk, version, &topic)?;
        changes(talk, version, &topic)?;
        what_is_not_there(talk, version, &topic)?;
        ends(talk, version, &topic)?;
    }
    by_name_and_by_id(talk)
}

/// Who returned records goes to the end of the queue.
fn turns(talk: &mut Talk, version: i16, topic: &Topic) -> anyhow::Result<()> {
    let all = [topic.from(0, 0), topic.from(1, 0), topic.from(2, 0), topic.from(3, 0)];
    let mut session = Session::open(talk, "little room", version, topic.wanted(version, &all)?, ROOM_FOR_ONE)?;
    for turn in 1..=4 {
        session.go_on(&format!("turn {turn}"), vec![], vec![], ROOM_FOR_ONE)?;
    }
    session.go_on("all of it", vec![], vec![], PLENTY)?;
    session.go_on("and little again", vec![], vec![], ROOM_FOR_ONE)
}

/// What the client moves, forgets and takes back, and what the log brings.
fn changes(talk: &mut Talk, version: i16, topic: &Topic) -> anyhow::Result<()> {
    let all = [topic.from(0, 4), topic.from(1, 4), topic.from(2, 4)];
    let mut session = Session::open(talk, "three at their ends", version, topic.wanted(version, &all)?, PLENTY)?;
    session.go_on("nothing new", vec![], vec![], PLENTY)?;
    append(session.talk, topic, 1)?;
    session.go_on("one has grown", vec![], vec![], PLENTY)?;
    session.go_on("and is not read on", vec![], vec![], PLENTY)?;
    session.go_on("now it is", topic.wanted(version, &[topic.from(1, 6)])?, vec![], PLENTY)?;
    append(session.talk, topic, 0)?;
    let small = vec![topic.from(0, 4).with_partition_max_bytes(1), topic.from(3, 0)];
    session.go_on("a small limit and a new partition", topic.wanted(version, &small)?, vec![], PLENTY)?;
    session.go_on("the limit stays", vec![], vec![], PLENTY)?;
    session.go_on("one less", vec![], topic.forgotten(version, &[0])?, PLENTY)?;
    let back = topic.wanted(version, &[topic.from(0, 0)])?;
    session.go_on("taken back and forgotten at once", back.clone(), topic.forgotten(version, &[0])?, PLENTY)?;
    session.go_on("taken back", back, vec![], PLENTY)?;
    session.go_on(
        "forgotten twice, and what was never there",
        vec![],
        topic.forgotten(version, &[2, 2, 9])?,
        PLENTY,
    )?;
    let twice = topic.wanted(version, &[topic.from(0, 6), topic.from(1, 0), topic.from(0, 2)])?;
    session.go_on("a partition twice", twice, vec![], PLENTY)
}

/// Partitions and topics that are not there are told of each time, behind the others.
fn what_is_not_there(talk: &mut Talk, version: i16, topic: &Topic) -> anyhow::Result<()> {
    let missing = [topic.from(9, 0), topic.from(0, 0), topic.from(8, 0), topic.from(3, 0)];
    let nowhere = Topic { name: "nowhere", id: "1".repeat(32) };
    let mut wanted = nowhere.wanted(version, &[nowhere.from(0, 0)])?;
    wanted.extend(topic.wanted(version, &missing)?);
    let mut session = Session::open(talk, "some that are not there", version, wanted, PLENTY)?;
    session.go_on("still not there", vec![], vec![], PLENTY)?;
    session.go_on("out of range", topic.wanted(version, &[topic.from(3, 99)])?, vec![], PLENTY)?;
    session.go_on("in range again", topic.wanted(version, &[topic.from(3, 0)])?, vec![], PLENTY)?;
    session.go_on("and told no more", vec![], vec![], PLENTY)?;
    let only = nowhere.wanted(version, &[nowhere.from(0, 0)])?;
    Session::open(session.talk, "only what is not there", version, only, PLENTY)?.go_on("again", vec![], vec![], PLENTY)
}

fn ends(talk: &mut Talk, version: i16, topic: &Topic) -> anyhow::Result<()> {
    let both = topic.wanted(version, &[topic.from(0, 4), topic.from(1, 4)])?;
    let mut session = Session::open(talk, "to be emptied", version, both.clone(), PLENTY)?;
    session.go_on("all forgotten", vec![], topic.forgotten(version, &[0, 1])?, PLENTY)?;
    session.go_on("after its end", vec![], vec![], PLENTY)?;

    let mut session = Session::open(talk, "to be replaced", version, both.clone(), PLENTY)?;
    let old = session.id;
    session.epoch = 0;
    let replaced = session.go_on_noting("a full fetch in a session", both.clone(), vec![], PLENTY)?;
    session.epoch = 1;
    session.go_on("the old one", vec![], vec![], PLENTY)?;
    session.id = i32::try_from(replaced["sessionId"].as_i64().context("no session")?)?;
    anyhow::ensure!(session.id != old, "the session of a full fetch is a new one");
    session.epoch = 1;
    session.go_on("the new one", vec![], vec![], PLENTY)?;
    session.epoch = -2;
    session.go_on("an epoch below all", vec![], vec![], PLENTY)?;
    (session.id, session.epoch) = (0, 5);
    session.go_on("no session, but an epoch", both.clone(), vec![], PLENTY)?;
    (session.id, session.epoch) = (-7, 1);
    session.go_on("a session below 0", both.clone(), vec![], PLENTY)?;
    (session.id, session.epoch) = (123_456, 0);
    session.go_on("a full fetch in a session that never was", both, vec![], PLENTY)
}

/// A session goes by names or by ids, and stays so.
fn by_name_and_by_id(talk: &mut Talk) -> anyhow::Result<()> {
    let topic = Topic { name: "sessions-both", id: make_topic(talk, "sessions-both", 1)? };
    for (opened, used) in [(12, 13), (13, 12)] {
        let wanted = topic.wanted(opened, &[topic.from(0, 0)])?;
        let mut session = Session::open(talk, "of one kind", opened, wanted, PLENTY)?;
        session.version = used;
        session.go_on("used as the other", vec![], vec![], PLENTY)?;
        session.version = opened;
        session.epoch = 1;
        session.go_on("used as its own again", vec![], vec![], PLENTY)?;
    }
    Ok(())
}

fn append(talk: &mut Talk, topic: &Topic, partition: i32) -> anyhow::Result<()> {
    let records = vec![(None, Some(vec![b'v'; 180])); 2];
    let target = Target { version: 9, name: topic.name, id: topic.id.clone() };
    talk.learn(9, &target.request(partition, Some(Batch { records, ..Batch::default() }.bytes()))?)?;
    Ok(())
}

impl<'a> Session<'a> {
    fn open(
        talk: &'a mut Talk,
        name: &str,
        version: i16,
        wanted: Vec<FetchTopic>,
        max_bytes: i32,
    ) -> anyhow::Result<Session<'a>> {
        let mut session = Session { talk, version, id: 0, epoch: 0 };
        let answer = session.go_on_noting(&format!("a session: {name}"), wanted, vec![], max_bytes)?;
        session.id = i32::try_from(answer["sessionId"].as_i64().context("the answer has no session")?)?;
        Ok(session)
    }

    fn go_on(
        &mut self,
        name: &str,
        wanted: Vec<FetchTopic>,
        forgotten: Vec<ForgottenTopic>,
        max_bytes: i32,
    ) -> anyhow::Result<()> {
        self.go_on_noting(name, wanted, forgotten, max_bytes).map(drop)
    }

    fn go_on_noting(
        &mut self,
        name: &str,
        wanted: Vec<FetchTopic>,
        forgotten: Vec<ForgottenTopic>,
        max_bytes: i32,
    ) -> anyhow::Result<Value> {
        let request = FetchRequest::default().with_topics(wanted).with_forgotten_topics_data(forgotten);
        let request = request.with_session_id(self.id).with_session_epoch(self.epoch);
        let request = request.with_max_wait_ms(50).with_min_bytes(1).with_max_bytes(max_bytes);
        let request = if self.version >= 15 { request } else { request.with_replica_id(BrokerId(-1)) };
        self.epoch += 1;
        self.talk.ask(name, self.version, &request)
    }
}

impl Topic {
    fn from(&self, partition: i32, offset: i64) -> FetchPartition {
        FetchPartition::default().with_partition(partition).with_fetch_offset(offset).with_partition_max_bytes(PLENTY)
    }

    fn wanted(&self, version: i16, partitions: &[FetchPartition]) -> anyhow::Result<Vec<FetchTopic>> {
        let topic = FetchTopic::default().with_partitions(partitions.to_vec());
        Ok(vec![if version >= 13 {
            topic.with_topic_id(self.id.parse()?)
        } else {
            topic.with_topic(topic_name(self.name))
        }])
    }

    fn forgotten(&self, version: i16, partitions: &[i32]) -> anyhow::Result<Vec<ForgottenTopic>> {
        let topic = ForgottenTopic::default().with_partitions(partitions.to_vec());
        Ok(vec![if version >= 13 {
            topic.with_topic_id(self.id.parse()?)
        } else {
            topic.with_topic(topic_name(self.name))
        }])
    }
}
