//! Which bytes of a message are which field: the ground of every view that shows bytes beside their meaning.

use std::ops::Range;

use super::{Event, Malformed, Message, Path, Visitor, walk};

/// A run of bytes that are one thing: a value with the length before it, a count, or a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The path of the field, such as `topics[0].name`.
    pub path: String,
    /// What the bytes are: `value`, `count`, `tag` or `presence`.
    pub role: &'static str,
    /// The bytes, counted from the start of the message.
    pub bytes: Range<usize>,
}

/// The spans of one message at the start of `bytes`, in order, without gap or overlap.
pub fn spans(message: &Message, version: i16, bytes: &[u8]) -> Result<Vec<Span>, Malformed> {
    let mut collector = Collector { spans: Vec::new() };
    walk(message, version, bytes, &mut collector)?;
    Ok(collector.spans)
}

/// Keeps what a walk tells, but for the events that stand for no bytes.
struct Collector {
    spans: Vec<Span>,
}

impl Visitor for Collector {
    fn visit(&mut self, path: &Path<'_>, span: Range<usize>, event: Event<'_>) {
        let role = match event {
            Event::Value(_) => "value",
            Event::StructStart | Event::StructEnd => "presence",
            Event::ArrayStart(_) | Event::ArrayEnd | Event::TagsStart(_) => "count",
            Event::Tag(_) => "tag",
        };
        if !span.is_empty() {
            self.spans.push(Span { path: path.to_string(), role, bytes: span });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    #[test]
    fn a_metadata_request_is_laid_out_byte_by_byte() {
        // One topic by name in version 12: topic id, name "t1", tags; then two flags and the tags of the request.
        let body = b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03t1\0\x01\0\0";
        let spans = spans(table().request(3).unwrap(), 12, body).unwrap();
        let lines: Vec<String> =
            spans.iter().map(|span| format!("{:?} {} {}", span.bytes, span.role, span.path)).collect();
        assert_eq!(
            lines,
            [
                "0..1 count topics",
                "1..17 value topics[0].topicId",
                "17..20 value topics[0].name",
                "20..21 count topics[0].tags",
                "21..22 value allowAutoTopicCreation",
                "22..23 value includeTopicAuthorizedOperations",
                "23..24 count tags",
            ]
        );
    }
}
