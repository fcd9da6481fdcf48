//! `cutaway groups`, with our broker and with a real Kafka.

use std::net::SocketAddr;

use anyhow::ensure;
use bytes::Bytes;
use cutaway::storage::batch::{BatchBuilder, Compression};
use cutaway_tests::broker::Broker;
use cutaway_tests::client::Client;
use cutaway_tests::kafka::RealKafka;
use cutaway_tests::{folders, patience};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::Ran;
use super::consume::stored;

fn groups(broker: SocketAddr, arguments: &[&str]) -> anyhow::Result<Ran> {
    Ran::of(&[&["groups", "-b", &broker.to_string()], arguments].concat())
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A consumer that is alone in its group and reads the first partition of `read`; gives its member id.
fn join(client: &mut Client, group: &str) -> anyhow::Result<StrBytes> {
    let question = FindCoordinatorRequest::default().with_key(text(group));
    patience::until("a coordinator", || Ok(client.ask(1, &question)?.error_code == 0))?;
    let join = JoinGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![JoinGroupRequestProtocol::default().with_name(text("range"))]);
    let mut joined = client.ask(3, &join)?;
    patience::until("the coordinator to have read its groups", || {
        if matches!(joined.error_code, 14..=16) {
            joined = client.ask(3, &join)?;
        }
        Ok(joined.error_code == 0)
    })?;
    let assignment = Bytes::from_static(b"\0\0\0\0\0\x01\0\x04read\0\0\0\x01\0\0\0\0\xff\xff\xff\xff");
    let own =
        SyncGroupRequestAssignment::default().with_member_id(joined.member_id.clone()).with_assignment(assignment);
    let sync = SyncGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id)
        .with_assignments(vec![own]);
    ensure!(client.ask(3, &sync)?.error_code == 0, "no part");
    Ok(joined.member_id)
}

/// What is shown and done is the same with every broker.
fn a_group_is_shown_reset_and_deleted(broker: SocketAddr) -> anyhow::Result<()> {
    let mut client = Client::connect(broker)?;
    ensure!(client.create_topic("read", 2, &[])? == 0, "no topic");
    offsets_are_reset(broker, &mut client)?;
    let member = join(&mut client, "g")?;
    it_is_described(broker, &member)?;

    let in_use = groups(broker, &["delete", "g", "--yes"])?;
    ensure!(in_use.code == Some(1) && in_use.stderr.contains("g is not deleted"), "{in_use:?}");
    let in_use = groups(broker, &["reset-offsets", "g", "-t", "read", "--to-latest", "--execute"])?;
    ensure!(in_use.code == Some(1) && in_use.stderr.contains("g has 1 member, which"), "{in_use:?}");
    let leaving = MemberIdentity::default().with_member_id(member);
    client.ask(3, &LeaveGroupRequest::default().with_group_id(GroupId(text("g"))).with_members(vec![leaving]))?;

    ensure!(groups(broker, &["delete-offsets", "g", "-t", "read:1"])?.printed()? == "read [1]  forgotten\n", "offsets");
    let listed = groups(broker, &[])?.printed()?;
    ensure!(listed == "GROUP  STATE  MEMBERS ARE\ng      Empty  consumer\n", "{listed}");
    ensure!(groups(broker, &["delete", "g"])?.stderr.contains("add --yes"), "nobody was asked");
    ensure!(groups(broker, &["delete", "g", "-y"])?.printed()? == "g  deleted\n", "it is not deleted");
    Ok(())
}

