//! Stops in good order, in the middle of the same work.

use anyhow::ensure;
use cutaway_tests::broker::Broker;
use cutaway_tests::chance::Chance;
use rustix::process::Signal;

use super::Load;

/// What Kafka leaves in the folder after a clean stop.
const CLEAN_MARKER: &str = ".kafka_cleanshutdown";

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

/// An idle broker may have stopped in good order before it hears the second signal, however close they come; so a few try.
const ATTEMPTS: usize = 20;

#[test]
fn a_second_signal_ends_the_broker_at_once() -> anyhow::Result<()> {
    for (first, second) in [(Signal::TERM, Signal::INT), (Signal::INT, Signal::TERM)] {
        let mut codes = Vec::new();
        while !codes.iter().any(|code| matches!(code, Some(130 | 143))) {
            ensure!(codes.len() < ATTEMPTS, "after {first:?} and {second:?} the brokers ended with {codes:?}");
            let mut broker = Broker::start(&["--quiet"])?;
            // Both are there when it wakes up, so that the second comes in the middle of the stop.
            for signal in [Signal::STOP, first, second, Signal::CONT] {
                broker.signal(signal)?;
            }
            let code = broker.wait()?.code();
            ensure!(
                matches!(code, Some(0 | 130 | 143)),
                "after {first:?} and {second:?} the broker ended with {code:?}"
            );
            codes.push(code);
        }
    }
    Ok(())
}
