//! Brokers that go away and come back while a command talks to them: nothing is lost, nothing is there twice.
//!
//! Between the two stands a proxy, whose address stays when the broker's changes, and which can lose an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, ensure};
use cutaway_tests::broker::{Broker, Launch};
use cutaway_tests::client::Client;
use cutaway_tests::patience;

use super::Lines;

/// Forwards connections to whoever is the broker at the time.
struct Proxy {
    address: SocketAddr,
    broker: Arc<Mutex<Option<SocketAddr>>>,
    loses_next_answer: Arc<AtomicBool>,
}

impl Proxy {
    fn start() -> anyhow::Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy =
            Proxy { address: listener.local_addr()?, broker: Arc::default(), loses_next_answer: Arc::default() };
        let (broker, loses) = (Arc::clone(&proxy.broker), Arc::clone(&proxy.loses_next_answer));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let target = *broker.lock().expect("no thread panics while it holds the address");
                // Without a broker the connection is closed, as if nobody listened for long.
                let Some(Ok(broker)) = target.map(TcpStream::connect) else { continue };
                let _ = forward(client, broker, &loses);
            }
        });
        Ok(proxy)
    }

    fn set_broker(&self, address: SocketAddr) {
        *self.broker.lock().expect("no thread panics while it holds the address") = Some(address);
    }

    /// A broker that sends its clients to the proxy.
    fn broker(&self) -> anyhow::Result<Broker> {
        let broker = Broker::launch(Launch { advertised: Some(self.address), ..Launch::default() })?;
        self.set_broker(broker.bootstrap());
        Ok(broker)
    }
}

/// Copies both ways, each in a thread of its own, until one side hangs up.
fn forward(client: TcpStream, broker: TcpStream, loses: &Arc<AtomicBool>) -> std::io::Result<()> {
    let (mut to_broker, mut from_client) = (broker.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_broker);
        let _ = to_broker.shutdown(Shutdown::Both);
    });
    let (mut from_broker, mut to_client, loses) = (broker, client, Arc::clone(loses));
    thread::spawn(move || {
        let mut window = [0; 4096];
        while let Ok(count) = from_broker.read(&mut window) {
            let is_lost = count > 0 && loses.swap(false, Ordering::SeqCst);
            if count == 0 || is_lost || to_client.write_all(&window[..count]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// A command that is being typed into; killed on drop.
struct Running(Child);

impl Running {
    fn start(arguments: &[&str]) -> anyhow::Result<Running> {
        let mut command = super::cutaway(arguments)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Running(command.spawn()?))
    }

    fn type_line(&mut self, line: &str) -> anyhow::Result<()> {
        let stdin = self.0.stdin.as_mut().context("the input was piped")?;
        Ok(writeln!(stdin, "{line}")?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// How many records a topic has once the answer to the second of two was lost.
fn stored_after_a_lost_answer(topic: &str, arguments: &[&str]) -> anyhow::Result<i64> {
    let proxy = Proxy::start()?;
    let broker = proxy.broker()?;
    let mut client = Client::connect(broker.bootstrap())?;
    client.create_topic(topic, 1, &[])?;
    let mut end = |least: i64| {
        patience::until("a record to be stored", || Ok(client.end_offset(topic, 0)?.is_ok_and(|end| end >= least)))?;
        client.end_offset(topic, 0)
    };
    let address = proxy.address.to_string();
    let mut produce = Running::start(&[&["produce", "-v", "-b", &address, "-t", topic], arguments].concat())?;
    produce.type_line("first")?;
    end(1)?.map_err(|code| anyhow::anyhow!("error {code}"))?;
    let said = Lines::of(produce.0.stderr.take().context("the errors were piped")?);
    ensure!(said.next()?.ends_with("offset 0"), "the first is not acknowledged");
    proxy.loses_next_answer.store(true, Ordering::SeqCst);
    produce.type_line("second")?;
    let told = said.next()?;
    ensure!(
        told.contains("closed the connection instead of answering Produce") && told.contains("trying again"),
        "{told}"
    );
    drop(produce.0.stdin.take());
    ensure!(produce.0.wait()?.success(), "it failed");
    end(2)?.map_err(|code| anyhow::anyhow!("error {code}"))
}

#[test]
fn a_lost_answer_stores_nothing_twice_unless_idempotence_is_off() -> anyhow::Result<()> {
    ensure!(stored_after_a_lost_answer("once", &[])? == 2, "a record is there twice");
    ensure!(stored_after_a_lost_answer("twice", &["-X", "enable.idempotence=false"])? == 3, "no answer was lost");
    Ok(())
}

#[test]
fn commands_go_on_when_the_broker_is_back() -> anyhow::Result<()> {
    let proxy = Proxy::start()?;
    let mut broker = proxy.broker()?;
    Client::connect(broker.bootstrap())?.create_topic("kept", 1, &[])?;
    let address = proxy.address.to_string();
    let mut consume = Running::start(&["consume", "-q", "-b", &address, "-t", "kept"])?;
    let mut produce = Running::start(&["produce", "-b", &address, "-t", "kept"])?;
    let printed = Lines::of(consume.0.stdout.take().context("the output was piped")?);
    let said = Lines::of(consume.0.stderr.take().context("the errors were piped")?);
    produce.type_line("before")?;
    ensure!(printed.next()? == "before", "another line");
    broker.kill()?;
    produce.type_line("meanwhile")?;
    ensure!(said.next()?.ends_with("; trying again"), "it does not say so");
    broker.restart()?;
    proxy.set_broker(broker.bootstrap());
    produce.type_line("after")?;
    let both = [printed.next()?, printed.next()?];
    ensure!(both == ["meanwhile", "after"], "{both:?}");
    ensure!(said.next()? == "% Goes on", "it does not say so");
    Ok(())
}
