//! Batches in the codec that their topic asks for. This is the only place where records that a client sent are written
//! anew; where the topic leaves the choice to the producer, as most do, the client's own bytes are kept.

use std::io::{self, Write};

use super::header::COMPRESSION_MASK;
use super::{BatchHeader, Compression, RecordBatch};
use crate::config::{CompressionType, TopicConfig};
use crate::storage::Refusal;
use crate::storage::compression::{Decoder, refusal_of};

/// The codec and the level of a topic's batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// `compression.type`.
    pub compression: Compression,
    /// The level of that codec; `None` for its own default.
    pub level: Option<i32>,
}

impl Target {
    /// What a topic asks for; `None` where the producer has the choice.
    pub fn of(topic: &TopicConfig) -> Option<Target> {
        let (compression, level) = match topic.compression_type {
            CompressionType::Producer => return None,
            CompressionType::Uncompressed => (Compression::None, None),
            CompressionType::Gzip => (Compression::Gzip, Some(topic.compression_gzip_level).filter(|level| *level > 0)),
            CompressionType::Snappy => (Compression::Snappy, None),
            CompressionType::Lz4 => (Compression::Lz4, Some(topic.compression_lz4_level)),
            CompressionType::Zstd => (Compression::Zstd, Some(topic.compression_zstd_level)),
        };
        Some(Target { compression, level })
    }
}

impl RecordBatch {
    /// The same records in another codec. As in Kafka, what comes of it may be too large though what was sent was not.
    /// Of what is too large nothing is kept, so that a small batch cannot take much memory.
    pub(super) fn recompressed(
        &self,
        target: Target,
        max_message_bytes: i32,
        max_decompressed_bytes: usize,
    ) -> Result<RecordBatch, Refusal> {
        let codec = self.header.compression().unwrap_or(Compression::None);
        let records = self.bytes.slice(BatchHeader::SIZE..);
        let limit = usize::try_from(max_message_bytes).unwrap_or(0);
        let output = Limited { bytes: Vec::new(), size: BatchHeader::SIZE, limit };
        let output = Decoder::new(codec, records, max_decompressed_bytes)
            .and_then(|mut content| target.compression.encode(&mut content, target.level, output))
            .map_err(refusal_of)?;
        if output.size > limit {
            return Err(Refusal::TooLarge(format!(
                "the batch has {} bytes in the codec of the topic, {}, which exceeds max.message.bytes, {limit}",
                output.size,
                target.compression.name()
            )));
        }
        let mut header = self.header;
        header.attributes = header.attributes & !COMPRESSION_MASK | target.compression.id();
        Ok(RecordBatch::seal(header, &output.bytes))
    }
}

/// Counts all that is written, and keeps it while it is below a limit.
struct Limited {
    bytes: Vec<u8>,
    size: usize,
    limit: usize,
}

impl Write for Limited {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        self.size += written.len();
        if self.size <= self.limit {
            self.bytes.extend_from_slice(written);
        } else {
            self.bytes = Vec::new();
        }
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
