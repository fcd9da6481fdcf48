//! Joining, syncing, living, leaving; alone, in twos, and under a name of one's own.

use std::collections::BTreeMap;

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::{DeleteGroupsRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest};
use serde_json::Value;

use super::super::text;
use super::{JOIN_VERSIONS, heartbeat, join, leave, member_id, rename, sync};

pub(super) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    refusals(talk)?;
    for version in JOIN_VERSIONS {
        alone(talk, version)?;
    }
    in_twos(talk)?;
    by_name(talk)?;
    described(talk)
}

/// What is refused, whoever asks.
fn refusals(talk: &mut Talk) -> anyhow::Result<()> {
    for version in JOIN_VERSIONS {
        let mut ask = |name: &str, request| talk.ask(name, version, &request).map(drop);
        ask("a join without a group", join("", "", &["range"]))?;
        ask("a join with a short session", join("refused", "", &["range"]).with_session_timeout_ms(5_999))?;
        ask("a join with a long session", join("refused", "", &["range"]).with_session_timeout_ms(1_800_001))?;
        ask("a join without protocols", join("refused", "", &[]))?;
        ask("a join without a type", join("refused", "", &["range"]).with_protocol_type(text("")))?;
        ask("a join of a stranger with an id", join("refused", "stranger", &["range"]))?;
        ask("the same in a group that is not there", join("not-there", "stranger", &["range"]))?;
    }
    for version in [0, 3, 5] {
        let full = |group: &str, member: &str| {
            let request = sync(group, member, 1, &[]);
            if version < 5 {
                request
            } else {
                request.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")))
            }
        };
        talk.ask("a sync without a group", version, &full("", "m"))?;
        talk.ask("a sync in a group that is not there", version, &full("not-there", "m"))?;
        talk.ask("a sync of a stranger", version, &full("refused", "m"))?;
    }
    talk.ask("a sync without a protocol", 5, &sync("refused", "m", 1, &[]))?;
    for version in [0, 2, 4] {
        talk.ask("a heartbeat without a group", version, &heartbeat("", "m", 1))?;
        talk.ask("a heartbeat in a group that is not there", version, &heartbeat("not-there", "m", 1))?;
        talk.ask("a heartbeat of a stranger", version, &heartbeat("refused", "m", 1))?;
        talk.ask("a heartbeat of nobody", version, &heartbeat("refused", "", -1))?;
    }
    for version in [0, 2] {
        let old = |group: &str| leave(group, &[]).with_member_id(text("m"));
        talk.ask("leaving no group", version, &old(""))?;
        talk.ask("leaving a group that is not there", version, &old("not-there"))?;
        talk.ask("leaving as a stranger", version, &old("refused"))?;
    }
    for version in [3, 5] {
        talk.ask("leaving no group", version, &leave("", &[("m", None)]))?;
        talk.ask("leaving a group that is not there", version, &leave("not-there", &[("m", None)]))?;
        let several = [("m", None), ("", Some("instance")), ("m", Some("instance")), ("", None)];
        talk.ask("several strangers leave", version, &leave("refused", &several))?;
        talk.ask("nobody leaves", version, &leave("refused", &[]))?;
    }
    Ok(())
}

