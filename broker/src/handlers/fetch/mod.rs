//! Fetch: reads each wanted partition up to what may be read, or waits until there is enough.
//!
//! One loop: read; enough bytes, any error or the deadline: answer; else wait, with one
//! [`FetchWaiter`] registered at every partition, which is woken once, when `min_bytes` is met. Records are not
//! read here: an answer carries ranges of segment files, which the connection has the kernel copy to the socket.
//! [`session`] remembers partitions between requests, [`encode`] writes the response by hand.

mod encode;
mod session;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchRequest;

use super::call::{Answer, Hangup, Head};
use super::epochs::{check_node_and_epoch, find_divergence};
use super::errors::storage_code;
use super::{Core, RequestContext};
use crate::names::TopicId;
use crate::topics::{FetchWaiter, Isolation, Partition, Topic};
use encode::PartitionAnswer;
pub(super) use session::FetchSessions;
use session::{PartitionKey, TopicKey, Wanted};

/// Clients of versions up to this may not know KAFKA_STORAGE_ERROR.
const NO_STORAGE_ERROR_UP_TO: i16 = 5;

/// From this version on a consumer may read from any replica (KIP-392).
const ANY_REPLICA_FROM: i16 = 11;

/// The first version that says elsewhere who fetches.
const REPLICA_STATE_FROM: i16 = 15;

/// What a request demands as a whole.
#[derive(Clone, Copy, Debug)]
struct Limits {
    isolation: Isolation,
    min_bytes: i64,
    max_bytes: u32,
    max_wait: Duration,
    /// The node that is asked.
    node: i32,
    /// Only the leader may answer.
    must_lead: bool,
}

/// What one pass over all partitions found.
#[derive(Default)]
struct Pass {
    answers: Vec<(PartitionKey, PartitionAnswer)>,
    bytes: i64,
    /// A partition failed, or its log and the client's part.
    urgent: bool,
    /// The partitions that exist, with the end that was readable.
    watched: Vec<(Arc<Partition>, i64)>,
}

/// Answers with what there is, once there is enough of it.
pub(super) async fn handle(core: &Core, context: &RequestContext, head: Head, body: Bytes) -> Result<Answer, Hangup> {
    let (limits, opened) = {
        // The request is gone before anything waits, so that a parked fetch does not keep its frame in memory.
        let request: FetchRequest = head.decode(body)?;
        let (wanted, forgotten) = session::keys(&request, head.version);
        let Some(limits) = Limits::of(core, context, &request, head.version) else {
            return refuse_isolation(head, &request, &wanted);
        };
        let (id, epoch) = (request.session_id, request.session_epoch);
        let now_ms = core.clock.now_ms();
        let by_id = encode::names_by_id(head.version);
        let opened = core.fetch_sessions(context.node).open(id, epoch, by_id, wanted, &forgotten, now_ms);
        (limits, opened)
    };
    let (plan, wanted) = match opened {
        Ok(opened) => opened,
        Err(code) => return encode::encode(head, code.code(), 0, &[], &[]),
    };
    let mut answers = read_or_wait(core, context, &wanted, limits).await;
    if head.version <= NO_STORAGE_ERROR_UP_TO {
        for (_, answer) in &mut answers {
            answer.hide_storage_error();
        }
    }
    match core.fetch_sessions(context.node).close(plan, &wanted, &mut answers, core.clock.now_ms()) {
        Ok(session_id) => encode::encode(head, 0, session_id, &answers, &context.cluster),
        Err((code, session_id)) => encode::encode(head, code.code(), session_id, &[], &[]),
    }
}

/// What Kafka answers on an isolation level that it does not know: it fails over it, and until version 12 says so for
/// every partition.
fn refuse_isolation(head: Head, request: &FetchRequest, wanted: &[Wanted]) -> Result<Answer, Hangup> {
    let code = ResponseError::UnknownServerError;
    let listed = if encode::names_by_id(head.version) { &[] } else { wanted };
    let refuse = |one: &Wanted| (one.key.clone(), PartitionAnswer::unknown(one.key.index, code));
    let answers: Vec<_> = listed.iter().map(refuse).collect();
    encode::encode(head, code.code(), request.session_id, &answers, &[])
}

impl Limits {
    /// `None` for an isolation level that does not exist.
    fn of(core: &Core, context: &RequestContext, request: &FetchRequest, version: i16) -> Option<Limits> {
        let replica = if version < REPLICA_STATE_FROM { request.replica_id } else { request.replica_state.replica_id };
        let max_bytes = request.max_bytes.min(core.config().fetch_max_bytes).max(0);
        Some(Limits {
            isolation: match request.isolation_level {
                0 => Isolation::ReadUncommitted,
                1 => Isolation::ReadCommitted,
                _ => return None,
            },
            min_bytes: i64::from(request.min_bytes.min(max_bytes)),
            max_bytes: max_bytes.unsigned_abs(),
            max_wait: Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)),
            node: context.node,
            must_lead: version < ANY_REPLICA_FROM || replica.0 >= 0,
        })
    }
}

