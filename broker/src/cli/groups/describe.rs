//! `cutaway groups describe`: where a group stands, how far it has come and how far behind it is, and who reads what.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use serde_json::{Value, json};

use super::find::{Found, find, missing};
use super::options::DescribeOptions;
use crate::cli::client::consumers::assigned;
use crate::cli::client::{Client, Committed, Failure, LATEST};
use crate::cli::output;

/// Shown where there is nothing to show.
const NONE: &str = "-";

/// Describes one group after the other.
pub(super) async fn run(client: &mut Client, options: &DescribeOptions, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut failures = Vec::new();
    for (index, name) in options.names.iter().enumerate() {
        let found = find(client, name).await?;
        if found.is_missing() {
            failures.push(missing(client, name).await);
            continue;
        }
        let lines = lines(client, name, &found).await?;
        if as_json {
            output::json(&as_value(&found, &lines))?;
            continue;
        }
        if index > 0 {
            output::line("")?;
        }
        show(&found, &lines, options)?;
    }
    Ok(super::outcome(&failures))
}

/// One partition, as far as a group has to do with it.
struct Line {
    topic: String,
    partition: i32,
    committed: Option<i64>,
    end: Option<i64>,
    /// The member that reads it: its place in the list.
    member: Option<usize>,
}

impl Line {
    fn lag(&self) -> Option<i64> {
        Some(self.end?.saturating_sub(self.committed?).max(0))
    }
}

/// Everything that is committed, and everything that somebody reads.
async fn lines(client: &mut Client, name: &str, found: &Found) -> Result<Vec<Line>, Failure> {
    let committed = client.committed(found.node, name).await?;
    let mut readers = BTreeMap::new();
    for (place, member) in found.group.members.iter().enumerate() {
        readers.extend(assigned(member.member_assignment.clone()).into_iter().map(|partition| (partition, place)));
    }
    let ends = ends(client, committed.keys().chain(readers.keys()).map(|(topic, _)| topic.clone()).collect()).await?;
    let all: BTreeSet<&(String, i32)> = committed.keys().chain(readers.keys()).collect();
    let line = |partition: &(String, i32)| Line {
        topic: partition.0.clone(),
        partition: partition.1,
        committed: committed.get(partition).copied(),
        end: ends.get(partition).copied(),
        member: readers.get(partition).copied(),
    };
    Ok(all.into_iter().map(line).collect())
}

/// Where the partitions of topics end; of those that are gone nothing is known.
async fn ends(client: &mut Client, topics: BTreeSet<String>) -> Result<Committed, Failure> {
    let mut ends = Committed::new();
    if topics.is_empty() {
        return Ok(ends);
    }
    let names: Vec<String> = topics.into_iter().collect();
    for topic in client.metadata(Some(&names), false).await?.topics {
        let name = topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default();
        let offsets = client.offsets(&topic, LATEST, false).await?;
        ends.extend(offsets.into_iter().filter_map(|(index, end)| Some(((name.clone(), index), end.ok()?))));
    }
    Ok(ends)
}

fn show(found: &Found, lines: &[Line], options: &DescribeOptions) -> anyhow::Result<()> {
    let Found { node, group } = found;
    output::line(group.group_id.as_str())?;
    output::line(format_args!(
        "  state        {}, {}",
        group.group_state.as_str(),
        output::count(group.members.len(), "member")
    ))?;
    if !group.protocol_data.is_empty() {
        output::line(format_args!(
            "  assignment   {} ({})",
            group.protocol_data.as_str(),
            group.protocol_type.as_str()
        ))?;
    }
    output::line(format_args!("  coordinator  node {node}"))?;
    let behind: i64 = lines.iter().filter_map(Line::lag).sum();
    // Where nothing is committed it depends on the consumer's settings how much is left to read.
    let open = lines.iter().filter(|line| line.end.is_some() && line.committed.is_none()).count();
    let besides = match open {
        0 => String::new(),
        _ => format!(", and {} without a commit", output::count(open, "partition")),
    };
    output::line(format_args!("  lag          {}{besides}", output::count(behind, "record")))?;
    if options.state {
        return Ok(());
    }
    output::line("")?;
    if options.members { show_members(group, lines) } else { show_offsets(group, lines) }
}

fn show_offsets(group: &DescribedGroup, lines: &[Line]) -> anyhow::Result<()> {
    if lines.is_empty() {
        return output::line("nothing is committed, and nobody reads anything");
    }
    let number = |number: Option<i64>| number.map_or_else(|| NONE.to_owned(), |number| number.to_string());
    let rows: Vec<[String; 8]> = lines
        .iter()
        .map(|line| {
            let member = line.member.and_then(|place| group.members.get(place));
            let of = |tell: fn(&DescribedGroupMember) -> String| member.map_or_else(|| NONE.to_owned(), tell);
            [
                line.topic.clone(),
                line.partition.to_string(),
                number(line.committed),
                number(line.end),
                number(line.lag()),
                of(|member| member.member_id.to_string()),
                of(|member| member.client_host.to_string()),
                of(|member| member.client_id.to_string()),
            ]
        })
        .collect();
    output::table(["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "HOST", "CLIENT"], &rows)
}

fn show_members(group: &DescribedGroup, lines: &[Line]) -> anyhow::Result<()> {
    if group.members.is_empty() {
        return output::line("it has no members");
    }
    let row = |(place, member): (usize, &DescribedGroupMember)| {
        let own = lines.iter().filter(|line| line.member == Some(place));
        let own: Vec<String> = own.map(|line| format!("{}-{}", line.topic, line.partition)).collect();
        let instance = member.group_instance_id.as_ref().map_or_else(|| NONE.to_owned(), |name| name.to_string());
        let reads = if own.is_empty() { NONE.to_owned() } else { own.join(" ") };
        [member.member_id.to_string(), instance, member.client_host.to_string(), member.client_id.to_string(), reads]
    };
    let rows: Vec<[String; 5]> = group.members.iter().enumerate().map(row).collect();
    output::table(["MEMBER", "INSTANCE", "HOST", "CLIENT", "READS"], &rows)
}

fn as_value(found: &Found, lines: &[Line]) -> Value {
    let Found { node, group } = found;
    let offset = |line: &Line| {
        let member = line.member.and_then(|place| group.members.get(place)).map(|member| member.member_id.as_str());
        json!({
            "topic": line.topic, "partition": line.partition, "committed": line.committed, "end": line.end,
            "lag": line.lag(), "member": member,
        })
    };
    let member = |member: &DescribedGroupMember| {
        json!({
            "member": member.member_id.as_str(), "instance": member.group_instance_id.as_deref(),
            "host": member.client_host.as_str(), "client": member.client_id.as_str(),
        })
    };
    json!({
        "group": group.group_id.as_str(),
        "state": group.group_state.as_str(),
        "protocol": group.protocol_data.as_str(),
        "coordinator": node,
        "members": group.members.iter().map(member).collect::<Vec<_>>(),
        "offsets": lines.iter().map(offset).collect::<Vec<_>>(),
    })
}
