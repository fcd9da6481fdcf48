//! What is in a broker's folder, and what may be moved between folders.

use anyhow::Context;
use bytes::BytesMut;
use cutaway_tests::batches::Batch;
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};
use kafka_protocol::protocol::Encodable;

use super::produce::Target;
use super::{make_topic, text, topic_name};

const DESCRIBE_LOG_DIRS: i16 = 35;

/// The versions that the crate does not know yet, but whose requests are those of the version before.
const NEWEST: i16 = 5;

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    let id = make_topic(talk, "sized", 3)?;
    let target = Target { version: 9, name: "sized", id };
    for partition in [0, 0, 2] {
        talk.learn(9, &target.request(partition, Some(Batch::default().bytes()))?)?;
    }
    let topic = |name: &str, partitions: &[i32]| {
        DescribableLogDirTopic::default().with_topic(topic_name(name)).with_partitions(partitions.to_vec())
    };
    for version in 1..=NEWEST {
        let cases = [
            ("the folder with a topic", vec![topic("sized", &[0, 1, 2])]),
            ("the folder with a partition twice", vec![topic("sized", &[0, 0]), topic("sized", &[2, 0])]),
            ("the folder with what is not there", vec![topic("sized", &[1, 9, -1]), topic("nowhere", &[0])]),
            ("the folder with no partitions", vec![topic("sized", &[])]),
            ("the folder with no topics", vec![]),
        ];
        for (name, topics) in cases {
            let mut body = BytesMut::new();
            let request = DescribeLogDirsRequest::default().with_topics(Some(topics));
            request.encode(&mut body, version.min(NEWEST - 1))?;
            talk.ask_bytes_in_any_order(name, DESCRIBE_LOG_DIRS, version, &body)?;
        }
    }
    moves(talk)
}

fn moves(talk: &mut Talk) -> anyhow::Result<()> {
    let all = talk.learn(4, &DescribeLogDirsRequest::default().with_topics(None))?;
    let here = all["results"][0]["logDir"].as_str().context("the folder has no path")?.to_owned();
    let sized = all["results"][0]["topics"].as_array().context("there are no topics")?;
    anyhow::ensure!(sized.iter().any(|topic| topic["name"] == "sized"), "all topics are not all: {all}");
    let dir = |path: &str, topics: &[(&str, &[i32])]| {
        let topics = topics.iter().map(|(name, partitions)| {
            AlterReplicaLogDirTopic::default().with_name(topic_name(name)).with_partitions(partitions.to_vec())
        });
        AlterReplicaLogDir::default().with_path(text(path)).with_topics(topics.collect())
    };
    let long = "x".repeat(213);
    let longer = "x".repeat(214);
    for version in 1..=2 {
        let cases = [
            ("to the folder where it is", vec![dir(&here, &[("sized", &[0, 2])])]),
            ("to a folder that is not there", vec![dir("/nowhere", &[("sized", &[0])])]),
            ("to a relative path", vec![dir("data", &[("sized", &[0])])]),
            ("to an empty path", vec![dir("", &[("sized", &[0])])]),
            ("what is not there", vec![dir(&here, &[("sized", &[9]), ("nowhere", &[0])])]),
            ("what is not there to a folder that is not there", vec![dir("/nowhere", &[("nowhere", &[0])])]),
            ("to two folders", vec![dir(&here, &[("sized", &[0])]), dir("/nowhere", &[("sized", &[0])])]),
            (
                "to two folders, the last of them right",
                vec![dir("/nowhere", &[("sized", &[0])]), dir(&here, &[("sized", &[0, 1])])],
            ),
            ("a name that is nearly too long", vec![dir(&here, &[(&long, &[0])])]),
            ("a name that is too long", vec![dir(&here, &[(&longer, &[0])])]),
            ("no partitions", vec![dir(&here, &[("sized", &[])])]),
            ("nothing", vec![]),
        ];
        for (name, dirs) in cases {
            talk.ask_in_any_order(name, version, &AlterReplicaLogDirsRequest::default().with_dirs(dirs))?;
        }
    }
    Ok(())
}
