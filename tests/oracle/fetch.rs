//! Records read back: whole and in part, out of range, with a wrong epoch, and in sessions.

use anyhow::Context;
use cutaway_tests::batches::Batch;
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest};

use super::produce::Target;
use super::{make_topic, topic_name};

/// One topic in one version; from version 13 on it goes by its id.
struct Source {
    version: i16,
    name: &'static str,
    id: String,
}

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    let id = make_topic(talk, "fetched", 2)?;
    let target = Target { version: 9, name: "fetched", id: id.clone() };
    for size in [300, 300, 300] {
        let records = vec![(Some(b"key".to_vec()), Some(vec![b'v'; size])); 2];
        talk.learn(9, &target.request(0, Some(Batch { records, ..Batch::default() }.bytes()))?)?;
    }
    for version in [4, 5, 7, 9, 11, 12, 13, 15, 17] {
        let source = Source { version, name: "fetched", id: id.clone() };
        whole_and_in_part(talk, &source)?;
        wrong(talk, &source)?;
    }
    for version in [7, 11, 12, 13, 17] {
        sessions(talk, &Source { version, name: "fetched", id: id.clone() })?;
    }
    Ok(())
}

fn whole_and_in_part(talk: &mut Talk, source: &Source) -> anyhow::Result<()> {
    let version = source.version;
    let one = |offset: i64, partition_max_bytes| source.request(vec![partition(0, offset, partition_max_bytes)]);
    talk.ask("everything", version, &one(0, 1_000_000)?)?;
    talk.ask("from the middle of a batch", version, &one(3, 1_000_000)?)?;
    talk.ask("less than a batch", version, &one(0, 10)?)?;
    talk.ask("a batch and a bit", version, &one(0, 850)?)?;
    talk.ask("at most 10 bytes in all", version, &one(0, 1_000_000)?.with_max_bytes(10))?;
    talk.ask("the end", version, &one(6, 1_000_000)?)?;
    talk.ask("more than there is", version, &one(0, 1_000_000)?.with_min_bytes(1_000_000))?;
    talk.ask("only what is committed", version, &one(0, 1_000_000)?.with_isolation_level(1))?;
    let both = source.request(vec![partition(0, 0, 1_000_000), partition(1, 0, 1_000_000)])?;
    talk.ask("two partitions", version, &both)?;
    talk.ask("two partitions in little room", version, &both.with_max_bytes(700))?;
    talk.ask("no partitions", version, &source.request(vec![])?)?;
    talk.ask("no topics", version, &source.request(vec![])?.with_topics(vec![]))?;
    Ok(())
}

fn wrong(talk: &mut Talk, source: &Source) -> anyhow::Result<()> {
    let version = source.version;
    talk.ask("beyond the end", version, &source.request(vec![partition(0, 999, 1000)])?)?;
    talk.ask("before the start", version, &source.request(vec![partition(0, -1, 1000)])?)?;
    talk.ask("a partition that is not there", version, &source.request(vec![partition(7, 0, 1000)])?)?;
    let twice = source.request(vec![partition(0, 0, 1000), partition(0, 2, 1000)])?;
    talk.ask("a partition twice", version, &twice)?;
    let mixed = source.request(vec![partition(7, 0, 1000), partition(0, 4, 1000), partition(8, 0, 1000)])?;
    talk.ask("some partitions that are not there", version, &mixed)?;
    let nowhere = Source { version, name: "nowhere", id: "1".repeat(32) };
    talk.ask("a topic that is not there", version, &nowhere.request(vec![partition(0, 0, 1000)])?)?;
    talk.ask(
        "an isolation level that does not exist",
        version,
        &source.request(vec![partition(0, 0, 1000)])?.with_isolation_level(7),
    )?;
    if version >= 9 {
        for (name, epoch) in [("a later epoch", 9), ("this epoch", 0), ("an epoch below all", -2)] {
            let fenced = partition(0, 0, 1000).with_current_leader_epoch(epoch);
            talk.ask(name, version, &source.request(vec![fenced])?)?;
        }
    }
    if version >= 12 {
        for epoch in [0, 5, -2] {
            let diverged = partition(0, 2, 1000).with_last_fetched_epoch(epoch);
            talk.ask(&format!("last fetched epoch {epoch}"), version, &source.request(vec![diverged])?)?;
        }
        for offset in [-1, 6, 7] {
            let diverged = partition(0, offset, 1000).with_last_fetched_epoch(0);
            talk.ask(&format!("offset {offset} of the last fetched epoch"), version, &source.request(vec![diverged])?)?;
        }
    }
    Ok(())
}

