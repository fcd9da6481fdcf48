//! What librdkafka tells a consumer besides the records: brokers that are gone, partitions that move, where a topic ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use crate::kafka::health::Health;
use crate::talk::say;

/// Listens.
pub(super) struct Watch {
    topic: String,
    pub(super) health: Health,
    /// Where each partition ends, as of a second ago.
    ends: Mutex<BTreeMap<i32, i64>>,
    /// The missing topic was told.
    is_topic_missing: AtomicBool,
    is_quiet: bool,
}

impl Watch {
    pub(super) fn new(topic: &str, broker: &str, is_quiet: bool) -> Watch {
        Watch {
            topic: topic.to_owned(),
            health: Health::new(broker, "it goes on with the next record"),
            ends: Mutex::default(),
            is_topic_missing: AtomicBool::new(false),
            is_quiet,
        }
    }

    /// The topic is not there: says once what is waited for.
    pub(super) fn topic_is_missing(&self) {
        if !self.is_topic_missing.swap(true, Ordering::Relaxed) {
            say(format_args!(
                "% there is no topic {} yet; waiting for it (a producer creates it, this program never does)",
                self.topic
            ));
        }
    }

    /// How many records are left, given the next offset of each partition; nothing until that is known.
    pub(super) fn lag(&self, next: &BTreeMap<i32, i64>) -> Option<i64> {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.is_empty() {
            return None;
        }
        let left = ends.iter().map(|(partition, end)| (end - next.get(partition).copied().unwrap_or(0)).max(0));
        Some(left.sum())
    }
}

impl ClientContext for Watch {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, _: &str) {
        self.health.hear(&error);
    }

    fn stats(&self, statistics: Statistics) {
        if statistics.brokers.values().any(|broker| broker.state == "UP" && broker.nodeid >= 0) {
            self.health.answered();
        }
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        // Partitions that others read have an unknown end here.
        *ends = topic
            .partitions
            .values()
            .filter(|it| it.partition >= 0 && it.ls_offset >= 0 && it.fetch_state == "active")
            .map(|it| (it.partition, it.ls_offset))
            .collect();
    }
}

impl ConsumerContext for Watch {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) if partitions.count() > 0 => {
                self.health.answered();
                self.is_topic_missing.store(false, Ordering::Relaxed);
                if !self.is_quiet {
                    say(format_args!("% reading {}", names(partitions)));
                }
            }
            Rebalance::Revoke(partitions) if partitions.count() > 0 && !self.is_quiet => {
                say(format_args!("% no longer reading {}", names(partitions)));
            }
            Rebalance::Error(error) => say(format_args!("% the group could not share out its partitions: {error}")),
            _ => {}
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        let Err(error) = result else { return };
        match error.rdkafka_error_code() {
            // There was nothing to commit; or the partitions are somebody else's by now, who reads those records again.
            Some(
                RDKafkaErrorCode::NoOffset
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::RebalanceInProgress,
            ) => {}
            _ => say(format_args!("% offsets were not committed ({error}); records may be read again")),
        }
    }
}

fn names(partitions: &TopicPartitionList) -> String {
    let names =
        partitions.elements().iter().map(|it| format!("{} [{}]", it.topic(), it.partition())).collect::<Vec<_>>();
    names.join(", ")
}
