//! Topics made and deleted, as one should and as one should not.

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{BrokerId, DeleteTopicsRequest};

use super::{creatable, create, make_topic, topic_name, wait_for};

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    for version in 2..=7 {
        let name = format!("made-{version}");
        talk.ask("a topic", version, &create(vec![creatable(&name, 2, 1, &[("cleanup.policy", "compact")])]))?;
        wait_for(talk, &name, 2, 0)?;
        talk.ask("the same topic", version, &create(vec![creatable(&name, 2, 1, &[])]))?;
    }
    bad_topics(talk)?;
    assignments(talk)?;
    deletions(talk)
}

fn bad_topics(talk: &mut Talk) -> anyhow::Result<()> {
    let long = "x".repeat(250);
    let cases = [
        ("a name with a slash", creatable("bad/name", 1, 1, &[])),
        ("an empty name", creatable("", 1, 1, &[])),
        ("a name of one dot", creatable(".", 1, 1, &[])),
        ("a name of two dots", creatable("..", 1, 1, &[])),
        ("a name that is too long", creatable(&long, 1, 1, &[])),
        ("a name that collides", creatable("made_2", 1, 1, &[])),
        ("no partitions", creatable("bad", 0, 1, &[])),
        ("less than no partitions", creatable("bad", -2, 1, &[])),
        ("no replicas", creatable("bad", 1, 0, &[])),
        ("more replicas than brokers", creatable("bad", 1, 3, &[])),
        ("a config that does not exist", creatable("bad", 1, 1, &[("foo", "bar")])),
        ("a config that is no number", creatable("bad", 1, 1, &[("retention.ms", "soon")])),
        ("a config out of range", creatable("bad", 1, 1, &[("retention.ms", "-2")])),
        ("a config that is no choice", creatable("bad", 1, 1, &[("cleanup.policy", "burn")])),
        ("a config that needs another", creatable("bad", 1, 1, &[("min.insync.replicas", "0")])),
    ];
    for version in [4, 7] {
        for (name, topic) in &cases {
            talk.ask(name, version, &create(vec![topic.clone()]))?;
        }
        let twice = vec![creatable("bad", 1, 1, &[]), creatable("bad", 1, 1, &[]), creatable("good", 1, 1, &[])];
        let only_validate = create(twice.clone()).with_validate_only(true);
        talk.ask_in_any_order("a topic twice, only to validate", version, &only_validate)?;
        let defaults = create(vec![creatable("defaults", -1, -1, &[])]).with_validate_only(true);
        talk.ask("the broker's defaults, only to validate", version, &defaults)?;
        talk.ask("no topics", version, &create(vec![]))?;
    }
    Ok(())
}

fn assignments(talk: &mut Talk) -> anyhow::Result<()> {
    let assigned = |name, partitions: &[(i32, &[i32])]| {
        let assignments = partitions.iter().map(|(index, brokers)| {
            let brokers = brokers.iter().copied().map(BrokerId).collect();
            CreatableReplicaAssignment::default().with_partition_index(*index).with_broker_ids(brokers)
        });
        creatable(name, -1, -1, &[]).with_assignments(assignments.collect())
    };
    let both = |topic: CreatableTopic| topic.with_num_partitions(1).with_replication_factor(1);
    let cases = [
        ("an assignment", assigned("assigned", &[(0, &[1]), (1, &[1])])),
        ("an assignment with a hole", assigned("hole", &[(0, &[1]), (2, &[1])])),
        ("an assignment to nobody", assigned("nobody", &[(0, &[])])),
        ("an assignment to a broker that is not there", assigned("stranger", &[(0, &[7])])),
        ("an assignment to the same broker twice", assigned("twice", &[(0, &[1, 1])])),
        ("an assignment of a partition twice", assigned("again", &[(0, &[1]), (0, &[1])])),
        ("an assignment and a number", both(assigned("both", &[(0, &[1])]))),
    ];
    for (name, topic) in cases {
        talk.ask(name, 7, &create(vec![topic]))?;
    }
    Ok(())
}

fn deletions(talk: &mut Talk) -> anyhow::Result<()> {
    for version in 1..=5 {
        // Topics cannot be created in version 1, so there is none to delete in it.
        let name = format!("made-{version}");
        let ask = |names: &[&str]| in_time(by_names(names));
        talk.ask_in_any_order("a topic and one that is not there", version, &ask(&[&name, "nowhere"]))?;
        wait_for(talk, &name, 2, 3)?;
        talk.ask("an internal name that is not there", version, &ask(&["__consumer_offsets_"]))?;
        talk.ask("a name that is not allowed", version, &ask(&["bad/name"]))?;
    }
    let id = make_topic(talk, "deleted-by-id", 1)?;
    let by_id = |id: &str| anyhow::Ok(DeleteTopicState::default().with_name(None).with_topic_id(id.parse()?));
    let states = |states| in_time(DeleteTopicsRequest::default().with_topics(states));
    talk.ask("an id that is not there", 6, &states(vec![by_id("11111111111111111111111111111111")?]))?;
    talk.ask("neither name nor id", 6, &states(vec![DeleteTopicState::default().with_name(None)]))?;
    let both = by_id(&id)?.with_name(Some(topic_name("deleted-by-id")));
    talk.ask("both name and id", 6, &states(vec![both]))?;
    talk.ask_in_any_order("an id twice", 6, &states(vec![by_id(&id)?, by_id(&id)?]))?;
    talk.ask("a topic by id", 6, &states(vec![by_id(&id)?]))?;
    wait_for(talk, "deleted-by-id", 1, 3)?;
    let name = DeleteTopicState::default().with_name(Some(topic_name("made-6")));
    talk.ask("a topic by name", 6, &states(vec![name]))?;
    wait_for(talk, "made-6", 2, 3)
}

fn by_names(names: &[&str]) -> DeleteTopicsRequest {
    DeleteTopicsRequest::default().with_topic_names(names.iter().map(|name| topic_name(name)).collect())
}

fn in_time(request: DeleteTopicsRequest) -> DeleteTopicsRequest {
    request.with_timeout_ms(10_000)
}