async fn read_or_wait(
    core: &Core,
    context: &RequestContext,
    wanted: &[Wanted],
    limits: Limits,
) -> Vec<(PartitionKey, PartitionAnswer)> {
    let started = core.clock.instant();
    loop {
        let pass = read_all(core, wanted, limits);
        let left = limits.max_wait.saturating_sub(core.clock.elapsed_since(started));
        if pass.is_enough(limits) || left.is_zero() || context.hurry.is_asked_for() {
            return pass.answers;
        }
        let waiter = FetchWaiter::new(limits.min_bytes - pass.bytes);
        let all_still = pass.watched.iter().all(|(partition, end)| partition.watch(&waiter, limits.isolation, *end));
        // What was read is read again when there is enough; until then it would only take memory.
        drop(pass);
        if all_still {
            tokio::select! {
                () = waiter.woken() => {}
                () = core.clock.sleep(left) => {}
                () = context.hurry.asked() => {}
            }
        }
    }
}

/// Reads in the order of the request, which is the client's order of priority: the first partition that has
/// anything returns one whole batch whatever its size (KIP-74), the others keep to what is left.
fn read_all(core: &Core, wanted: &[Wanted], limits: Limits) -> Pass {
    let mut pass = Pass { answers: Vec::with_capacity(wanted.len()), ..Pass::default() };
    // As in Kafka, what does not exist is told after what does.
    let mut unknown = Vec::new();
    let mut topic: Option<(&TopicKey, Option<Arc<Topic>>)> = None;
    let mut budget = limits.max_bytes;
    for one in wanted {
        // Neighbours mostly belong to one topic, which is then looked up once.
        if topic.as_ref().is_none_or(|(key, _)| *key != &one.key.topic) {
            topic = Some((&one.key.topic, find_topic(core, &one.key.topic)));
        }
        let found = topic.as_ref().and_then(|(_, found)| found.as_ref());
        match find_partition(found, &one.key) {
            Ok((topic, partition)) => {
                let answer = pass.read(topic, partition, one, limits, &mut budget);
                pass.answers.push((one.key.clone(), answer));
            }
            Err(code) => unknown.push((one.key.clone(), PartitionAnswer::unknown(one.key.index, code))),
        }
    }
    pass.answers.append(&mut unknown);
    pass
}

fn find_topic(core: &Core, key: &TopicKey) -> Option<Arc<Topic>> {
    match key {
        TopicKey::Name(name) => core.topics.get(name),
        TopicKey::Id(id) => core.topics.get_by_id(TopicId::from_uuid(*id)?),
    }
}

fn find_partition<'a>(
    topic: Option<&'a Arc<Topic>>,
    key: &PartitionKey,
) -> Result<(&'a Topic, &'a Arc<Partition>), ResponseError> {
    let Some(topic) = topic else {
        return Err(match key.topic {
            TopicKey::Name(_) => ResponseError::UnknownTopicOrPartition,
            TopicKey::Id(_) => ResponseError::UnknownTopicId,
        });
    };
    let partition = topic.partition(key.index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    Ok((topic, partition))
}

impl Pass {
    /// Partitions that do not exist do not count: as in Kafka, a fetch of nothing else is answered at once, and
    /// beside one that exists they wait with it.
    fn is_enough(&self, limits: Limits) -> bool {
        self.watched.is_empty() || self.urgent || self.bytes >= limits.min_bytes
    }

    fn read(
        &mut self,
        topic: &Topic,
        partition: &Arc<Partition>,
        wanted: &Wanted,
        limits: Limits,
        budget: &mut u32,
    ) -> PartitionAnswer {
        let asked = (limits.node, limits.must_lead);
        let checked = check_node_and_epoch(topic, partition, asked, wanted.current_leader_epoch)
            .and_then(|()| find_divergence(partition, wanted.last_fetched_epoch, wanted.fetch_offset));
        let read = match checked {
            Ok(Some(diverging)) => {
                self.finish_at_once(partition);
                return PartitionAnswer::diverged(wanted.key.index, partition, diverging);
            }
            Ok(None) => {
                let at_least_one = self.bytes == 0;
                let max_bytes = wanted.max_bytes.min(*budget);
                let read = partition.read(wanted.fetch_offset, limits.isolation, max_bytes, at_least_one);
                read.map_err(|failure| storage_code(&failure))
            }
            Err(code) => Err(code),
        };
        match read {
            Ok(read) => {
                let length = read.range.as_ref().map_or(0, |range| range.length);
                *budget = budget.saturating_sub(length);
                self.bytes += i64::from(length);
                self.watched.push((Arc::clone(partition), read.readable_end(limits.isolation)));
                PartitionAnswer::of(wanted.key.index, read)
            }
            Err(code) => {
                self.finish_at_once(partition);
                let index = wanted.key.index;
                let knows_better =
                    matches!(code, ResponseError::NotLeaderOrFollower | ResponseError::FencedLeaderEpoch);
                let leader = knows_better.then(|| (topic.leader_of(index), partition.leader_epoch()));
                PartitionAnswer::failed(index, code).with_leader(leader)
            }
        }
    }

    /// Something is to be told that must not wait for records.
    fn finish_at_once(&mut self, partition: &Arc<Partition>) {
        self.urgent = true;
        self.watched.push((Arc::clone(partition), 0));
    }
}
