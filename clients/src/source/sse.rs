//! Reads server-sent events out of the pieces in which they arrive, and never holds more than a limit of them.
//!
//! An event is a few lines and an empty one. `data:` lines make its text; the last `id:` goes with it; a line that begins
//! with a colon is a comment; lines end with LF, CRLF or CR. What stands after the last empty line is half an event: it is
//! thrown away with the connection, and comes again. The rules are those of the HTML standard, section 9.2.

use memchr::memchr2;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The newest id, of this event or one before.
    pub(super) id: Option<Box<str>>,
    /// Its text, which may be anything so far.
    pub(super) data: Vec<u8>,
}

/// What came out of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// A whole event.
    Frame(Frame),
    /// An event that was larger than the limit was skipped.
    TooLarge,
}

/// Holds what is there of the event that is arriving.
#[derive(Debug)]
pub(super) struct Decoder {
    max_bytes: usize,
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    id: Option<Box<str>>,
    /// The event is larger than the limit: everything up to its end is thrown away.
    is_skipping: bool,
    /// The last line ended with CR: an LF right after it belongs to that end.
    after_cr: bool,
    /// Nothing was read yet: a byte order mark may stand here.
    is_first_line: bool,
}

impl Decoder {
    /// For a new connection.
    pub(super) fn new(max_bytes: usize) -> Decoder {
        Decoder {
            max_bytes,
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            id: None,
            is_skipping: false,
            after_cr: false,
            is_first_line: true,
        }
    }

    /// Takes the next piece of the stream, and hands out the events that are whole now.
    pub(super) fn push(&mut self, mut piece: &[u8], out: &mut Vec<Decoded>) {
        while let Some(first) = piece.first() {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', piece) else {
                self.keep(piece);
                return;
            };
            self.after_cr = piece[end] == b'\r';
            if self.line.is_empty() {
                self.take_line(&piece[..end], out);
            } else {
                self.keep(&piece[..end]);
                let mut line = std::mem::take(&mut self.line);
                self.take_line(&line, out);
                line.clear();
                self.line = line;
            }
            piece = &piece[end + 1..];
        }
    }

    /// Keeps the beginning of a line. Of a line that is skipped one byte is enough: it is not an empty one.
    fn keep(&mut self, part: &[u8]) {
        if self.line.len() + self.data.len() + part.len() > self.max_bytes {
            self.skip();
        }
        let room = if self.is_skipping { 1usize.saturating_sub(self.line.len()) } else { part.len() };
        self.line.extend_from_slice(&part[..room.min(part.len())]);
    }

    fn skip(&mut self) {
        self.is_skipping = true;
        self.line = self.line.first().copied().into_iter().collect();
        self.data = Vec::new();
    }

    fn take_line(&mut self, line: &[u8], out: &mut Vec<Decoded>) {
        let line = match std::mem::take(&mut self.is_first_line) {
            true => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            false => line,
        };
        if line.is_empty() {
            return self.end_event(out);
        }
        if self.is_skipping {
            return;
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" if self.data.len() + value.len() > self.max_bytes => self.skip(),
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"id" if !value.contains(&0) => {
                // An id that is no text could never be sent back in a header.
                self.id = std::str::from_utf8(value).ok().map(Box::from);
            }
            // A comment, the event's name (there is one kind only), a wish for another delay, or nothing we know.
            _ => {}
        }
    }

    fn end_event(&mut self, out: &mut Vec<Decoded>) {
        let data = std::mem::take(&mut self.data);
        let had_data = std::mem::take(&mut self.has_data);
        if std::mem::take(&mut self.is_skipping) {
            out.push(Decoded::TooLarge);
        } else if had_data {
            out.push(Decoded::Frame(Frame { id: self.id.clone(), data }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]], max_bytes: usize) -> Vec<Decoded> {
        let (mut decoder, mut out) = (Decoder::new(max_bytes), Vec::new());
        pieces.iter().for_each(|piece| decoder.push(piece, &mut out));
        out
    }

    fn frame(id: Option<&str>, data: &str) -> Decoded {
        Decoded::Frame(Frame { id: id.map(Box::from), data: data.as_bytes().to_vec() })
    }

    const STREAM: &str =
        ":ok\n\nevent: message\nid: [1]\ndata: {\"a\":1}\n\ndata:b\r\ndata: c\r\n\r\nid\rdata: d\r\rdata: half";

    fn expected() -> Vec<Decoded> {
        vec![frame(Some("[1]"), "{\"a\":1}"), frame(Some("[1]"), "b\nc"), frame(Some(""), "d")]
    }

    #[test]
    fn every_kind_of_line_is_understood_and_half_an_event_is_not_one() {
        assert_eq!(decode(&[STREAM.as_bytes()], 1000), expected());
    }

    #[test]
    fn it_does_not_matter_where_the_pieces_end() {
        let bytes = STREAM.as_bytes();
        for size in 1..bytes.len() {
            let pieces: Vec<_> = bytes.chunks(size).collect();
            assert_eq!(decode(&pieces, 1000), expected(), "pieces of {size}");
        }
    }

    #[test]
    fn a_byte_order_mark_and_unknown_fields_are_ignored() {
        assert_eq!(decode(&[b"\xef\xbb\xbfdata: x\nretry: 5\nfoo\n\n"], 100), [frame(None, "x")]);
    }

    #[test]
    fn what_is_too_large_is_skipped_whole_and_the_next_event_is_read() {
        let large = "y".repeat(100);
        let text = format!("data: {large}\ndata: more\n\ndata: x\n\n");
        for size in [1, 7, 64, text.len()] {
            let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
            assert_eq!(decode(&pieces, 50), [Decoded::TooLarge, frame(None, "x")], "pieces of {size}");
        }
    }

    #[test]
    fn no_more_is_held_than_the_limit() {
        let (mut decoder, mut out) = (Decoder::new(1000), Vec::new());
        decoder.push(b"data: ", &mut out);
        for _ in 0..10_000 {
            decoder.push(&[b'x'; 100], &mut out);
            assert!(decoder.line.capacity() + decoder.data.capacity() <= 2 * 1000 + 100);
        }
        for _ in 0..10_000 {
            decoder.push(b"\ndata: many lines", &mut out);
        }
        assert!(decoder.line.capacity() + decoder.data.capacity() <= 2 * 1000 + 100);
        decoder.push(b"\n\n", &mut out);
        assert_eq!(out, [Decoded::TooLarge]);
    }
}
