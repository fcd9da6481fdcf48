//! DescribeLogDirs: how much is in the data folder, how much of it each partition has, and how much room there is.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use kafka_protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::protocol::StrBytes;

use crate::handlers::call::{Answer, Hangup, Head, wire_name};
use crate::handlers::errors::storage_code;
use crate::handlers::{Core, RequestContext};
use crate::topics::Topic;

/// The first version that tells whether a folder is cordoned, which the message crate does not know yet.
const CORDONED_FROM: i16 = 5;

/// The folder's entry is the last thing of an answer, and that it is not cordoned is the last field of the entry but for
/// tags: a zero before the two zeros that say that there are no tags, or as well behind them.
const NOT_CORDONED: &[u8] = &[0];

/// Describes the one folder that there is, and in it the partitions of the node that is asked.
pub(super) fn handle(core: &Core, context: &RequestContext, head: Head, body: Bytes) -> Result<Answer, Hangup> {
    let response =
        DescribeLogDirsResponse::default().with_results(vec![describe(core, context.node, &head.decode(body)?)]);
    head.encode_with(&response, if head.version >= CORDONED_FROM { NOT_CORDONED } else { &[] })
}

fn describe(core: &Core, node: i32, request: &DescribeLogDirsRequest) -> DescribeLogDirsResult {
    let result = DescribeLogDirsResult::default().with_log_dir(StrBytes::from_string(core.topics.log_dir()));
    let space = match core.topics.space() {
        Ok(space) => space,
        Err(failure) => return result.with_error_code(storage_code(&failure).code()),
    };
    let mut topics: Vec<_> = if request.topics.is_some() {
        let found = wanted(request).into_iter().filter_map(|(name, numbers)| Some((core.topics.get(name)?, numbers)));
        found.map(|(topic, numbers)| sizes(&topic, node, |number| numbers.contains(&number))).collect()
    } else {
        core.topics.list().iter().map(|topic| sizes(topic, node, |_| true)).collect()
    };
    topics.retain(|topic| !topic.partitions.is_empty());
    let count = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    result.with_topics(topics).with_total_bytes(count(space.total)).with_usable_bytes(count(space.usable))
}

/// Every partition that is asked for, once, however often it stands in the request.
fn wanted(request: &DescribeLogDirsRequest) -> BTreeMap<&str, HashSet<i32>> {
    let mut wanted: BTreeMap<&str, HashSet<i32>> = BTreeMap::new();
    for topic in request.topics.iter().flatten() {
        wanted.entry(topic.topic.as_str()).or_default().extend(&topic.partitions);
    }
    wanted
}

/// The sizes of those of a topic's partitions that are wanted, and that are on the node. No replica lags behind.
fn sizes(topic: &Topic, node: i32, is_wanted: impl Fn(i32) -> bool) -> DescribeLogDirsTopic {
    let is_told = |number: i32| is_wanted(number) && topic.is_on(number, node);
    let partitions = topic.partitions.iter().filter(|partition| is_told(partition.id().partition)).map(|partition| {
        DescribeLogDirsPartition::default()
            .with_partition_index(partition.id().partition)
            .with_partition_size(i64::try_from(partition.size()).unwrap_or(i64::MAX))
    });
    DescribeLogDirsTopic::default().with_name(wire_name(topic.name.as_str())).with_partitions(partitions.collect())
}
