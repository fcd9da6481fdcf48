//! Which node looks after a group, and what is committed in its name.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{FindCoordinatorRequest, GroupId, OffsetFetchRequest};

use super::{Client, Failure, Partition, check, text};

/// How often a coordinator is asked that has to read its groups first, and the pause between two times.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// What is committed, by topic and partition.
pub(crate) type Committed = BTreeMap<Partition, i64>;

impl Client {
    /// The node that looks after a group.
    pub(crate) async fn coordinator(&mut self, group: &str) -> Result<i32, Failure> {
        let question = FindCoordinatorRequest::default().with_key(text(group));
        let answer = self.ask(0..=3, &question).await?;
        let what = format!("the coordinator of {group} is not known");
        check(&what, answer.error_code, answer.error_message.as_deref())?;
        Ok(answer.node_id.0)
    }

    /// Asks the coordinator of a group, again and again while it is not ready. Nodes must be known.
    pub(crate) async fn ask_coordinator<T>(
        &mut self,
        group: &str,
        ask: impl AsyncFn(&mut Client, i32) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut looks = 0;
        loop {
            looks += 1;
            let asked = match self.coordinator(group).await {
                Ok(node) => ask(self, node).await,
                Err(failure) => Err(failure),
            };
            match asked {
                Err(Failure::Refused { error, .. }) if is_not_ready(error) && looks < LOOKS => {
                    self.clock().clone().sleep(PAUSE).await;
                }
                asked => return asked,
            }
        }
    }

    /// All that a group has committed.
    pub(crate) async fn committed(&mut self, node: i32, group: &str) -> Result<Committed, Failure> {
        let question = OffsetFetchRequest::default().with_group_id(GroupId(text(group))).with_topics(None);
        // Version 2 asks for all topics, version 8 in another form.
        let answer = self.ask_node(node, 2..=7, &question).await?;
        let what = format!("what {group} has committed is not known");
        check(&what, answer.error_code, None)?;
        let mut committed = Committed::new();
        for topic in answer.topics {
            for partition in topic.partitions {
                check(&what, partition.error_code, None)?;
                if partition.committed_offset >= 0 {
                    committed.insert((topic.name.to_string(), partition.partition_index), partition.committed_offset);
                }
            }
        }
        Ok(committed)
    }
}

/// Whether a coordinator has to read its groups first, or another node has just become it.
pub(crate) fn is_not_ready(error: ResponseError) -> bool {
    use ResponseError::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    matches!(error, CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator)
}
