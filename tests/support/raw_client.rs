//! A client that sends what it is told, byte for byte, and hands back what the broker answered.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use cutaway::schema::table;

/// How long a broker may take to answer, before it counts as silent.
const PATIENCE: Duration = Duration::from_secs(5);

/// The key of the one API whose answers never have a tag section in their header, so that any client can read them.
const API_VERSIONS: i16 = 18;

/// One connection.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    last_correlation_id: i32,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The body of the answer, without its header.
    Body(Vec<u8>),
    /// The broker closed the connection.
    Closed,
    /// Nothing came within the client's patience.
    Silent,
}

impl RawClient {
    /// Opens a connection.
    pub fn connect(address: SocketAddr) -> anyhow::Result<RawClient> {
        RawClient::connect_with_patience(address, PATIENCE)
    }

    /// Opens a connection on which the broker may take so long to answer.
    pub fn connect_with_patience(address: SocketAddr, patience: Duration) -> anyhow::Result<RawClient> {
        let stream = TcpStream::connect(address).with_context(|| format!("no broker at {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(RawClient { stream, last_correlation_id: 0 })
    }

    /// Sends a request with the header of its version, and waits for the answer.
    pub fn ask(&mut self, api_key: i16, version: i16, body: &[u8]) -> anyhow::Result<Reply> {
        self.send(api_key, version, body)?;
        self.receive(api_key, version)
    }

    /// Sends a request with the header of its version.
    pub fn send(&mut self, api_key: i16, version: i16, body: &[u8]) -> anyhow::Result<()> {
        self.last_correlation_id += 1;
        self.send_frame(&frame(api_key, version, self.last_correlation_id, body))
    }

    /// Sends any bytes, framed or not; false when the broker has closed the connection.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The client's own address, by which the broker's log names it.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.stream.local_addr()?)
    }

    /// Tells the broker that no more requests will come, and takes whatever it still sends, without looking at it.
    pub fn take_leave(&mut self) -> anyhow::Result<()> {
        // A connection that the broker has closed needs no leave.
        let _ = self.stream.shutdown(Shutdown::Write);
        match std::io::copy(&mut self.stream, &mut std::io::sink()) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                bail!("the broker neither answered nor closed the connection")
            }
            _ => Ok(()),
        }
    }

    /// Sends any bytes as one frame.
    pub fn send_frame(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        let size = i32::try_from(frame.len())?.to_be_bytes();
        // A broker that has closed the connection shows when the answer is read.
        let _ = self.stream.write_all(&[&size, frame].concat());
        Ok(())
    }

    /// Waits for the answer to the request that was sent last.
    pub fn receive(&mut self, api_key: i16, version: i16) -> anyhow::Result<Reply> {
        self.receive_answer_to(self.last_correlation_id, api_key, version)
    }

    /// The number of the request that was sent last; they count from 1.
    pub fn last_correlation_id(&self) -> i32 {
        self.last_correlation_id
    }

    /// Waits for the next answer, which must be the one to this request.
    pub fn receive_answer_to(&mut self, correlation_id: i32, api_key: i16, version: i16) -> anyhow::Result<Reply> {
        let mut size = [0; 4];
        match self.stream.read_exact(&mut size) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(Reply::Silent);
            }
            Err(_) => return Ok(Reply::Closed),
        }
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size))?];
        if self.stream.read_exact(&mut frame).is_err() {
            return Ok(Reply::Closed);
        }
        ensure!(frame.len() >= 4, "the answer is shorter than its header");
        ensure!(frame[..4] == correlation_id.to_be_bytes(), "the answer is to another request");
        let has_tags = api_key != API_VERSIONS && is_flexible(api_key, version);
        ensure!(!has_tags || frame.get(4) == Some(&0), "the header of the answer has tagged fields");
        Ok(Reply::Body(frame.split_off(4 + usize::from(has_tags))))
    }
}

/// A request with the header of its version, without its length.
pub fn frame(api_key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(api_key.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(correlation_id.to_be_bytes());
    frame.extend(b"\0\x06oracle");
    if is_flexible(api_key, version) {
        frame.push(0);
    }
    frame.extend(body);
    frame
}

fn is_flexible(api_key: i16, version: i16) -> bool {
    table().request(api_key).is_some_and(|request| request.is_flexible(version))
}
