//! A data folder that is removed under the running broker. Its open files live on and take records, so nothing fails by
//! itself; and a topic made then would begin another folder in the place of the lost one.

use std::fs;

use anyhow::ensure;
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::Broker;
use cutaway_tests::client::Client;
use cutaway_tests::patience;

const KAFKA_STORAGE_ERROR: i16 = 56;
const GONE: &str = "it was removed or replaced while the broker runs";

#[test]
fn a_folder_removed_under_the_broker_is_noticed_and_not_begun_anew() -> anyhow::Result<()> {
    let mut broker = Broker::start(&["--quiet", "--override", "log.flush.offset.checkpoint.interval.ms=1"])?;
    let mut client = Client::connect(broker.bootstrap())?;
    ensure!(client.create_topic("before", 1, &[])? == 0, "the topic cannot be created");
    fs::remove_dir_all(broker.data_dir())?;
    client.produce("before", 0, Batch::default().bytes())?;
    patience::until("the log tells it", || Ok(broker.log().contains(GONE)))?;
    let refused = client.produce("before", 0, Batch::default().bytes())?.error_code;
    ensure!(refused == KAFKA_STORAGE_ERROR, "a record is taken that no start will find: error {refused}");
    let code = client.create_topic("after", 1, &[])?;
    ensure!(code == KAFKA_STORAGE_ERROR, "a topic is made in a folder that is gone: error {code}");
    let status = broker.stop()?;
    ensure!(!status.success(), "the stop is called a good one");
    ensure!(!broker.data_dir().exists(), "a folder was begun in the place of the lost one");
    Ok(())
}

#[test]
fn a_folder_put_in_the_place_of_the_brokers_own_is_left_alone() -> anyhow::Result<()> {
    let mut broker = Broker::start(&["--quiet"])?;
    let mut client = Client::connect(broker.bootstrap())?;
    ensure!(client.create_topic("before", 1, &[])? == 0, "the topic cannot be created");
    fs::remove_dir_all(broker.data_dir())?;
    fs::create_dir(broker.data_dir())?;
    fs::write(broker.data_dir().join(".lock"), "")?;
    let code = client.create_topic("after", 1, &[])?;
    ensure!(code == KAFKA_STORAGE_ERROR, "a topic is made in somebody else's folder: error {code}");
    ensure!(!broker.stop()?.success(), "the stop is called a good one");
    let names: Vec<_> = fs::read_dir(broker.data_dir())?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    ensure!(names.len() == 1, "it wrote into somebody else's folder: {names:?}");
    Ok(())
}