/// The life of a group with one member.
fn alone(talk: &mut Talk, version: i16) -> anyhow::Result<()> {
    let group = format!("alone-{version}");
    let group = group.as_str();
    let mut names = BTreeMap::new();
    let mut id = String::new();
    if version >= 4 {
        id = member_id(&talk.learn(version, &join(group, "", &["range"]))?)?;
        names.insert(id.clone(), "the member");
        wait_until_described(talk, group)?;
        talk.ask_and_tidy("the group before its member came", 5, &describe(&[group]), |answer| rename(answer, &names))?;
    }
    let joined = talk.learn(version, &join(group, &id, &["range", "roundrobin"]))?;
    let id = member_id(&joined)?;
    names.insert(id.clone(), "the member");
    wait_until_described(talk, group)?;
    let tidy = |answer: &mut Value| rename(answer, &names);
    // It joins again before anybody has synced, and hears the same.
    talk.ask_and_tidy("the first join, heard again", version, &join(group, &id, &["range", "roundrobin"]), tidy)?;
    talk.ask("a heartbeat before the sync", 3, &heartbeat(group, &id, 1))?;
    talk.ask_and_tidy("the group before the sync", 5, &describe(&[group]), tidy)?;
    talk.ask("a sync of another generation", 3, &sync(group, &id, 2, &[(&id, b"part")]))?;
    let full = sync(group, &id, 1, &[(&id, b"part")]).with_protocol_type(Some(text("consumer")));
    talk.ask("a sync with another protocol", 5, &full.clone().with_protocol_name(Some(text("roundrobin"))))?;
    talk.ask(
        "a sync with another type",
        5,
        &full.clone().with_protocol_type(Some(text("connect"))).with_protocol_name(Some(text("range"))),
    )?;
    talk.ask("a sync", 5, &full.with_protocol_name(Some(text("range"))))?;
    talk.ask("a sync again", 3, &sync(group, &id, 1, &[(&id, b"other")]))?;
    talk.ask("a heartbeat", 3, &heartbeat(group, &id, 1))?;
    talk.ask("a heartbeat of another generation", 3, &heartbeat(group, &id, 0))?;
    talk.ask_and_tidy("the group at rest", 5, &describe(&[group]), tidy)?;
    talk.ask_and_tidy("the leader joins anew", version, &join(group, &id, &["range"]), tidy)?;
    talk.ask_and_tidy("a join with what nobody knows", version, &join(group, "", &["strange"]), tidy)?;
    talk.ask_and_tidy("the group in its second generation", 5, &describe(&[group]), tidy)?;
    talk.ask("a stranger leaves", 3, &leave(group, &[("stranger", None)]))?;
    talk.ask(
        "the group is not deleted",
        1,
        &DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]),
    )?;
    talk.ask_and_tidy("it leaves", 3, &leave(group, &[(&id, None)]), tidy)?;
    talk.ask("a heartbeat of one that left", 3, &heartbeat(group, &id, 2))?;
    talk.ask_and_tidy("a join of one that left", version, &join(group, &id, &["range"]), tidy)?;
    talk.ask("the empty group", 5, &describe(&[group]))?;
    talk.ask("it is deleted", 1, &DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]))?;
    talk.ask("the deleted group", 5, &describe(&[group]))?;
    Ok(())
}

/// Kafka answers the join that makes a group a moment before the group's first record is committed, and describes the group
/// as one that is not there until then.
fn wait_until_described(talk: &mut Talk, group: &str) -> anyhow::Result<()> {
    talk.learn_until(5, &describe(&[group]), |answer| answer["groups"][0]["groupState"] != "Dead").map(drop)
}

/// A second member comes, is told of the first, and goes.
fn in_twos(talk: &mut Talk) -> anyhow::Result<()> {
    let mut other = talk.another()?;
    let one = member_id(&talk.learn(3, &join("twos", "", &["range", "sticky"]))?)?;
    talk.learn(3, &sync("twos", &one, 1, &[(&one, b"all")]))?;
    let two = member_id(&other.learn(5, &join("twos", "", &["range"]))?)?;
    let names = BTreeMap::from([(one.clone(), "one"), (two.clone(), "two")]);
    let tidy = |answer: &mut Value| rename(answer, &names);
    // An id that somebody has, but is not a member yet.
    talk.ask("a heartbeat of one that is to come back", 3, &heartbeat("twos", &two, 1))?;
    talk.ask("a heartbeat before it is back", 3, &heartbeat("twos", &one, 1))?;
    other.begin(5, &join("twos", &two, &["range"]))?;
    talk.learn_until(3, &heartbeat("twos", &one, 1), |answer| answer["errorCode"] == 27)?;
    talk.ask("a sync while others are waited for", 3, &sync("twos", &one, 1, &[]))?;
    talk.ask_and_tidy("while members are waited for", 5, &describe(&["twos"]), tidy)?;
    talk.ask_and_tidy("the first one joins again", 9, &join("twos", &one, &["range", "sticky"]), tidy)?;
    other.end::<kafka_protocol::messages::JoinGroupRequest>("the second one joins", 5, tidy)?;
    other.ask_and_tidy("the second one hears it again", 5, &join("twos", &two, &["range"]), tidy)?;
    other.begin(3, &sync("twos", &two, 2, &[]))?;
    talk.ask("the leader brings the parts", 3, &sync("twos", &one, 2, &[(&one, b"left"), (&two, b"right")]))?;
    other.end::<kafka_protocol::messages::SyncGroupRequest>("the second one gets its part", 3, tidy)?;
    other.ask_and_tidy("a follower joins without a change", 5, &join("twos", &two, &["range"]), tidy)?;
    talk.ask_and_tidy("both", 5, &describe(&["twos"]), tidy)?;
    talk.ask_and_tidy("the second one leaves", 3, &leave("twos", &[(&two, None)]), tidy)?;
    talk.ask("and the first one hears of it", 3, &heartbeat("twos", &one, 2))?;
    talk.ask_and_tidy("alone again", 5, &join("twos", &one, &["sticky"]), tidy)?;
    talk.ask_and_tidy("and leaves before it syncs", 3, &leave("twos", &[(&one, None)]), tidy)?;
    talk.absorb(other);
    Ok(())
}

