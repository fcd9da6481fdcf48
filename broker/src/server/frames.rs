//! The read buffer of one connection: bytes in, complete frames out. It knows lengths, not meanings.
//!
//! A frame is an `i32` length and as many bytes. The buffer grows as bytes arrive and never because a length prefix
//! says so; complete frames leave it as slices, and once they are dropped the same memory is filled again, so that
//! a busy connection touches no fresh pages. An idle one holds no memory at all.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::connection::poll_once;
use super::goodbye::Goodbye;
use crate::config::limits::MAX_FRAME_BYTES_EXCEPT_PRODUCE;

/// Bytes of the length prefix.
const LENGTH_SIZE: usize = 4;

/// The smallest room that a read is given.
const SMALLEST_READ: usize = 16 * 1024;

/// The largest read that may run past the end of a frame: what comes after it might have to be moved.
const LARGEST_BLIND_READ: usize = 64 * 1024;

/// Frames above this need a share of the budget before more of them is read; see [`super::budget`].
pub(super) const UNBUDGETED_BYTES: usize = 64 * 1024;

/// A busy connection keeps its buffer up to this size between two frames.
const LARGEST_KEPT_BUFFER: usize = 2 * 1024 * 1024;

/// What was read and not yet handled.
#[derive(Debug)]
pub(super) struct Frames {
    buffer: BytesMut,
    /// `socket.request.max.bytes`.
    largest_frame: usize,
}

impl Frames {
    /// An empty buffer, without memory.
    pub(super) fn new(largest_frame: usize) -> Frames {
        Frames { buffer: BytesMut::new(), largest_frame }
    }

    /// Takes the next frame out, without its length; `None` when more must be read first.
    ///
    /// # Errors
    /// When what came cannot be a request, and why.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Goodbye> {
        match self.frame_size()? {
            Some(size) if self.buffer.len() >= size => {
                self.buffer.advance(LENGTH_SIZE);
                Ok(Some(self.buffer.split_to(size - LENGTH_SIZE).freeze()))
            }
            _ => Ok(None),
        }
    }

    /// The whole size of the frame that has begun, once it is known.
    pub(super) fn frame_size(&self) -> Result<Option<usize>, Goodbye> {
        let Some(prefix) = self.buffer.first_chunk::<LENGTH_SIZE>() else { return Ok(None) };
        let length = i32::from_be_bytes(*prefix);
        let length = usize::try_from(length).ok().filter(|&length| length > 0 && length <= self.largest_frame);
        let Some(length) = length else { return Err(Goodbye::Refused(refuse_length(*prefix, self.largest_frame))) };
        let key = self.buffer.get(LENGTH_SIZE..LENGTH_SIZE + 2);
        if length > MAX_FRAME_BYTES_EXCEPT_PRODUCE
            && key.is_some_and(|key| key != (ApiKey::Produce as i16).to_be_bytes())
        {
            return Err(Goodbye::Refused(format!(
                "a request of {length} bytes; only Produce may exceed {MAX_FRAME_BYTES_EXCEPT_PRODUCE} bytes"
            )));
        }
        Ok(Some(LENGTH_SIZE + length))
    }

    /// True when nothing waits to be handled.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Bytes that wait to be handled.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// True when the buffer holds more memory than one costs nothing to allocate again.
    pub(super) fn is_large(&self) -> bool {
        self.buffer.capacity() > LARGEST_BLIND_READ
    }

    /// Gives back the memory that frames were read into. What waits behind them, a blind read at most, is moved.
    pub(super) fn release(&mut self) {
        self.buffer = BytesMut::from(&self.buffer[..]);
    }

    /// Gives back what a giant frame has left behind.
    pub(super) fn trim(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > LARGEST_KEPT_BUFFER {
            self.release();
        }
    }

    /// Reads what the socket has now, of a frame that has begun no more than its first `covered` bytes: `None` if there
    /// is nothing, 0 at the end of the stream.
    pub(super) async fn read_from(&mut self, stream: &mut TcpStream, covered: usize) -> Option<io::Result<usize>> {
        let missing = match self.frame_size() {
            Ok(Some(size)) => size.min(covered).saturating_sub(self.buffer.len()),
            _ => 0,
        };
        let longest = missing.max(LARGEST_BLIND_READ);
        // Doubling keeps the copies of a growing frame below its own size, and what a liar can make us allocate
        // below twice what he sends.
        self.buffer.reserve(longest.min(self.buffer.len().max(SMALLEST_READ)));
        let mut room = (&mut self.buffer).limit(longest);
        poll_once(stream.read_buf(&mut room)).await
    }
}

