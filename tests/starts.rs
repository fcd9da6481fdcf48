//! Brokers that cannot start: what they say, and that they leave nothing behind.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use anyhow::ensure;
use cutaway_tests::broker::{Broker, binary};

/// What a broker says that cannot have its port; it must not have made its folder.
fn start_on_a_taken_port(address: SocketAddr) -> anyhow::Result<String> {
    let parent = tempfile::tempdir()?;
    let (port, data) = (address.port().to_string(), parent.path().join("data"));
    let ended = Command::new(binary()?).args(["--port", &port, "--data"]).arg(&data).output()?;
    let said = String::from_utf8(ended.stderr)?;
    ensure!(ended.status.code() == Some(1), "it ended with {}: {said}", ended.status);
    ensure!(!data.exists(), "it left a folder behind");
    ensure!(said.contains(&format!("127.0.0.1:{port}: Address already in use")), "the port is not named: {said}");
    ensure!(said.contains("--port 0"), "it does not say what to do: {said}");
    Ok(said)
}

#[test]
fn on_a_port_that_a_broker_holds_a_start_fails_says_so_and_leaves_nothing() -> anyhow::Result<()> {
    let holder = Broker::start(&["--quiet"])?;
    let said = start_on_a_taken_port(holder.bootstrap())?;
    ensure!(said.contains("by a broker that speaks the Kafka protocol"), "the holder is not named: {said}");
    Ok(())
}

#[test]
fn on_a_port_that_somebody_else_holds_a_start_fails_and_leaves_nothing() -> anyhow::Result<()> {
    let holder = TcpListener::bind("127.0.0.1:0")?;
    let said = start_on_a_taken_port(holder.local_addr()?)?;
    ensure!(!said.contains("Kafka protocol"), "silence is taken for a broker: {said}");
    Ok(())
}
