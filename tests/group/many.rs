//! Many commits at once: what is forgotten of them fits into batches, however much it is.

use cutaway::coordinator::conversation::{Commit, Identity, NewOffset, Reply, Request};
use cutaway::coordinator::group::{GroupRules, Ticket};
use cutaway::coordinator::{Outcome, Rules, Shard};
use cutaway::names::{GroupId, TopicId, TopicName};
use uuid::Uuid;

const GROUPS: usize = 100;
const PARTITIONS: i32 = 100;
/// Well below what Kafka and we allow a batch to have.
const BATCH_BYTES: usize = 512 * 1024;

const RULES: Rules = Rules {
    groups: GroupRules {
        initial_rebalance_delay_ms: 0,
        max_size: usize::MAX,
        min_session_timeout_ms: 6_000,
        max_session_timeout_ms: 1_800_000,
    },
    max_metadata_bytes: 4096,
    offsets_retention_ms: 1000,
    expiry_interval_ms: 10_000,
};

fn topic() -> TopicName {
    TopicName::parse("t").expect("a name")
}

fn topic_id() -> TopicId {
    TopicId::from_uuid(Uuid::from_u128(1)).expect("not zero")
}

/// A shard in which each of the groups has committed for each of the partitions.
fn full() -> Shard {
    let mut shard = Shard::new(RULES);
    for group in 0..GROUPS {
        let offset = |partition| NewOffset {
            topic: topic(),
            topic_id: Some(topic_id()),
            partition,
            offset: 1,
            leader_epoch: -1,
            metadata: String::new(),
        };
        let commit = Commit {
            group: GroupId::new(&format!("group-{group}")),
            who: Identity::default(),
            generation: -1,
            retention_ms: None,
            knows_missing_groups: true,
            offsets: (0..PARTITIONS).map(offset).collect(),
        };
        shard.apply(&Request::Commit(commit), Ticket(0), 0);
    }
    shard
}

fn all() -> usize {
    GROUPS * usize::try_from(PARTITIONS).expect("a few")
}

/// How many records the outcomes have, each of which fits into a batch.
fn count(outcomes: &[Outcome]) -> usize {
    assert!(outcomes.len() > 2, "it is too much for one or two");
    assert!(outcomes.iter().all(|outcome| outcome.size() < BATCH_BYTES), "each fits");
    outcomes.iter().map(|outcome| outcome.records.len()).sum()
}

#[test]
fn what_was_committed_for_a_deleted_topic_is_forgotten_batch_by_batch() {
    let mut shard = full();
    let mut outcomes = Vec::new();
    loop {
        let outcome = shard.apply(&Request::TopicDeleted(topic(), topic_id()), Ticket(0), 1);
        let is_all = matches!(outcome.replies[0].1, Reply::Forgotten { is_all: true });
        outcomes.push(outcome);
        if is_all {
            break;
        }
    }
    assert_eq!(count(&outcomes), all());
    let left = shard.projection(None, usize::MAX).0;
    assert!(left.is_empty(), "{} are left", left.len());
}

#[test]
fn a_start_forgets_what_was_committed_for_topics_that_are_gone_batch_by_batch() {
    assert_eq!(count(&full().keep_topics(&std::collections::HashMap::new(), 1)), all());
}

#[test]
fn what_is_old_is_forgotten_batch_by_batch() {
    let mut shard = full();
    let mut outcomes = Vec::new();
    let mut now_ms = 20_000;
    while !shard.projection(None, usize::MAX).0.is_empty() {
        let due_ms = shard.next_deadline_ms().expect("there is more to forget");
        assert!(due_ms <= now_ms + 1, "the rest comes at once");
        now_ms = now_ms.max(due_ms);
        outcomes.push(shard.pass_time(now_ms));
    }
    // The groups go after their commits.
    assert_eq!(count(&outcomes), all() + GROUPS);
}
