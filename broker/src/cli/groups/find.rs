//! Finding a group: the node that looks after it, and what that tells of it.

use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::{DescribeGroupsRequest, GroupId, ListGroupsRequest};

use super::list;
use crate::cli::client::{Client, Failure, check, text};
use crate::cli::nearest::did_you_mean;

/// A group, and the node that looks after it.
pub(crate) struct Found {
    pub(crate) node: i32,
    /// Dead for one that is not there.
    pub(crate) group: DescribedGroup,
}

impl Found {
    /// Whether there is no such group.
    pub(super) fn is_missing(&self) -> bool {
        &*self.group.group_state == "Dead"
    }
}

/// Finds a group. One whose coordinator is not ready yet is waited for.
pub(crate) async fn find(client: &mut Client, name: &str) -> Result<Found, Failure> {
    // Where the nodes are.
    client.metadata(Some(&[]), false).await?;
    client.ask_coordinator(name, async |client, node| describe(client, node, name).await).await
}

async fn describe(client: &mut Client, node: i32, name: &str) -> Result<Found, Failure> {
    let question = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(name))]);
    let answer = client.ask_node(node, 0..=5, &question).await?;
    let group = answer.groups.into_iter().next();
    let group = group.ok_or_else(|| Failure::malformed("DescribeGroups", "it speaks of no group"))?;
    check(&format!("{name} cannot be described"), group.error_code, None)?;
    Ok(Found { node, group })
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
