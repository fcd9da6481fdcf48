//! The APIs that make, change and describe topics.

mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe_producers;
mod describe_topic_partitions;

use std::collections::HashSet;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;

use super::call::{Answer, Hangup, Head};
use super::{Core, RequestContext};

/// Answers one request of these APIs.
pub(super) async fn answer(
    core: &Core,
    context: &RequestContext,
    key: ApiKey,
    head: Head,
    body: Bytes,
) -> Result<Answer, Hangup> {
    let version = head.version;
    match key {
        ApiKey::CreateTopics => head.encode(&create_topics::handle(core, context, &head.decode(body)?, version).await),
        ApiKey::DeleteTopics => head.encode(&delete_topics::handle(core, context, head.decode(body)?, version).await),
        ApiKey::CreatePartitions => head.encode(&create_partitions::handle(core, context, &head.decode(body)?).await),
        ApiKey::DescribeProducers => head.encode(&describe_producers::handle(core, context, head.decode(body)?)),
        ApiKey::DescribeTopicPartitions => head.encode(&describe_topic_partitions::handle(core, &head.decode(body)?)),
        _ => Err(head.has_no_handler()),
    }
}

/// The sentence on a topic that a request names more than once.
const NAMED_TWICE: &str = "Duplicate topic name.";

/// The entries of a request, one for each name, and the names that stand there more than once: as in Kafka these are
/// refused, and that is said once, wherever they stand.
fn once_each<'a, T>(entries: &'a [T], name: impl Fn(&'a T) -> &'a str) -> (Vec<&'a T>, HashSet<&'a str>) {
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    let first = |entry: &&'a T| {
        let is_new = seen.insert(name(entry));
        if !is_new {
            repeated.insert(name(entry));
        }
        is_new
    };
    let entries = entries.iter().filter(first).collect();
    (entries, repeated)
}
