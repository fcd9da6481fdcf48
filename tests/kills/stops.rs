//! Stops in good order, in the middle of the same work.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::ensure;
use cutaway_tests::broker::Broker;
use cutaway_tests::chance::Chance;
use cutaway_tests::client::Client;
use cutaway_tests::patience;
use cutaway_tests::raw_client::frame;
use rustix::process::Signal;

use super::Load;

/// What Kafka leaves in the folder after a clean stop.
const CLEAN_MARKER: &str = ".kafka_cleanshutdown";

const METADATA: i16 = 3;

#[test]
fn a_stop_in_the_middle_of_writes_is_clean_and_loses_nothing() -> anyhow::Result<()> {
    let seed = Chance::seed(0x7374_6f70);
    eprintln!("CUTAWAY_SEED={seed}");
    let mut chance = Chance::new(seed);
    let mut load = Load::begin(&mut chance)?;
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::TERM] {
        load.write(1 + chance.below(150), true, |broker| {
            broker.signal(signal)?;
            let status = broker.wait()?;
            ensure!(status.code() == Some(0), "after {signal:?} the broker ended with {status}");
            Ok(())
        })?;
        ensure!(load.broker.data_dir().join(CLEAN_MARKER).exists(), "after {signal:?} nothing says that it was clean");
        load.restart()?;
        ensure!(!load.broker.data_dir().join(CLEAN_MARKER).exists(), "a broker that runs says that it has stopped");
    }
    load.finish()
}

#[test]
fn a_second_signal_ends_the_broker_at_once() -> anyhow::Result<()> {
    for (second, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut broker = Broker::start(&["--quiet"])?;
        let mut client = Client::connect(broker.bootstrap())?;
        for topic in 0..20 {
            client.create_topic(&format!("to-be-listed-{topic}"), 10, &[])?;
        }
        let _stuck = client_that_never_reads(&broker)?;
        broker.signal(Signal::TERM)?;
        // The broker has begun to stop, and waits for the client to take its answers.
        patience::until("the port to be closed", || Ok(TcpStream::connect(broker.bootstrap()).is_err()))?;
        let begun = Instant::now();
        broker.signal(second)?;
        let status = broker.wait()?;
        ensure!(status.code() == Some(code), "the broker ended with {status} after {:?}", begun.elapsed());
    }
    Ok(())
}

/// A connection whose answers are stuck, because nobody takes them.
fn client_that_never_reads(broker: &Broker) -> anyhow::Result<TcpStream> {
    let request = frame(METADATA, 1, 1, &(-1_i32).to_be_bytes());
    let whole = [&i32::try_from(request.len())?.to_be_bytes()[..], &request].concat();
    let mut stream = TcpStream::connect(broker.bootstrap())?;
    stream.set_write_timeout(Some(Duration::from_millis(500)))?;
    let _ = stream.write_all(&whole.repeat(20_000));
    Ok(stream)
}