/// Static members (KIP-345).
fn by_name(talk: &mut Talk) -> anyhow::Result<()> {
    let named = |member: &str, protocols: &[&str]| {
        join("named", member, protocols).with_group_instance_id(Some(text("instance")))
    };
    let first = member_id(&talk.learn(5, &named("", &["range"]))?)?;
    talk.learn(3, &sync("named", &first, 1, &[(&first, b"part")]).with_group_instance_id(Some(text("instance"))))?;
    let second = member_id(&talk.learn(9, &named("", &["range"]))?)?;
    let names = BTreeMap::from([(first.clone(), "first"), (second.clone(), "second")]);
    let tidy = |answer: &mut Value| rename(answer, &names);
    let instance = Some(text("instance"));
    talk.ask(
        "the former one lives no more",
        3,
        &heartbeat("named", &first, 1).with_group_instance_id(instance.clone()),
    )?;
    talk.ask("nor without its name", 3, &heartbeat("named", &first, 1))?;
    talk.ask("nor does it get a part", 3, &sync("named", &first, 1, &[]).with_group_instance_id(instance.clone()))?;
    talk.ask_and_tidy("nor join", 5, &named(&first, &["range"]), tidy)?;
    talk.ask_and_tidy("nor leave", 3, &leave("named", &[(&first, Some("instance"))]), tidy)?;
    talk.ask("the new one lives", 3, &heartbeat("named", &second, 1).with_group_instance_id(instance.clone()))?;
    talk.ask(
        "another name under its id",
        3,
        &heartbeat("named", &second, 1).with_group_instance_id(Some(text("other"))),
    )?;
    talk.ask("and has the part", 3, &sync("named", &second, 1, &[]).with_group_instance_id(instance))?;
    talk.ask_and_tidy("the group", 5, &describe(&["named"]), tidy)?;
    let mut hear = |name: &str, version: i16, protocols: &[&str]| -> anyhow::Result<()> {
        let mut answer = talk.learn(version, &named("", protocols))?;
        let id = member_id(&answer)?;
        let names = BTreeMap::from([(id, "a new one"), (second.clone(), "second")]);
        // Who led before is told to older clients by an id that is not known here.
        if version < 9 {
            answer["leader"] = Value::Null;
        }
        rename(&mut answer, &names);
        talk.note(name, version, answer);
        Ok(())
    };
    hear("it comes back", 9, &["range"])?;
    hear("it comes back in an older version", 8, &["range"])?;
    hear("it comes back with more", 9, &["range", "sticky"])?;
    hear("it comes back with something else", 9, &["sticky", "range"])?;
    talk.ask("it is taken out by its name", 3, &leave("named", &[("", Some("instance"))]))?;
    talk.ask("the group without it", 5, &describe(&["named"]))?;
    Ok(())
}

/// What is told of groups, version by version.
fn described(talk: &mut Talk) -> anyhow::Result<()> {
    for version in 0..=6 {
        let question = describe(&["not-there", "", "twos", "twos"]);
        talk.ask("groups", version, &question)?;
        talk.ask("groups with what may be done", version, &question.with_include_authorized_operations(version >= 3))?;
        talk.ask("no groups", version, &describe(&[]))?;
    }
    for version in 0..=5 {
        talk.ask_in_any_order("all groups", version, &ListGroupsRequest::default())?;
    }
    for version in 4..=5 {
        for states in [&["Empty"][..], &["empty", " STABLE "], &["Dead"], &["nonsense"]] {
            let question =
                ListGroupsRequest::default().with_states_filter(states.iter().map(|state| text(state)).collect());
            talk.ask_in_any_order(&format!("groups that are {}", states.join(" or ")), version, &question)?;
        }
    }
    for types in [&["classic"][..], &["Consumer"], &["CLASSIC", "share"], &["nonsense"]] {
        let question = ListGroupsRequest::default().with_types_filter(types.iter().map(|kind| text(kind)).collect());
        talk.ask_in_any_order(&format!("groups of the type {}", types.join(" or ")), 5, &question)?;
    }
    for version in 0..=2 {
        let names = ["not-there", "", "not-there"].map(|name| GroupId(text(name)));
        talk.ask_in_any_order("deletions", version, &DeleteGroupsRequest::default().with_groups_names(names.to_vec()))?;
        talk.ask("no deletions", version, &DeleteGroupsRequest::default())?;
    }
    Ok(())
}

pub(super) fn describe(groups: &[&str]) -> DescribeGroupsRequest {
    DescribeGroupsRequest::default().with_groups(groups.iter().map(|group| GroupId(text(group))).collect())
}
