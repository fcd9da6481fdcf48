//! lz4 as Kafka's `Lz4BlockInputStream` reads it: one frame of independent blocks, without a dictionary, closed by an
//! end mark; what follows the frame is ignored.
//!
//! Kafka does not look at the checksum over the whole content or at the content size; here they are checked.

use std::io::{self, Read, Write};

use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::broken;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

// The bits of a frame's first descriptor byte.
const CONTENT_CHECKSUM: u8 = 1 << 2;
const CONTENT_SIZE: u8 = 1 << 3;
const BLOCK_CHECKSUM: u8 = 1 << 4;
/// Bits 6-7 are the version, 1; bit 5 says that blocks are independent; bits 0-1 are reserved or ask for a dictionary.
const REQUIRED_MASK: u8 = 0b1110_0011;
const REQUIRED: u8 = 0b0110_0000;

/// An lz4 frame being decoded.
pub(super) struct Lz4 {
    frame: FrameDecoder<Reader<Bytes>>,
}

impl Lz4 {
    /// Finds the end of the frame first: the decoder would go on to a second frame, and would take a frame without an
    /// end mark for a whole one.
    pub(super) fn new(compressed: Bytes) -> io::Result<Lz4> {
        let size = frame_size(&compressed)?;
        Ok(Lz4 { frame: FrameDecoder::new(compressed.slice(..size).reader()) })
    }
}

impl Read for Lz4 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.frame.read(buffer)
    }
}

/// The size of the frame at the start of the input, found by stepping over its blocks.
fn frame_size(input: &[u8]) -> io::Result<usize> {
    let cut_short = || broken("the lz4 frame is cut short");
    if !input.starts_with(&MAGIC) {
        return Err(broken("this is not an lz4 frame"));
    }
    let flags = *input.get(4).ok_or_else(cut_short)?;
    if flags & REQUIRED_MASK != REQUIRED {
        return Err(broken("only lz4 frames of version 1 with independent blocks and no dictionary are supported"));
    }
    let has = |flag: u8, size: usize| if flags & flag != 0 { size } else { 0 };
    let mut position = 7 + has(CONTENT_SIZE, 8);
    loop {
        let prefix = input.get(position..).and_then(|rest| rest.first_chunk()).ok_or_else(cut_short)?;
        position += 4;
        // The highest bit says that the block is not compressed.
        let length = u32::from_le_bytes(*prefix) & 0x7fff_ffff;
        if length == 0 {
            position += has(CONTENT_CHECKSUM, 4);
            return if position <= input.len() { Ok(position) } else { Err(cut_short()) };
        }
        position = position.saturating_add(length as usize).saturating_add(has(BLOCK_CHECKSUM, 4));
    }
}

/// One frame of independent 64 KiB blocks without checksums, as Kafka's producer writes it.
pub(super) fn encode<W: Write>(content: &mut dyn Read, output: W) -> io::Result<W> {
    let layout = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(layout, output);
    io::copy(content, &mut encoder)?;
    Ok(encoder.finish()?)
}
