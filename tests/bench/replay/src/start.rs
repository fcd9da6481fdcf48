//! Starting a broker and noticing the moment it first answers.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::wire::{Connection, Request, RequestKind};

const PATIENCE: Duration = Duration::from_secs(120);
/// Short against every start that is measured, long enough to leave the processor to the broker.
const PAUSE: Duration = Duration::from_micros(200);

/// Ports below those that Linux gives to clients. A client that knocks at a closed port which the system might also give
/// to itself ends up connected to itself once in a while.
const PORTS: Range<u16> = 20_000..32_000;

/// A port of 127.0.0.1 that nobody listens on at the moment.
pub(crate) fn free_port() -> Result<u16> {
    let first = PORTS.start + (std::process::id() % u32::from(PORTS.end - PORTS.start)) as u16;
    let mut ports = (first..PORTS.end).chain(PORTS.start..first);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).context("no port of 127.0.0.1 is free")
}

/// Starts the broker, prints `<process id> <milliseconds until the first answer>`, and waits for its end.
pub(crate) fn run(address: SocketAddr, log: &Path, command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("a command is needed")?;
    let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let began = Instant::now();
    let mut broker = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    if let Err(error) = wait_for_answer(&mut broker, address, began) {
        // It may be gone already, which is all that is wanted.
        let _ = broker.kill();
        return Err(error.context(format!("its output is in {}", log.display())));
    }
    let took = began.elapsed();
    println!("{} {:.2}", broker.id(), took.as_secs_f64() * 1e3);
    std::io::stdout().flush()?;
    broker.wait()?;
    Ok(())
}

fn wait_for_answer(broker: &mut Child, address: SocketAddr, began: Instant) -> Result<()> {
    while answers(address).is_err() {
        if let Some(status) = broker.try_wait()? {
            bail!("the broker ended before it answered ({status})");
        }
        ensure!(began.elapsed() < PATIENCE, "the broker did not answer on {address} within {PATIENCE:?}");
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn answers(address: SocketAddr) -> Result<()> {
    let mut connection = Connection::open(address)?;
    connection.ask(&Request::new(RequestKind::ApiVersions).finish())?.no_error()
}
