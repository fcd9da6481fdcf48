//! Producer ids, and what their sequence numbers are good for.

use anyhow::Context;
use cutaway_tests::batches::Batch;
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::{DescribeProducersRequest, InitProducerIdRequest, ProducerId};

use super::produce::Target;
use super::{make_topic, text, topic_name};

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    let anonymous = anonymous();
    // The first one starts Kafka's allocation of a block of ids, and is told to come back.
    talk.learn_until(4, &anonymous, |answer| answer["errorCode"] == 0)?;
    for version in 0..=5 {
        talk.ask("an id", version, &anonymous)?;
    }
    for version in 3..=5 {
        let mine = anonymous.clone().with_producer_id(ProducerId(77)).with_producer_epoch(3);
        talk.ask("an id for one that has one", version, &mine)?;
        let half = anonymous.clone().with_producer_id(ProducerId(77));
        talk.ask("an id without an epoch", version, &half)?;
    }
    talk.ask("an id without a timeout", 4, &anonymous.clone().with_transaction_timeout_ms(0))?;
    let empty = anonymous.clone().with_transactional_id(Some(text("").into()));
    talk.ask("an empty transactional id", 4, &empty)?;
    sequences(talk)?;
    described(talk)
}

fn sequences(talk: &mut Talk) -> anyhow::Result<()> {
    let answer = talk.learn(4, &anonymous())?;
    let me = answer["producerId"].as_i64().context("the answer has no producer id")?;
    let id = make_topic(talk, "sequences", 1)?;
    let target = Target { version: 9, name: "sequences", id };
    let mut send = |name: &str, batch: Batch| talk.ask(name, 9, &target.request(0, Some(batch.bytes()))?);

    send("sequence 0", Batch::of_producer(me, 0, 0))?;
    send("sequence 0 again", Batch::of_producer(me, 0, 0))?;
    send("sequence 5, too early", Batch::of_producer(me, 0, 5))?;
    for sequence in 1..=5 {
        send(&format!("sequence {sequence}"), Batch::of_producer(me, 0, sequence))?;
    }
    send("sequence 1 again, the fifth last batch", Batch::of_producer(me, 0, 1))?;
    send("sequence 0 again, the sixth last batch", Batch::of_producer(me, 0, 0))?;
    send("the next epoch, sequence 3", Batch::of_producer(me, 1, 3))?;
    send("the next epoch, sequence 0", Batch::of_producer(me, 1, 0))?;
    send("the epoch after that, sequence 7", Batch::of_producer(me, 2, 7))?;
    send("the old epoch", Batch::of_producer(me, 0, 6))?;
    send("an unknown producer at sequence 4", Batch::of_producer(99_999, 0, 4))?;
    send("an unknown producer at sequence 0", Batch::of_producer(99_998, 0, 0))?;
    send("a producer without an epoch", Batch::of_producer(99_997, -1, 0))?;
    send("a producer without a sequence", Batch::of_producer(99_996, 0, -1))?;
    send("a sequence without a producer", Batch::of_producer(-1, -1, 0))?;
    send("the largest sequence", Batch::of_producer(99_995, 0, i32::MAX))?;
    send("and round to 0", Batch::of_producer(99_995, 0, 0))?;
    let many = |count: usize, sequence| Batch {
        records: vec![(None, None); count],
        ..Batch::of_producer(99_993, 0, sequence)
    };
    send("nearly the largest sequence", many(1, i32::MAX - 2))?;
    send("round within a batch", many(3, i32::MAX - 1))?;
    send("round within a batch, again", many(3, i32::MAX - 1))?;
    send("too far after the round", many(1, 2))?;
    send("on after the round", many(2, 1))?;
    send("a new epoch after the round", Batch::of_producer(99_993, 1, 0))?;
    send("a new epoch after the round, again", Batch::of_producer(99_993, 1, 0))?;
    send("a batch of the epoch before, again", many(2, 1))?;
    let three = |sequence| Batch { records: vec![(None, None); 3], ..Batch::of_producer(99_994, 0, sequence) };
    send("three records", three(0))?;
    send("the last two of them again", Batch { records: vec![(None, None); 2], ..three(1) })?;
    send("three more", three(3))?;
    Ok(())
}

/// Who wrote to a partition, as an operator is told.
fn described(talk: &mut Talk) -> anyhow::Result<()> {
    let id = make_topic(talk, "described", 2)?;
    let target = Target { version: 9, name: "described", id };
    for batch in [
        Batch::default(),
        Batch::of_producer(71, 0, 0),
        Batch { timestamp: 1_700_000_000_007, records: vec![(None, None); 3], ..Batch::of_producer(71, 0, 1) },
        Batch::of_producer(72, 5, 9),
    ] {
        talk.learn(9, &target.request(0, Some(batch.bytes()))?)?;
    }
    let mut ask = |name: &str, topics: &[(&str, &[i32])]| {
        let topics = topics.iter().map(|(name, partitions)| {
            TopicRequest::default().with_name(topic_name(name)).with_partition_indexes(partitions.to_vec())
        });
        talk.ask_in_any_order(name, 0, &DescribeProducersRequest::default().with_topics(topics.collect()))
    };
    ask("the producers of a partition", &[("described", &[0])])?;
    ask("those of a partition without records", &[("described", &[1])])?;
    ask("those of a partition twice", &[("described", &[0, 0])])?;
    ask("those of partitions that are not there", &[("described", &[2, -1])])?;
    ask("those of topics that are not there", &[("nowhere", &[0, 1]), ("", &[0])])?;
    ask("those of names that are not allowed", &[("bad/name", &[0]), ("..", &[0]), ("described", &[1])])?;
    ask("those of no partitions", &[("described", &[])])?;
    ask("those of no topics", &[])?;
    Ok(())
}

/// The request of a producer that is idempotent, but not transactional; the crate's default has an empty transactional id.
fn anonymous() -> InitProducerIdRequest {
    InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000)
}
