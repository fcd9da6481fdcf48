//! What a walk tells those who watch it.

use std::ops::Range;

use super::Path;

/// Watches a walk. The spans of all calls, in order, cover what was walked without gap or overlap.
pub trait Visitor {
    /// The walk read the bytes of `span` at `path`, and this is what they are.
    fn visit(&mut self, path: &Path<'_>, span: Range<usize>, event: Event<'_>);
}

/// What a piece of a message is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// A value without parts, with the length before it if it has one.
    Value(Value<'a>),
    /// A struct begins; the span is its presence mark, or empty.
    StructStart,
    /// A struct ends, after its tag section; the span is empty.
    StructEnd,
    /// An array begins; the span is its count.
    ArrayStart(usize),
    /// An array ends; the span is empty.
    ArrayEnd,
    /// A tag section begins; the span is the number of its fields.
    TagsStart(usize),
    /// The tag and the size of the tagged field that comes next.
    Tag(u32),
}

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Null instead of a string, bytes, records, an array or a struct.
    Null,
    /// A bool.
    Bool(bool),
    /// Any of the integer types.
    Integer(i64),
    /// A float64.
    Float(f64),
    /// A UUID, most significant byte first.
    Uuid(&'a [u8]),
    /// The bytes of a string; the walk does not look whether they are UTF-8.
    String(&'a [u8]),
    /// Bytes, records, or the value of a tagged field that the table does not know.
    Bytes(&'a [u8]),
}

/// The visitor of those who only want to know whether the bytes are well formed.
impl Visitor for () {
    fn visit(&mut self, _: &Path<'_>, _: Range<usize>, _: Event<'_>) {}
}
