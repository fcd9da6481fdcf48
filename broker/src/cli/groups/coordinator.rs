//! Who looks after a group, and what it tells of it.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::{
    DescribeGroupsRequest, FindCoordinatorRequest, GroupId, ListGroupsRequest, OffsetFetchRequest,
};

use super::list;
use crate::cli::client::{Client, Failure, check, text};
use crate::cli::nearest::did_you_mean;

/// How often a coordinator is asked that has to read its groups first, and the pause between two times.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// What is committed, by topic and partition.
pub(super) type Committed = BTreeMap<(String, i32), i64>;

/// A group, and the node that looks after it.
pub(super) struct Found {
    pub(super) node: i32,
    /// Dead for one that is not there.
    pub(super) group: DescribedGroup,
}

impl Found {
    /// Whether there is no such group.
    pub(super) fn is_missing(&self) -> bool {
        &*self.group.group_state == "Dead"
    }
}

/// Finds a group. One whose coordinator is not ready yet is waited for.
pub(super) async fn find(client: &mut Client, name: &str) -> Result<Found, Failure> {
    // Where the nodes are.
    client.metadata(Some(&[]), false).await?;
    for _ in 0..LOOKS {
        match try_to_find(client, name).await {
            Err(Failure::Refused { error, .. }) if is_not_ready(error) => client.clock().clone().sleep(PAUSE).await,
            found => return found,
        }
    }
    try_to_find(client, name).await
}

fn is_not_ready(error: ResponseError) -> bool {
    use ResponseError::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    matches!(error, CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator)
}

async fn try_to_find(client: &mut Client, name: &str) -> Result<Found, Failure> {
    let question = FindCoordinatorRequest::default().with_key(text(name));
    let answer = client.ask(0..=3, &question).await?;
    check(&format!("the coordinator of {name} is not known"), answer.error_code, answer.error_message.as_deref())?;
    let node = answer.node_id.0;
    let question = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(name))]);
    let answer = client.ask_node(node, 0..=5, &question).await?;
    let group = answer.groups.into_iter().next();
    let group = group.ok_or_else(|| Failure::malformed("DescribeGroups", "it speaks of no group"))?;
    check(&format!("{name} cannot be described"), group.error_code, None)?;
    Ok(Found { node, group })
}

/// All that a group has committed.
pub(super) async fn committed(client: &mut Client, node: i32, name: &str) -> Result<Committed, Failure> {
    let question = OffsetFetchRequest::default().with_group_id(GroupId(text(name))).with_topics(None);
    // Version 2 asks for all topics, version 8 in another form.
    let answer = client.ask_node(node, 2..=7, &question).await?;
    let what = format!("what {name} has committed is not known");
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

/// Says which group is missing, and which was meant perhaps.
pub(super) async fn missing(client: &mut Client, name: &str) -> anyhow::Error {
    let all = list::all(client, &ListGroupsRequest::default()).await.unwrap_or_default();
    let hint = match did_you_mean(name, all.iter().map(|group| group.group_id.as_str())) {
        none if none.is_empty() => "; `cutaway groups list` shows which there are".to_owned(),
        hint => hint,
    };
    anyhow::anyhow!("there is no group {name}{hint}")
}
