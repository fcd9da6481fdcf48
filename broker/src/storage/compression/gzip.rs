//! gzip as Java's `GZIPInputStream` reads it: several members one after another, and an end at the first bytes that
//! begin no further member.

use std::io::{self, Read, Write};

use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use flate2::bufread::GzDecoder;

/// Java looks for a further member only when more than its smallest size (header and trailer) is left.
const SMALLEST_MEMBER_SIZE: usize = 18;

/// The identification bytes and the only method (deflate) of a member's header.
const MEMBER_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// A gzip stream being decoded.
pub(super) struct Gzip {
    /// `None` after the last member.
    member: Option<GzDecoder<Reader<Bytes>>>,
}

impl Gzip {
    pub(super) fn new(compressed: Bytes) -> Gzip {
        Gzip { member: Some(GzDecoder::new(compressed.reader())) }
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let rest = self.member.take().map(|ended| ended.into_inner().into_inner()).unwrap_or_default();
            if rest.len() > SMALLEST_MEMBER_SIZE && rest.starts_with(&MEMBER_MAGIC) {
                self.member = Some(GzDecoder::new(rest.reader()));
            }
        }
        Ok(0)
    }
}

/// One member; without a level at zlib's default.
pub(super) fn encode<W: Write>(content: &mut dyn Read, level: Option<u32>, output: W) -> io::Result<W> {
    let level = level.map_or_else(flate2::Compression::default, flate2::Compression::new);
    let mut encoder = flate2::write::GzEncoder::new(output, level);
    io::copy(content, &mut encoder)?;
    encoder.finish()
}
