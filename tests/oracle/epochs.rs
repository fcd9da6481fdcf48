//! Where leader epochs end.

use cutaway_tests::batches::Batch;
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::OffsetForLeaderEpochRequest;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};

use super::produce::Target;
use super::{make_topic, topic_name};

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    let id = make_topic(talk, "epochs", 2)?;
    let target = Target { version: 9, name: "epochs", id };
    for _ in 0..3 {
        talk.learn(9, &target.request(0, Some(Batch::default().bytes()))?)?;
    }
    for version in 2..=4 {
        for epoch in [-2, -1, 0, 1, 7, i32::MAX] {
            talk.ask(&format!("epoch {epoch}"), version, &request(version, "epochs", &[(0, -1, epoch)]))?;
            talk.ask(&format!("epoch {epoch}, no records"), version, &request(version, "epochs", &[(1, -1, epoch)]))?;
        }
        for current in [-2, 0, 1, 7] {
            talk.ask(&format!("current epoch {current}"), version, &request(version, "epochs", &[(0, current, 0)]))?;
        }
        let many = request(version, "epochs", &[(0, -1, 0), (5, -1, 0), (-1, -1, 0), (0, -1, 9)]);
        talk.ask("partitions that are there and that are not, and one twice", version, &many)?;
        talk.ask("a topic that is not there", version, &request(version, "nowhere", &[(0, 3, 0)]))?;
        talk.ask("a name that is not allowed", version, &request(version, "bad/name", &[(0, -1, 0)]))?;
        talk.ask("no partitions", version, &request(version, "epochs", &[]))?;
        talk.ask("no topics", version, &request(version, "epochs", &[]).with_topics(vec![]))?;
        if version >= 3 {
            for replica in [-1, 1, 7] {
                let from = request(version, "epochs", &[(0, 0, 0)]).with_replica_id(replica.into());
                talk.ask(&format!("replica {replica}"), version, &from)?;
            }
        }
    }
    Ok(())
}

/// Asks for the ends of epochs: partition, current leader epoch, epoch.
fn request(version: i16, topic: &str, partitions: &[(i32, i32, i32)]) -> OffsetForLeaderEpochRequest {
    let partitions = partitions.iter().map(|(partition, current, epoch)| {
        OffsetForLeaderPartition::default()
            .with_partition(*partition)
            .with_current_leader_epoch(*current)
            .with_leader_epoch(*epoch)
    });
    let topic = OffsetForLeaderTopic::default().with_topic(topic_name(topic)).with_partitions(partitions.collect());
    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
    if version >= 3 { request.with_replica_id((-1).into()) } else { request }
}
