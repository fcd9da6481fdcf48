//! `cutaway groups list`.

use std::process::ExitCode;

use kafka_protocol::messages::ListGroupsRequest;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use serde_json::json;

use crate::cli::client::{Client, Failure, check};
use crate::cli::output;

/// Prints name and state of every group.
pub(super) async fn run(client: &mut Client, as_json: bool) -> anyhow::Result<ExitCode> {
    let groups = all(client, &ListGroupsRequest::default()).await?;
    if as_json {
        for group in &groups {
            output::json(&json!({
                "group": group.group_id.as_str(),
                "state": group.group_state.as_str(),
                "type": group.group_type.as_str(),
                "protocol_type": group.protocol_type.as_str(),
            }))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if groups.is_empty() {
        anstream::eprintln!(
            "there are no groups yet; a consumer with a group.id makes one, as does: kcat -G GROUP TOPIC"
        );
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 3]> = groups
        .iter()
        .map(|group| [group.group_id.to_string(), group.group_state.to_string(), group.protocol_type.to_string()])
        .collect();
    output::table(["GROUP", "STATE", "MEMBERS ARE"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

/// The groups that all nodes tell of, by name.
pub(super) async fn all(client: &mut Client, request: &ListGroupsRequest) -> Result<Vec<ListedGroup>, Failure> {
    let nodes: Vec<i32> =
        client.metadata(Some(&[]), false).await?.brokers.iter().map(|broker| broker.node_id.0).collect();
    let mut groups = Vec::new();
    for node in nodes {
        let answer = client.ask_node(node, 0..=5, request).await?;
        check("the groups are not told", answer.error_code, None)?;
        groups.extend(answer.groups);
    }
    groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
    Ok(groups)
}