/// To every kind of place, but only when it is said.
fn offsets_are_reset(broker: SocketAddr, client: &mut Client) -> anyhow::Result<()> {
    for partition in 0..2 {
        let mut builder = BatchBuilder::new(Compression::None);
        (0..10).for_each(|number| builder.push(1000 * number, None, Some(b"v"), &[]));
        stored(client, "read", partition, builder.build().bytes())?;
    }
    let preview = groups(broker, &["reset-offsets", "g", "-t", "read", "--to-offset", "4"])?;
    let shown = "TOPIC  PARTITION  COMMITTED  NEW\nread   0          -          4\nread   1          -          4\n";
    ensure!(preview.stdout == shown && preview.stderr.contains("add --execute"), "{preview:?}");
    ensure!(!groups(broker, &["list"])?.printed()?.contains('g'), "a preview makes no group");

    let reset = |arguments: &[&str]| -> anyhow::Result<String> {
        let always = ["reset-offsets", "g", "--execute", "--json"];
        let values = groups(broker, &[&always[..], arguments].concat())?.values()?;
        Ok(values
            .iter()
            .map(|value| format!("{}:{}", value["partition"], value["after"]))
            .collect::<Vec<_>>()
            .join(" "))
    };
    for (arguments, expected) in [
        (&["-t", "read", "--to-offset", "4"][..], "0:4 1:4"),
        (&["-t", "read:1", "--to-latest"], "1:10"),
        (&["--all-topics", "--shift-by", "-3"], "0:1 1:7"),
        (&["--all-topics", "--shift-by", "100"], "0:10 1:10"),
        (&["-t", "read:0", "--to-datetime", "2500"], "0:3"),
        (&["-t", "read:0", "--to-datetime", "2100-01-01"], "0:10"),
        (&["-t", "read", "--to-earliest"], "0:0 1:0"),
        (&["-t", "read", "--by-duration", "1h"], "0:10 1:10"),
    ] {
        let done = reset(arguments)?;
        ensure!(done == expected, "{arguments:?}: {done}");
    }
    let folder = folders::in_memory();
    let file = folder.path().join("offsets.csv");
    std::fs::write(&file, "\"read\",0,2\nread,1,8\n")?;
    ensure!(reset(&["--from-file", &file.to_string_lossy()])? == "0:2 1:8", "from a file");
    Ok(())
}

fn it_is_described(broker: SocketAddr, member: &StrBytes) -> anyhow::Result<()> {
    let described = groups(broker, &["describe", "g"])?.printed()?;
    let host = "/127.0.0.1";
    for line in ["g", "  state        Stable, 1 member", "  assignment   range (consumer)", "  lag          10 records"]
    {
        ensure!(described.lines().any(|shown| shown == line), "{line:?} is not in {described}");
    }
    let row = described.lines().find(|line| line.starts_with("read   0")).unwrap_or_default();
    let cells: Vec<&str> = row.split_whitespace().collect();
    ensure!(cells[..5] == ["read", "0", "2", "10", "8"] && cells[5..7] == [member.as_str(), host], "{described}");
    let members = groups(broker, &["describe", "g", "--members"])?.printed()?;
    ensure!(members.lines().any(|line| line.starts_with(member.as_str()) && line.ends_with("read-0")), "{members}");
    let value = &groups(broker, &["describe", "g", "--json"])?.values()?[0];
    ensure!(value["offsets"][1]["committed"] == 8 && value["members"][0]["member"] == member.as_str(), "{value}");
    Ok(())
}

#[test]
fn a_group_is_shown_reset_and_deleted_here() -> anyhow::Result<()> {
    a_group_is_shown_reset_and_deleted(Broker::start(&[])?.bootstrap())
}

#[test]
fn a_group_is_shown_reset_and_deleted_on_a_real_kafka() -> anyhow::Result<()> {
    let Some(kafka) = RealKafka::start(&[])? else { return Ok(()) };
    a_group_is_shown_reset_and_deleted(kafka.bootstrap())
}

#[test]
fn mistakes_about_groups_are_said() -> anyhow::Result<()> {
    let running = Broker::start(&[])?;
    let broker = running.bootstrap();
    let mut client = Client::connect(broker)?;
    ensure!(client.create_topic("t", 1, &[])? == 0, "no topic");
    join(&mut client, "readers")?;
    for (arguments, code, sentence) in [
        (&["describe", "reader"][..], 1, "there is no group reader; did you mean readers?"),
        (&["delete", "other", "-y"], 1, "there is no group other; `cutaway groups list` shows which there are"),
        (&["reset-offsets", "g", "--to-latest"], 2, "--topic <TOPIC>"),
        (&["reset-offsets", "g", "-t", "t"], 2, "--to-earliest"),
        (&["reset-offsets", "g", "-t", "t:7", "--to-latest"], 1, "t has no partition 7: it has 1 partition"),
        (&["reset-offsets", "g", "-t", "t:x", "--to-latest"], 2, "TOPIC:0,1"),
        (&["reset-offsets", "g", "-t", "t", "--shift-by", "1"], 1, "t [0] has no committed offset"),
        (&["reset-offsets", "g", "--all-topics", "--to-latest"], 1, "g has committed nothing yet"),
        (&["reset-offsets", "g", "--from-file", "/no/such"], 1, "/no/such"),
    ] {
        let ran = groups(broker, arguments)?;
        ensure!(ran.code == Some(code) && ran.stderr.contains(sentence), "{arguments:?}: {ran:?}");
    }
    Ok(())
}
