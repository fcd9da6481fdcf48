//! What exists: all topics, none, some by name, some by id, and some that are not there.

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;

use super::{make_topic, topic_name, wait_for};

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    let id = make_topic(talk, "meta-a", 3)?;
    make_topic(talk, "meta.b", 1)?;
    for version in 0..=13 {
        let all = MetadataRequest::default().with_topics(if version == 0 { Some(vec![]) } else { None });
        talk.ask_in_any_order("all topics", version, &all)?;
        talk.ask("one topic", version, &by_name(version, &["meta-a"]))?;
        talk.ask("two topics and one of them twice", version, &by_name(version, &["meta.b", "meta-a", "meta.b"]))?;
        if version >= 1 {
            talk.ask("no topics", version, &MetadataRequest::default().with_topics(Some(vec![])))?;
        }
        if version >= 4 {
            talk.ask("a topic that is not there", version, &by_name(version, &["meta-none"]))?;
            talk.ask_in_any_order(
                "names that are not allowed",
                version,
                &by_name(version, &["bad/name", "", ".", "meta_b"]),
            )?;
        }
        if version >= 8 {
            let authorized = by_name(version, &["meta-a"]).with_include_topic_authorized_operations(true);
            talk.ask("what may be done with a topic", version, &authorized)?;
            let nowhere = by_name(version, &["meta-none", "bad/name"]).with_include_topic_authorized_operations(true);
            talk.ask_in_any_order("what may be done with topics that are not there", version, &nowhere)?;
        }
        if (8..=10).contains(&version) {
            let authorized = by_name(version, &["meta-a"]).with_include_cluster_authorized_operations(true);
            talk.ask("what may be done with the cluster", version, &authorized)?;
        }
    }
    for version in [10, 12, 13] {
        talk.ask("a topic by id", version, &by_ids(&[&id])?)?;
        talk.ask("an id that is not there", version, &by_ids(&["11111111111111111111111111111111"])?)?;
        talk.ask("an id that is zero", version, &by_ids(&["00000000000000000000000000000000"])?)?;
        talk.ask(
            "an id that is there and one that is not",
            version,
            &by_ids(&[&id, "11111111111111111111111111111111"])?,
        )?;
        let strangers = ["22222222222222222222222222222222", &id, &id];
        talk.ask("an id that is not there and one that is twice", version, &by_ids(&strangers)?)?;
    }
    created_by_asking(talk)
}

/// Topics that come into being because a client asks for them.
fn created_by_asking(talk: &mut Talk) -> anyhow::Result<()> {
    for version in [0, 1, 4, 9, 13] {
        let name = format!("asked-for-{version}");
        let ask = |names: &[&str]| {
            let request = by_name(version, names);
            if version >= 4 { request.with_allow_auto_topic_creation(true) } else { request }
        };
        talk.ask("a topic that is made by asking", version, &ask(&[&name]))?;
        wait_for(talk, &name, 1, 0)?;
        talk.ask("a topic that was made by asking", version, &ask(&[&name]))?;
        talk.ask("a name that is not allowed, to be made by asking", version, &ask(&["bad/name"]))?;
        talk.ask("a name that collides, to be made by asking", version, &ask(&["meta_b"]))?;
    }
    Ok(())
}

fn by_name(version: i16, names: &[&str]) -> MetadataRequest {
    let topics = names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name))));
    let request = MetadataRequest::default().with_topics(Some(topics.collect()));
    if version >= 4 { request.with_allow_auto_topic_creation(false) } else { request }
}

fn by_ids(ids: &[&str]) -> anyhow::Result<MetadataRequest> {
    let mut topics = Vec::new();
    for id in ids {
        topics.push(MetadataRequestTopic::default().with_name(None).with_topic_id(id.parse()?));
    }
    Ok(MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false))
}
