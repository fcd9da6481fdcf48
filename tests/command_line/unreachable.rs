//! What answers is no Kafka broker, or nobody answers: one sentence that says what to do next, and exit code 1.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use anyhow::ensure;
use cutaway_tests::broker::{Broker, Launch};

use super::Ran;

/// Answers every connection with these bytes once something was said, and hangs up.
fn server(answer: &'static [u8]) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 1024];
            // A client that hangs up first is no concern of this server.
            let _ = stream.read(&mut asked).and_then(|_| stream.write_all(answer));
        }
    });
    Ok(address)
}

#[test]
fn who_answers_instead_of_a_broker_is_named() -> anyhow::Result<()> {
    for (answer, sentence) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "is a web server, not a Kafka broker; name another port with -b"),
        (b"HTTP", "is a web server"),
        (b"\x15\x03\x03\x00\x02\x02\x0a", "wants TLS, which cutaway's commands do not speak"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is no Kafka broker"),
        (b"\xff\xff\xff\xff\x00\x00\x00\x01", "is no Kafka broker"),
        (b"\x00\x00", "closed the connection instead of answering ApiVersions; is it a Kafka broker's port"),
        (b"", "closed the connection instead of answering ApiVersions; is it a Kafka broker's port"),
        // The right id, and nothing that could be read.
        (b"\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\xff\xff", "the answer to ApiVersions cannot be read"),
    ] {
        let address = server(answer)?.to_string();
        let told = Ran::of(&["topics", "list", "-b", &address])?.failed(1)?;
        ensure!(told.contains(sentence) && told.lines().count() == 1, "{answer:?}: {told}");
    }
    Ok(())
}

#[test]
fn nobody_there_is_told_how_to_start_one() -> anyhow::Result<()> {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    for command in [&["topics", "list"][..], &["topics", "create", "x"]] {
        let told = Ran::of(&[command, &["-b", &address]].concat())?.failed(1)?;
        let sentence = format!(
            "no broker at {address}: connection refused; start one with `cutaway`, or name another with -b HOST:PORT"
        );
        ensure!(told.contains(&sentence) && told.lines().count() == 1, "{command:?}: {told}");
    }
    let told = Ran::of(&["topics", "list", "-b", "no-such-host.invalid"])?.failed(1)?;
    ensure!(told.contains("no broker at no-such-host.invalid:9092: there is no host of that name"), "{told}");
    let told = Ran::of(&["topics", "list", "-b", "x:port"])?.failed(2)?;
    ensure!(told.contains("must be HOST:PORT"), "{told}");
    Ok(())
}

/// Answers ApiVersions as a broker does whose listener wants a password first: it knows Metadata, and hangs up on it.
#[test]
fn a_broker_that_hangs_up_later_may_want_a_password() -> anyhow::Result<()> {
    let mut answer = Vec::from([0, 0, 0, 1, 0, 0, 2]);
    for number in [3_i16, 0, 12] {
        answer.extend(number.to_be_bytes());
    }
    // No tags, no throttling, no tags.
    answer.extend([0; 6]);
    let size = u32::try_from(answer.len())?.to_be_bytes();
    let address = server(Box::leak([&size[..], &answer].concat().into_boxed_slice()))?.to_string();
    let told = Ran::of(&["topics", "list", "-b", &address])?.failed(1)?;
    ensure!(told.contains("closed the connection instead of answering Metadata; "), "{told}");
    ensure!(told.contains("or its listener wants a password (SASL)") && told.lines().count() == 1, "{told}");
    Ok(())
}

#[test]
fn an_advertised_address_that_cannot_be_reached_is_explained() -> anyhow::Result<()> {
    let nowhere = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let broker = Broker::launch(Launch { advertised: Some(nowhere), ..Launch::default() })?;
    let address = broker.bootstrap().to_string();
    Ran::of(&["topics", "create", "t", "-b", &address])?.printed()?;
    let sentence = format!(
        "the broker at {address} says that node 1 is at {nowhere} (advertised.listeners), and that cannot be reached: \
         connection refused; let it advertise an address that this machine can reach"
    );
    for command in [&["topics", "describe", "t"][..], &["produce", "-t", "t", "-X", "delivery.timeout.ms=1"]] {
        let told = Ran::with_input(&[command, &["-b", &address]].concat(), b"x\n")?.failed(1)?;
        ensure!(told.contains(&sentence), "{command:?}: {told}");
    }
    Ok(())
}
