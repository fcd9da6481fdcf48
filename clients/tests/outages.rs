//! Brokers and services that are gone for a while.

use anyhow::ensure;
use cutaway_tests::folders;
use rustix::process::Signal;

use crate::support::broker::TestBroker;
use crate::support::program::Program;
use crate::support::redis::free_address;
use crate::support::service::{Service, edit, events_and_silence};
use crate::wikipedia::{numbers, produce};

const TOPIC: &str = "wikipedia-edits";

#[test]
fn a_producer_waits_for_a_broker_and_loses_nothing_when_it_goes() -> anyhow::Result<()> {
    let (folder, address) = (folders::in_memory(), free_address()?);
    let first: String = (1..=500).map(|number| edit(number, "edit")).collect();
    let second: String = (501..=900).map(|number| edit(number, "edit")).collect();
    // The second half comes when the broker is gone: the connection in between is cut then.
    let service = Service::start(vec![events_and_silence(first), events_and_silence(second)])?;
    let state = tempfile::tempdir()?;
    let path = state.path().join("state");
    let path = path.to_string_lossy();
    let program = Program::start(
        "wikipedia-producer",
        &["-b", &address, "--source", &service.url, "--state", &path, "--json", "--limit", "900", "--stall", "3"],
    )?;
    program.says(&format!("no broker answers at {address}; waiting for it (the topic is created then)"))?;
    let broker = TestBroker::at(folder.path(), &address)?;
    program.reports("the first half", |line| line["acknowledged"] == 500)?;
    drop(broker);
    program.says("waiting for it (events wait too, none is lost)")?;
    program.reports("the second half is on its way", |line| line["in_flight"] == 400 || line["acknowledged"] == 900)?;
    let broker = TestBroker::at(folder.path(), &address)?;
    let ended = program.end()?;
    let summary = ended.summary()?;
    ensure!(numbers(&summary, &["acknowledged", "duplicates", "in_flight"]) == [900, 0, 0], "{summary}");
    let keys: Vec<_> = broker.records(TOPIC)?.into_iter().filter_map(|(key, _)| key).collect();
    let expected: Vec<_> = (1..=900).map(|number: u64| number.to_string()).collect();
    ensure!(keys == expected, "{} records", keys.len());
    Ok(())
}

#[test]
fn a_second_signal_ends_at_once_what_waits_for_a_broker() -> anyhow::Result<()> {
    let broker = TestBroker::start()?;
    let service = Service::start(vec![events_and_silence(edit(1, "edit"))])?;
    let address = broker.address.clone();
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("state");
    let path = path.to_string_lossy();
    let more = ["--json", "-X", "linger.ms=30000"];
    let fixed = ["-b", &address, "--source", &service.url, "--state", &path];
    let program = Program::start("wikipedia-producer", &[&fixed[..], &more].concat())?;
    program.reports("an event on its way", |line| line["in_flight"] == 1)?;
    drop(broker);
    program.signal(Signal::INT)?;
    // The first signal has to arrive before the second: both at once are one.
    cutaway_tests::patience::until("no more progress", {
        let begun = std::time::Instant::now();
        move || Ok(begun.elapsed().as_millis() > 500)
    })?;
    program.signal(Signal::INT)?;
    let ended = program.end()?;
    ensure!(ended.status.code() == Some(130), "{ended:?}");
    Ok(())
}

#[test]
fn a_service_that_is_not_there_yet_is_waited_for() -> anyhow::Result<()> {
    let broker = TestBroker::start()?;
    let address = free_address()?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("state");
    let path = path.to_string_lossy();
    let source = format!("http://{address}");
    let fixed = ["-b", &broker.address, "--source", &source, "--state", &path, "--json", "--limit", "1"];
    let program = Program::start("wikipedia-producer", &fixed)?;
    program.says(&format!("cannot reach {address} (connection refused"))?;
    let _service = Service::start_at(&address, vec![events_and_silence(edit(1, "edit"))])?;
    let ended = program.end()?;
    ended.summary()?;
    ended.said("connecting again")?;
    ended.said("sends events again, after")
}

#[test]
fn a_setting_that_does_not_exist_is_a_mistake() -> anyhow::Result<()> {
    let broker = TestBroker::start()?;
    let service = Service::start(vec![events_and_silence(edit(1, "edit"))])?;
    let ended = produce(&broker, &service, &["-X", "lingerr.ms=5"])?;
    ensure!(ended.status.code() == Some(2), "{ended:?}");
    ended.said("librdkafka does not take lingerr.ms=5")?;
    let ended = produce(&broker, &service, &["-X", "enable.idempotence=false"])?;
    ensure!(ended.status.code() == Some(2), "{ended:?}");
    ended.said("-X enable.idempotence is set by this program itself; leave it out")
}