fn refuse_length(prefix: [u8; LENGTH_SIZE], largest_frame: usize) -> String {
    const METHODS: [&[u8; 4]; 8] = [b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"PRI "];
    if prefix[0] == 0x16 && prefix[1] == 0x03 {
        return "this looks like a TLS ClientHello, and the listener speaks plain text: \
                set security.protocol=PLAINTEXT in the client"
            .into();
    }
    if METHODS.contains(&&prefix) {
        return "this looks like HTTP, and the listener speaks the Kafka protocol: \
                point the browser or probe at another port"
            .into();
    }
    let length = i32::from_be_bytes(prefix);
    format!("a frame length of {length}; lengths from 1 to {largest_frame} (socket.request.max.bytes) are legal")
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn frames_with(bytes: &[u8]) -> Frames {
        let mut frames = Frames::new(100 * 1024 * 1024);
        frames.buffer.put_slice(bytes);
        frames
    }

    fn refusal(bytes: &[u8]) -> String {
        match frames_with(bytes).next() {
            Err(Goodbye::Refused(why)) => why,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn frames_come_out_in_order_and_the_rest_stays() {
        let mut frames = frames_with(&[0, 0, 0, 1, 7, 0, 0, 0, 2, 8, 9, 0, 0]);
        assert_eq!(frames.next().expect("legal").as_deref(), Some(&[7][..]));
        assert_eq!(frames.next().expect("legal").as_deref(), Some(&[8, 9][..]));
        assert_eq!(frames.next().expect("legal"), None);
        assert_eq!(frames.len(), 2);
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        assert!(refusal(&0_i32.to_be_bytes()).contains("a frame length of 0"));
        assert!(refusal(&(-1_i32).to_be_bytes()).contains("a frame length of -1"));
        assert!(refusal(&(100 * 1024 * 1024 + 1_i32).to_be_bytes()).contains("104857601"));
    }

    #[test]
    fn other_protocols_are_called_by_their_name() {
        assert!(refusal(&[0x16, 3, 1, 2]).contains("TLS"));
        assert!(refusal(b"GET / HTTP/1.1\r\n").contains("HTTP"));
    }

    #[test]
    fn only_produce_may_be_large() {
        let length = (17 * 1024 * 1024_i32).to_be_bytes();
        let frame = |key: i16| [&length[..], &key.to_be_bytes()].concat();
        assert!(frames_with(&frame(0)).next().expect("legal").is_none());
        assert!(refusal(&frame(3)).contains("only Produce"));
    }

    #[test]
    fn memory_is_reused_once_the_frames_are_dropped() {
        let mut frames = frames_with(&[[0, 0, 1, 0].as_slice(), &[1; 256]].concat());
        let first = frames.next().expect("legal").expect("complete");
        let address = first.as_ptr() as usize;
        drop(first);
        frames.buffer.reserve(200);
        frames.buffer.put_slice(&[0, 0, 0, 1, 5]);
        let second = frames.next().expect("legal").expect("complete");
        assert!((second.as_ptr() as usize).abs_diff(address) <= LENGTH_SIZE);
    }

    #[tokio::test]
    async fn a_steady_stream_of_large_frames_is_read_into_the_same_memory() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut client = TcpStream::connect(address).await.expect("it listens");
        let (mut stream, _) = listener.accept().await.expect("a client");
        let frame = [&[0, 0x10, 0, 0][..], &vec![0; 1024 * 1024]].concat();
        let sender = async {
            for _ in 0..8 {
                client.write_all(&frame).await.expect("sent")
            }
        };
        let receiver = async {
            let mut frames = Frames::new(100 * 1024 * 1024);
            let mut places = Vec::new();
            while places.len() < 8 {
                match frames.read_from(&mut stream, usize::MAX).await {
                    Some(read) => assert!(read.expect("a byte") > 0),
                    None => stream.readable().await.expect("more"),
                }
                while let Some(frame) = frames.next().expect("legal") {
                    places.push(frame.as_ptr() as usize);
                }
            }
            places
        };
        let (places, ()) = tokio::join!(receiver, sender);
        assert!(places[2..].iter().all(|place| *place == places[2]), "{places:x?}");
    }
}
