//! The server's side of a WebSocket, frame by frame: it can send what no library would.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::service::Step;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// What the server sends, in turn.
#[derive(Clone)]
pub(crate) enum Send {
    Text(Vec<u8>),
    Close(u16, &'static str),
    Ping,
    /// Waits for the frame that a client sends: its opcode is checked.
    Expect(u8),
    Silence,
}

/// The opcode of a pong.
pub(crate) const PONG_FRAME: u8 = 10;
/// The opcode of a ping.
pub(crate) const PING_FRAME: u8 = PING;

/// Opens the WebSocket, sends all that, and ends the connection.
pub(crate) fn socket(frames: Vec<Send>) -> Step {
    Box::new(move |head, stream| {
        let key = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
        });
        let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: \
             {accept}\r\n\r\n"
        )?;
        frames.iter().try_for_each(|frame| send(stream, frame))
    })
}

fn send(stream: &mut TcpStream, frame: &Send) -> std::io::Result<()> {
    match frame {
        Send::Text(text) => put(stream, TEXT, text),
        Send::Close(code, reason) => {
            put(stream, CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())?;
            // The client answers before the connection ends.
            expect(stream, CLOSE)
        }
        Send::Ping => put(stream, PING, b"there?"),
        Send::Expect(opcode) => expect(stream, *opcode),
        Send::Silence => {
            thread::sleep(Duration::from_secs(60));
            Ok(())
        }
    }
}

fn put(stream: &mut TcpStream, opcode: u8, payload: &[u8]) -> std::io::Result<()> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..126 => frame.push(length as u8),
        length @ 126..65_536 => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    stream.write_all(&frame)
}

/// Reads a short frame of the client, which is masked.
fn expect(stream: &mut TcpStream, opcode: u8) -> std::io::Result<()> {
    let mut head = [0; 6];
    stream.read_exact(&mut head)?;
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut payload)?;
    match head[0] & 0x0f {
        it if it == opcode => Ok(()),
        it => Err(std::io::Error::other(format!("a frame with opcode {it} instead of {opcode}"))),
    }
}

/// A change of a post: its number makes its time, rev and key.
pub(crate) fn post(number: u64, operation: &str) -> Send {
    let time_us = 1_763_769_600_000_000 + number;
    let commit = format!(
        r#"{{"rev":"rev{number}","operation":"{operation}","collection":"app.bsky.feed.post","rkey":"k{number}"}}"#
    );
    Send::Text(format!(r#"{{"did":"did:plc:a","time_us":{time_us},"kind":"commit","commit":{commit}}}"#).into_bytes())
}

/// A text frame.
pub(crate) fn text(text: &str) -> Send {
    Send::Text(text.as_bytes().to_vec())
}
