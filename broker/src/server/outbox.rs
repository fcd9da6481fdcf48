//! Answers on their way out: bytes of ours, and ranges of files that the kernel copies to the socket.
//!
//! Small encoded parts go out in one vectored write, flagged MSG_MORE while a file range follows, so that header
//! and records share packets. Nothing is reordered.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::goodbye::Goodbye;
use crate::clock::Clock;
use crate::handlers::{Answer, Part};
use crate::storage::FileRange;

/// What the kernel may copy in one call: it does so without looking at other tasks.
const LARGEST_SEND: usize = 256 * 1024;

/// After this many bytes other connections get a turn.
const TURN_BYTES: usize = 1024 * 1024;

/// A file range up to this size is read into memory: one write is then cheaper than write, sendfile, write.
const READ_INSTEAD: u32 = 16 * 1024;

/// Queued answers above this are written before the next request is looked at.
const FULL_BYTES: usize = 256 * 1024;

/// Slices of one vectored write.
const LARGEST_VECTOR: usize = 64;

/// The answers of one connection that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    parts: VecDeque<Part>,
    bytes_in_memory: usize,
    bytes_this_turn: usize,
}

impl Outbox {
    /// Queues an answer behind the others.
    pub(super) fn push(&mut self, answer: Answer) -> Result<(), Goodbye> {
        for part in answer.parts {
            let part = match part {
                Part::File(range) if range.length <= READ_INSTEAD => read_in(&range)?,
                other => other,
            };
            if let Part::Bytes(bytes) = &part {
                self.bytes_in_memory += bytes.len();
            }
            self.parts.push_back(part);
        }
        Ok(())
    }

    /// True when it is time to write before more answers are made.
    pub(super) fn is_full(&self) -> bool {
        self.bytes_in_memory >= FULL_BYTES || self.parts.len() >= LARGEST_VECTOR
    }

    /// Writes everything; a client that takes no byte for as long as `patience` is given up.
    pub(super) async fn flush(&mut self, stream: &TcpStream, clock: &Clock, patience: Duration) -> Result<(), Goodbye> {
        while let Some(first) = self.parts.front() {
            let sent = match first {
                Part::Bytes(_) => patiently(clock, patience, self.send_bytes(stream)).await?,
                Part::File(range) => patiently(clock, patience, send_range(stream, range)).await?,
            };
            self.advance(sent)?;
            self.bytes_this_turn += sent;
            if self.bytes_this_turn >= TURN_BYTES {
                self.bytes_this_turn = 0;
                tokio::task::yield_now().await;
            }
        }
        self.bytes_in_memory = 0;
        Ok(())
    }

    /// One write of the bytes before the next file range.
    async fn send_bytes(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); LARGEST_VECTOR];
        let mut count = 0;
        for part in self.parts.iter().take(LARGEST_VECTOR) {
            let Part::Bytes(bytes) = part else { break };
            slices[count] = IoSlice::new(bytes);
            count += 1;
        }
        let more = if self.parts.len() > count { SendFlags::MORE } else { SendFlags::empty() };
        let flags = more | SendFlags::NOSIGNAL;
        stream
            .async_io(Interest::WRITABLE, || {
                let send = || {
                    let mut nothing = SendAncillaryBuffer::default();
                    rustix::net::sendmsg(stream, &slices[..count], &mut nothing, flags)
                };
                Ok(rustix::io::retry_on_intr(send)?)
            })
            .await
    }

    /// Forgets what was sent; a file that ended early is a fault that the client must not mistake for an answer.
    fn advance(&mut self, mut sent: usize) -> Result<(), Goodbye> {
        while let Some(first) = self.parts.front_mut() {
            match first {
                Part::Bytes(bytes) if bytes.len() > sent => {
                    bytes.advance(sent);
                    return Ok(());
                }
                Part::Bytes(bytes) => sent -= bytes.len(),
                Part::File(range) if sent == 0 && range.length > 0 => return Ok(()),
                Part::File(range) => {
                    range.position += sent as u64;
                    range.length -= u32::try_from(sent).expect("no more is sent than the range has");
                    sent = 0;
                    if range.length > 0 {
                        return Ok(());
                    }
                }
            }
            self.parts.pop_front();
        }
        Ok(())
    }
}

/// Lets the kernel copy the next bytes of a file range.
async fn send_range(stream: &TcpStream, range: &FileRange) -> io::Result<usize> {
    let count = LARGEST_SEND.min(range.length as usize);
    let send = || loop {
        match range.file.send_to(stream.as_fd(), range.position, count) {
            Err(failure) if failure.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    };
    let sent = stream.async_io(Interest::WRITABLE, send).await?;
    if sent == 0 && count > 0 {
        return Err(ended_early(range));
    }
    Ok(sent)
}

/// Reads a small range into memory.
fn read_in(range: &FileRange) -> Result<Part, Goodbye> {
    let mut bytes = BytesMut::zeroed(range.length as usize);
    match range.file.read_at(range.position, &mut bytes) {
        Ok(count) if count == bytes.len() => Ok(Part::Bytes(bytes.freeze())),
        Ok(_) => Err(Goodbye::Broken(ended_early(range))),
        Err(fault) => Err(Goodbye::Broken(io::Error::other(fault))),
    }
}

fn ended_early(range: &FileRange) -> io::Error {
    let file = range.file.path().display();
    io::Error::other(format!("{file} ends before byte {}, although its records were there", range.position))
}

/// Waits for a write, but not for ever.
async fn patiently(
    clock: &Clock,
    patience: Duration,
    write: impl Future<Output = io::Result<usize>>,
) -> Result<usize, Goodbye> {
    tokio::select! {
        biased;
        sent = write => sent.map_err(Goodbye::Broken),
        () = clock.sleep(patience) => {
            Err(Goodbye::Refused(format!("it took no byte of its answers for {patience:?}")))
        }
    }
}