fn sessions(talk: &mut Talk, source: &Source) -> anyhow::Result<()> {
    let version = source.version;
    let both = vec![partition(0, 0, 1000), partition(1, 0, 1000)];
    let in_session = |request: FetchRequest, id, epoch| request.with_session_id(id).with_session_epoch(epoch);
    let nothing = || anyhow::Ok(source.request(vec![])?.with_topics(vec![]));

    let opened = talk.ask("a session", version, &in_session(source.request(both.clone())?, 0, 0))?;
    let id = i32::try_from(opened["sessionId"].as_i64().context("the answer has no session")?)?;
    talk.ask("the same again", version, &in_session(nothing()?, id, 1))?;
    let moved = source.request(vec![partition(0, 6, 1000)])?;
    talk.ask("one partition to its end", version, &in_session(moved, id, 2))?;
    talk.ask("nothing new", version, &in_session(nothing()?, id, 3))?;
    talk.ask("an epoch that was", version, &in_session(nothing()?, id, 3))?;
    talk.ask("an epoch that is to come", version, &in_session(nothing()?, id, 9))?;
    let forgotten = in_session(nothing()?, id, 4).with_forgotten_topics_data(vec![source.forget(0)?]);
    talk.ask("one partition less", version, &forgotten)?;
    let lost = in_session(source.request(vec![partition(1, 99, 1000)])?, id, 5);
    talk.ask("one partition out of range", version, &lost)?;
    talk.ask("and still out of range", version, &in_session(nothing()?, id, 6))?;
    talk.ask("the session's end", version, &in_session(source.request(both.clone())?, id, -1))?;
    talk.ask("a session that has ended", version, &in_session(nothing()?, id, 7))?;
    talk.ask("a session that never was", version, &in_session(nothing()?, 123_456, 1))?;
    talk.ask("no session, but an epoch", version, &in_session(nothing()?, 0, 5))?;
    talk.ask("no session wanted", version, &in_session(source.request(both)?, 0, -1))?;
    Ok(())
}

fn partition(index: i32, offset: i64, max_bytes: i32) -> FetchPartition {
    FetchPartition::default().with_partition(index).with_fetch_offset(offset).with_partition_max_bytes(max_bytes)
}

impl Source {
    /// Answers at once or after a tenth of a second, outside of any session.
    fn request(&self, partitions: Vec<FetchPartition>) -> anyhow::Result<FetchRequest> {
        let topic = FetchTopic::default().with_partitions(partitions);
        let topic = if self.version >= 13 {
            topic.with_topic_id(self.id.parse()?)
        } else {
            topic.with_topic(topic_name(self.name))
        };
        let request = FetchRequest::default().with_topics(vec![topic]).with_max_wait_ms(100).with_min_bytes(1);
        let request = request.with_max_bytes(10_000_000);
        Ok(if self.version >= 15 { request } else { request.with_replica_id(BrokerId(-1)) })
    }

    fn forget(&self, partition: i32) -> anyhow::Result<ForgottenTopic> {
        let topic = ForgottenTopic::default().with_partitions(vec![partition]);
        Ok(if self.version >= 13 {
            topic.with_topic_id(self.id.parse()?)
        } else {
            topic.with_topic(topic_name(self.name))
        })
    }
}
