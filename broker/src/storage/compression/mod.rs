//! The codecs of record batches: names, compression, and decoding through a window with a limit on what comes out.
//!
//! Decoding never trusts a size that the bytes declare: output is handed over as it is made, counted, and refused
//! once it exceeds the limit. What each codec accepts follows Kafka's Java streams, see the three files beside this.

mod gzip;
mod lz4;
mod snappy;

use std::io::{self, Read, Write};

use bytes::buf::Reader;
use bytes::{Buf, Bytes};

use super::Refusal;
use gzip::Gzip;
use lz4::Lz4;
use snappy::Snappy;

/// The largest window a zstd frame may ask for, as a power of two: zstd's own default, which Kafka keeps.
const ZSTD_MAX_WINDOW_LOG: u32 = 27;

/// The codec in bits 0-2 of a batch's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// The records stand as they are.
    None,
    /// A gzip stream.
    Gzip,
    /// Snappy in the framing of snappy-java, or one raw block.
    Snappy,
    /// One lz4 frame.
    Lz4,
    /// zstd frames.
    Zstd,
}

impl Compression {
    /// Every codec, in the order of the numbers.
    pub const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    /// The codec with this number in a batch's attributes; `None` for numbers that mean nothing.
    pub fn from_id(id: i16) -> Option<Compression> {
        Compression::ALL.get(usize::try_from(id).ok()?).copied()
    }

    /// The number in a batch's attributes.
    pub fn id(self) -> i16 {
        self as i16
    }

    /// Kafka's name for it, as in `compression.type`.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// Compresses the records of one batch, at Kafka's default levels.
    pub fn compress(self, mut records: &[u8]) -> Vec<u8> {
        self.encode(&mut records, None, Vec::new()).expect("from memory into memory that grows nothing fails")
    }

    /// Compresses what can be read, at a level or at the codec's default, as it is read.
    pub(super) fn encode<W: Write>(self, content: &mut dyn Read, level: Option<i32>, mut output: W) -> io::Result<W> {
        match self {
            Compression::None => io::copy(content, &mut output).map(|_| output),
            Compression::Gzip => gzip::encode(content, level.and_then(|level| u32::try_from(level).ok()), output),
            Compression::Snappy => snappy::encode(content, output),
            // The library has one level.
            Compression::Lz4 => lz4::encode(content, output),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(output, level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL))?;
                io::copy(content, &mut encoder)?;
                encoder.finish()
            }
        }
    }
}

/// Decodes compressed records as they are read, and refuses to give out more than a limit.
///
/// Its memory is that of the codec: at most 8 MiB for lz4 (two blocks of its largest size), the window of a zstd
/// frame, and for snappy one block, which is never more than 22 times its compressed size.
pub struct Decoder {
    codec: Codec,
    decoded_bytes: usize,
    max_bytes: usize,
}

enum Codec {
    Plain(Reader<Bytes>),
    Gzip(Gzip),
    Snappy(Snappy),
    Lz4(Lz4),
    Zstd(zstd::Decoder<'static, Reader<Bytes>>),
}

impl Decoder {
    /// Starts decoding; the error is a [`Refusal`] in disguise, see [`refusal_of`].
    pub fn new(compression: Compression, compressed: Bytes, max_bytes: usize) -> io::Result<Decoder> {
        let codec = match compression {
            Compression::None => Codec::Plain(compressed.reader()),
            Compression::Gzip => Codec::Gzip(Gzip::new(compressed)),
            Compression::Snappy => Codec::Snappy(Snappy::new(compressed, max_bytes)),
            Compression::Lz4 => Codec::Lz4(Lz4::new(compressed)?),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(compressed.reader())?;
                decoder.window_log_max(ZSTD_MAX_WINDOW_LOG)?;
                Codec::Zstd(decoder)
            }
        };
        Ok(Decoder { codec, decoded_bytes: 0, max_bytes })
    }

    /// How many bytes came out so far.
    pub fn decoded_bytes(&self) -> usize {
        self.decoded_bytes
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One byte more than is left is asked for, so that content which ends at the limit is told from content
        // which goes on.
        let room = (self.max_bytes - self.decoded_bytes).saturating_add(1);
        let wanted = room.min(buffer.len());
        let buffer = &mut buffer[..wanted];
        let count = match &mut self.codec {
            Codec::Plain(input) => input.read(buffer),
            Codec::Gzip(gzip) => gzip.read(buffer),
            Codec::Snappy(snappy) => snappy.read(buffer),
            Codec::Lz4(lz4) => lz4.read(buffer),
            Codec::Zstd(zstd) => zstd.read(buffer),
        }?;
        if count == room {
            return Err(too_much(self.max_bytes));
        }
        self.decoded_bytes += count;
        Ok(count)
    }
}

/// What to answer when reading a batch's records failed: the [`Refusal`] that the error carries, or "undecodable" for
/// an error of the codec itself.
pub fn refusal_of(error: io::Error) -> Refusal {
    error
        .downcast::<Refusal>()
        .unwrap_or_else(|error| Refusal::Undecodable(format!("the records cannot be decompressed: {error}")))
}

fn too_much(max_bytes: usize) -> io::Error {
    io::Error::other(Refusal::TooLarge(format!(
        "the records of the batch decompress to more than {max_bytes} bytes; send smaller batches"
    )))
}

fn broken(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

#[cfg(test)]
mod tests;
