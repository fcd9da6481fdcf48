//! Snappy as snappy-java's `SnappyInputStream` reads it: a 16-byte header and length-prefixed blocks, possibly
//! several such streams one after another; or, without the header, one raw block.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};

use super::{broken, too_much};

/// Begins a framed stream; two big-endian version numbers follow.
const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const HEADER_SIZE: usize = 16;

/// What snappy-java's writer puts in each block.
const BLOCK_SIZE: usize = 32 * 1024;

/// The densest snappy element makes 64 bytes out of 3, so a block that declares more than this per byte lies.
const MAX_EXPANSION: usize = 22;

/// A snappy stream being decoded, one block at a time.
pub(super) struct Snappy {
    input: Bytes,
    framed: bool,
    block: Vec<u8>,
    /// How much of the block was handed out.
    position: usize,
    max_bytes: usize,
}

impl Snappy {
    /// No block may declare more than `max_bytes`: its size is reserved before it is decoded.
    pub(super) fn new(mut compressed: Bytes, max_bytes: usize) -> Snappy {
        // As in Java, the version numbers of the first header are not looked at.
        let framed = compressed.len() >= HEADER_SIZE && compressed.starts_with(&MAGIC);
        if framed {
            compressed.advance(HEADER_SIZE);
        }
        Snappy { input: compressed, framed, block: Vec::new(), position: 0, max_bytes }
    }

    /// Decodes the next block; false at the end.
    fn next_block(&mut self) -> io::Result<bool> {
        if !self.framed {
            self.framed = true;
            let whole = std::mem::take(&mut self.input);
            return self.decode(&whole).map(|()| true);
        }
        // Fewer than four bytes are no length, and Java ends there without a complaint.
        while let Some(length) = self.input.first_chunk().map(|prefix| i32::from_be_bytes(*prefix)) {
            if self.input.starts_with(&MAGIC[..4]) {
                if !self.skip_header()? {
                    return Ok(false);
                }
                continue;
            }
            let length = usize::try_from(length).map_err(|_| broken("a snappy block has a negative length"))?;
            self.input.advance(4);
            if length > self.input.len() {
                return Err(broken("the last snappy block is cut short"));
            }
            let block = self.input.split_to(length);
            return self.decode(&block).map(|()| true);
        }
        Ok(false)
    }

    /// Skips the header of a stream that follows another; false when it only looks like one, which ends the input.
    fn skip_header(&mut self) -> io::Result<bool> {
        let Some(header) = self.input.first_chunk::<HEADER_SIZE>() else {
            return Err(broken("the header of a further snappy stream is cut short"));
        };
        if !header.starts_with(&MAGIC) {
            return Ok(false);
        }
        if i32::from_be_bytes([header[8], header[9], header[10], header[11]]) < 1 {
            return Err(broken("a further snappy stream has an unknown version"));
        }
        self.input.advance(HEADER_SIZE);
        Ok(true)
    }

    fn decode(&mut self, compressed: &[u8]) -> io::Result<()> {
        let declared = snap::raw::decompress_len(compressed)?;
        if declared > compressed.len().saturating_mul(MAX_EXPANSION) {
            return Err(broken(format!(
                "a snappy block of {} bytes cannot hold the {declared} bytes that it declares",
                compressed.len()
            )));
        }
        if declared > self.max_bytes {
            return Err(too_much(self.max_bytes));
        }
        if compressed.is_empty() {
            return Err(broken("a snappy block is empty"));
        }
        self.position = 0;
        self.block.clear();
        self.block.resize(declared, 0);
        snap::raw::Decoder::new().decompress(compressed, &mut self.block)?;
        Ok(())
    }
}

impl Read for Snappy {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let count = (&self.block[self.position..]).read(buffer)?;
        self.position += count;
        Ok(count)
    }
}

/// The framed form, as snappy-java's `SnappyOutputStream` writes it.
pub(super) fn encode<W: Write>(content: &mut dyn Read, mut output: W) -> io::Result<W> {
    output.write_all(&MAGIC)?;
    output.write_all(&1i32.to_be_bytes())?;
    output.write_all(&1i32.to_be_bytes())?;
    let mut encoder = snap::raw::Encoder::new();
    let mut block = Vec::with_capacity(BLOCK_SIZE);
    loop {
        block.clear();
        content.take(BLOCK_SIZE as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(output);
        }
        let compressed = encoder.compress_vec(&block)?;
        let length = i32::try_from(compressed.len()).expect("a block of 32 KiB stays small");
        output.write_all(&length.to_be_bytes())?;
        output.write_all(&compressed)?;
    }
}
