//! The records of one batch, read one after another.
//!
//! [`records`] gives whole records, [`timestamps`] only where and when; both decompress as they go and stop at the
//! first damage. Whether a batch may be appended is decided elsewhere, in [`crate::storage::batch`].

mod layout;
mod varint;

use std::io::{self, BufReader, Read};

use bytes::buf::Reader;
use bytes::{Buf, Bytes};

use super::Refusal;
use super::batch::BatchHeader;
use super::compression::{Compression, Decoder, refusal_of};
use crate::clock::TimestampMs;

pub(super) use layout::{RecordOutline, write};

/// How much decompressed content is held at a time.
const WINDOW_SIZE: usize = 64 * 1024;

/// One record. Null and empty keys, and null and empty values, are different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The number of the record in its partition.
    pub offset: i64,
    /// The producer's time, or the time of the append when the batch says so.
    pub timestamp: TimestampMs,
    /// What the record is about.
    pub key: Option<Bytes>,
    /// What it says; null is a tombstone in a compacted topic.
    pub value: Option<Bytes>,
    /// In the producer's order; keys may repeat.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// The records of one whole batch.
///
/// Keys and values are slices of `batch`, or of one allocation per record where the batch is compressed. At most
/// `max_decompressed_bytes` are decompressed. After an error nothing more comes.
pub fn records(batch: Bytes, max_decompressed_bytes: usize) -> Records {
    Records { stream: RecordStream::open(batch, max_decompressed_bytes) }
}

/// The offset and timestamp of each record of one whole batch; keys and values are skipped, not collected.
pub fn timestamps(batch: Bytes, max_decompressed_bytes: usize) -> Timestamps {
    Timestamps { stream: RecordStream::open(batch, max_decompressed_bytes) }
}

/// See [`records`].
pub struct Records {
    stream: RecordStream,
}

impl Iterator for Records {
    type Item = Result<Record, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let body = self.stream.next_with(|source| layout::parse(&source.body()?))?;
        let header = &self.stream.header;
        Some(body.map(|body| Record {
            offset: header.offset_at(body.offset_delta),
            timestamp: header.timestamp_at(body.timestamp_delta),
            key: body.key,
            value: body.value,
            headers: body.headers,
        }))
    }
}

/// See [`timestamps`].
pub struct Timestamps {
    stream: RecordStream,
}

impl Iterator for Timestamps {
    type Item = Result<(i64, TimestampMs), Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let outline = self.stream.next_with(Source::outline)?;
        let header = &self.stream.header;
        Some(outline.map(|it| (header.offset_at(it.offset_delta), header.timestamp_at(it.timestamp_delta))))
    }
}

/// As many records as the header counts, then proof that nothing follows them.
pub(super) struct RecordStream {
    header: BatchHeader,
    left: i32,
    source: Result<Source, Refusal>,
}

impl RecordStream {
    pub(super) fn open(batch: Bytes, max_decompressed_bytes: usize) -> RecordStream {
        match BatchHeader::split(&batch) {
            Ok((header, records)) => {
                // One turn even for a bad count or codec, so that the error is seen.
                let source = Source::open(&header, records, max_decompressed_bytes);
                let left = if source.is_err() { 1 } else { header.records_count };
                RecordStream { header, left, source }
            }
            Err(refusal) => {
                RecordStream { header: BatchHeader::parse(&[0; BatchHeader::SIZE]), left: 1, source: Err(refusal) }
            }
        }
    }

    /// Steps over all records that are left; the kind of source is asked for once and not at each record, because a
    /// gigabyte of small records passes here ten million at a time.
    pub(super) fn for_each_outline(
        self,
        visit: impl FnMut(RecordOutline) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        match self.source? {
            Source::Plain(reader) => layout::outline_all(&reader.into_inner()[..], self.left, visit),
            Source::Decoded(reader) => layout::outline_all(reader, self.left, visit),
        }
        .map_err(refusal_of)
    }

    fn next_with<T>(&mut self, read: impl FnOnce(&mut Source) -> io::Result<T>) -> Option<Result<T, Refusal>> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        let source = match &mut self.source {
            Ok(source) => source,
            Err(refusal) => return Some(Err(refusal.clone())),
        };
        let item = read(source).and_then(|item| match self.left {
            0 => source.expect_end().map(|()| item),
            _ => Ok(item),
        });
        Some(item.map_err(|error| {
            self.left = 0;
            refusal_of(error)
        }))
    }
}

/// The records' bytes, decompressed where need be.
enum Source {
    Plain(Reader<Bytes>),
    Decoded(Box<BufReader<Decoder>>),
}

impl Source {
    fn open(header: &BatchHeader, records: Bytes, max_decompressed_bytes: usize) -> Result<Source, Refusal> {
        if header.records_count < 0 {
            return Err(Refusal::invalid(format!("the batch counts {} records", header.records_count)));
        }
        match header.compression() {
            None => Err(Refusal::Undecodable(format!("Unknown compression type id: {}", header.attributes & 7))),
            Some(Compression::None) => Ok(Source::Plain(records.reader())),
            Some(compression) => {
                let decoder = Decoder::new(compression, records, max_decompressed_bytes).map_err(refusal_of)?;
                Ok(Source::Decoded(Box::new(BufReader::with_capacity(WINDOW_SIZE, decoder))))
            }
        }
    }

    fn outline(&mut self) -> io::Result<RecordOutline> {
        match self {
            Source::Plain(reader) => layout::outline(reader),
            Source::Decoded(reader) => layout::outline(reader),
        }
    }

    /// The bytes of the next record, without the length in front.
    fn body(&mut self) -> io::Result<Bytes> {
        match self {
            Source::Plain(reader) => {
                let length = layout::read_length(reader)?;
                let rest = reader.get_mut();
                if length > rest.len() {
                    return Err(varint::ends_early());
                }
                Ok(rest.split_to(length))
            }
            Source::Decoded(reader) => {
                let length = layout::read_length(reader)?;
                // The buffer grows with what arrives: the length may lie.
                let mut body = Vec::new();
                reader.take(length as u64).read_to_end(&mut body)?;
                if body.len() < length {
                    return Err(varint::ends_early());
                }
                Ok(body.into())
            }
        }
    }

    fn expect_end(&mut self) -> io::Result<()> {
        match self {
            Source::Plain(reader) => layout::expect_end(reader),
            Source::Decoded(reader) => layout::expect_end(reader),
        }
    }
}

/// INVALID_RECORD as an I/O error, see [`refusal_of`].
#[cold]
fn malformed(what: &str) -> io::Error {
    io::Error::other(Refusal::invalid(what))
}

#[cfg(test)]
mod tests;
