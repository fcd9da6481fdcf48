//! The consumers: what is counted, where, and up to which offset.

use anyhow::{Context, ensure};
use rustix::process::Signal;
use serde_json::json;

use crate::support::broker::TestBroker;
use crate::support::program::Program;
use crate::support::redis::{Redis, free_address};
use crate::wikipedia::numbers;

const TOPIC: &str = "wikipedia-edits";

#[test]
fn records_are_counted_in_redis_once_and_the_next_run_goes_on() -> anyhow::Result<()> {
    let Some(redis) = Redis::start()? else { return Ok(()) };
    let broker = TestBroker::start()?;
    let values = [r#"{"type":"edit"}"#, "no JSON", r#"{"id":1}"#, r#"{"type":"new"}"#, r#"{"type":"edit"}"#];
    broker.produce(TOPIC, &values)?;
    let fixed = ["-b", &broker.address, "--redis", &redis.url(), "--idle-exit", "1.5", "--json"];
    let ended = Program::run("wikipedia-consumer", &fixed)?;
    let summary = ended.summary()?;
    ensure!(numbers(&summary, &["read", "again", "counted", "uncounted", "lag"]) == [5, 0, 3, 2, 0], "{summary}");
    ensure!(summary["types"] == json!({"edit": 2, "new": 1}) && summary["offsets"] == json!({"0": 5}), "{summary}");
    ensure!(summary["store"] == "redis", "{summary}");
    ended.said("the record wikipedia-edits [0] offset 1 is no event: its JSON cannot be read")?;
    ensure!((redis.count("edit")?, redis.count("new")?) == (Some(2), Some(1)));
    ensure!(broker.committed("wikipedia-consumer", TOPIC)? == Some(5), "a clean end commits");
    broker.produce(TOPIC, &[r#"{"type":"edit"}"#])?;
    let again = Program::run("wikipedia-consumer", &fixed)?.summary()?;
    ensure!(numbers(&again, &["read", "counted"]) == [1, 1], "{again}");
    ensure!(redis.count("edit")? == Some(3));
    Ok(())
}

#[test]
fn posts_are_counted_by_operation_and_lines_say_so() -> anyhow::Result<()> {
    let Some(redis) = Redis::start()? else { return Ok(()) };
    let broker = TestBroker::start()?;
    broker
        .produce("bluesky-events", &[r#"{"commit":{"operation":"create"}}"#, r#"{"commit":{"operation":"delete"}}"#])?;
    let program = Program::start("bluesky-consumer", &["-b", &broker.address, "--redis", &redis.url()])?;
    program.says("Waiting for records in bluesky-events")?;
    program.signal(Signal::TERM)?;
    let ended = program.end()?;
    ensure!(ended.status.success(), "{ended:?}");
    let expected = "0 --> create\n1 --> delete\ncreate       1\ndelete       1\n";
    ensure!(ended.stdout == expected, "{ended:?}");
    ensure!(broker.committed("kafka-stream-counter", "bluesky-events")? == Some(2));
    Ok(())
}

#[test]
fn a_topic_that_is_not_there_yet_is_waited_for_and_never_created() -> anyhow::Result<()> {
    let broker = TestBroker::start()?;
    let nowhere = format!("redis://{}/0", free_address()?);
    let program =
        Program::start("wikipedia-consumer", &["-b", &broker.address, "--redis", &nowhere, "--limit", "1", "--json"])?;
    program.says("there is no topic wikipedia-edits yet; waiting for it")?;
    ensure!(broker.records(TOPIC).is_err(), "it was created");
    broker.produce(TOPIC, &[r#"{"type":"edit"}"#])?;
    let ended = program.end()?;
    let summary = ended.summary()?;
    ensure!(summary["types"] == json!({"edit": 1}) && summary["store"] == "memory", "{summary}");
    ended.said("no Redis answers at")?;
    ended.said("counting in memory: the counts end with this program")
}

#[test]
fn while_redis_is_gone_reading_pauses_and_no_count_is_lost() -> anyhow::Result<()> {
    let address = free_address()?;
    let Some(redis) = Redis::start_at(&address)? else { return Ok(()) };
    let broker = TestBroker::start()?;
    broker.produce(TOPIC, &[r#"{"type":"edit"}"#])?;
    let program = Program::start("wikipedia-consumer", &["-b", &broker.address, "--redis", &redis.url(), "--json"])?;
    program.reports("the first record", |line| line["counted"] == 1)?;
    drop(redis);
    broker.produce(TOPIC, &[r#"{"type":"edit"}"#, r#"{"type":"new"}"#])?;
    program.says("reading pauses until it is back, no count is lost")?;
    broker.produce(TOPIC, &[r#"{"type":"new"}"#])?;
    let redis = Redis::start_at(&address)?.context("Redis was there before")?;
    program.says("Redis is back, after")?;
    program.reports("all four", |line| line["counted"] == 4)?;
    program.signal(Signal::INT)?;
    let summary = program.end()?.summary()?;
    ensure!(summary["types"] == json!({"edit": 2, "new": 2}), "{summary}");
    // The first edit was counted in the Redis that is gone.
    ensure!((redis.count("edit")?, redis.count("new")?) == (Some(1), Some(2)));
    Ok(())
}

#[test]
fn what_cannot_be_counted_is_not_passed_over() -> anyhow::Result<()> {
    let address = free_address()?;
    let Some(redis) = Redis::start_at(&address)? else { return Ok(()) };
    let broker = TestBroker::start()?;
    let client = redis::Client::open(redis.url())?;
    redis::cmd("SET").arg("edit").arg("many").exec(&mut client.get_connection()?)?;
    broker.produce(TOPIC, &[r#"{"type":"edit"}"#])?;
    let ended = Program::run("wikipedia-consumer", &["-b", &broker.address, "--redis", &redis.url(), "--json"])?;
    ensure!(ended.status.code() == Some(1), "{ended:?}");
    ended.said("does not count any more")?;
    ended.said("1 record could not be counted; the next run reads them again")?;
    ensure!(broker.committed("wikipedia-consumer", TOPIC)?.is_none(), "it was committed");
    Ok(())
}

/// Redis answers each command of a pipeline by itself: those beside the bad key have counted, and must not be sent again.
#[test]
fn a_key_of_another_type_ends_it_and_the_others_are_counted_once() -> anyhow::Result<()> {
    let address = free_address()?;
    let Some(redis) = Redis::start_at(&address)? else { return Ok(()) };
    let broker = TestBroker::start()?;
    let client = redis::Client::open(redis.url())?;
    redis::cmd("LPUSH").arg("new").arg("x").exec(&mut client.get_connection()?)?;
    broker.produce(TOPIC, &[&[r#"{"type":"edit"}"#; 6][..], &[r#"{"type":"new"}"#]].concat())?;
    let ended = Program::run("wikipedia-consumer", &["-b", &broker.address, "--redis", &redis.url(), "--json"])?;
    ensure!(ended.status.code() == Some(1), "{ended:?}");
    ended.said("remove the key of another type")?;
    ensure!(redis.count("edit")? == Some(6), "{:?}", redis.count("edit")?);
    Ok(())
}

#[test]
fn a_redis_without_room_is_waited_for() -> anyhow::Result<()> {
    let address = free_address()?;
    let Some(redis) = Redis::start_at(&address)? else { return Ok(()) };
    let broker = TestBroker::start()?;
    let client = redis::Client::open(redis.url())?;
    let limit =
        |bytes: &str| redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).exec(&mut client.get_connection()?);
    limit("1")?;
    broker.produce(TOPIC, &[r#"{"type":"edit"}"#])?;
    let program = Program::start("wikipedia-consumer", &["-b", &broker.address, "--redis", &redis.url(), "--json"])?;
    program.says("reading pauses until it is back, no count is lost")?;
    limit("0")?;
    program.reports("the record", |line| line["counted"] == 1)?;
    program.signal(Signal::INT)?;
    program.end()?.summary()?;
    ensure!(redis.count("edit")? == Some(1));
    Ok(())
}
