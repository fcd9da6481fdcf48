//! The walk over a message: reads it by the table, refuses what cannot be, and tells a visitor what lies where.
//!
//! It allocates nothing but the path of the field that it refuses, and goes no deeper than the table does.

use std::ops::Range;

use super::reader::Reader;
use super::{Event, Field, Malformed, Message, Path, Type, Value, Visitor, Why, table};
use crate::config::limits;

/// The elements that all arrays and tag sections of one message may have together.
///
/// Elements are where memory grows: an empty string is one byte on the wire and up to 232 bytes decoded. This many of the
/// largest are 23 MB, and no client asks about as many partitions at once.
pub const MAX_ELEMENTS: usize = limits::MAX_REQUEST_ELEMENTS;

/// Strings end here, as in Kafka, also where a compact length could say more.
const MAX_STRING_BYTES: usize = i16::MAX as usize;

/// Says whether the body of a request, what follows its header, is safe to decode.
///
/// Bytes after the end of the request are not looked at: Kafka ignores them.
pub fn check_request(api_key: i16, version: i16, body: &[u8]) -> Result<(), Malformed> {
    let request = table().request(api_key).filter(|request| request.versions.contains(version));
    let request = request.ok_or_else(|| Malformed {
        position: 0,
        field: String::new(),
        why: Why::UnknownRequest { api_key, version },
    })?;
    walk(request, version, body, &mut ()).map(|_| ())
}

/// Walks one message at the start of `bytes`, and returns how many of them it takes.
pub fn walk(message: &Message, version: i16, bytes: &[u8], visitor: &mut dyn Visitor) -> Result<usize, Malformed> {
    let flexible = message.is_flexible(version);
    let mut walk = Walk { reader: Reader::new(bytes), version, flexible, element_count: 0, visitor };
    walk.structure(&message.fields, 0, &Path::message())?;
    Ok(walk.reader.position())
}

/// A walk under way.
struct Walk<'a, 'v> {
    reader: Reader<'a>,
    version: i16,
    flexible: bool,
    /// The elements of all arrays and tag sections so far.
    element_count: usize,
    visitor: &'v mut dyn Visitor,
}

impl<'a> Walk<'a, '_> {
    /// A struct, or the whole message: its fields, then its tag section. It begins at `start`, with its presence mark if any.
    fn structure(&mut self, fields: &[Field], start: usize, path: &Path<'_>) -> Result<(), Malformed> {
        self.tell(path, start, Event::StructStart);
        let version = self.version;
        for field in fields.iter().filter(|field| field.is_plain(version)) {
            self.field(field, &path.field(field.name))?;
        }
        if self.flexible {
            self.tag_section(fields, path)?;
        }
        self.tell(path, self.reader.position(), Event::StructEnd);
        Ok(())
    }

    fn field(&mut self, field: &Field, path: &Path<'_>) -> Result<(), Malformed> {
        if field.is_array {
            self.array(field, path)
        } else if field.kind == Type::Struct {
            self.nested(field, path)
        } else {
            self.value(field, self.is_nullable(field), path)
        }
    }

    fn array(&mut self, field: &Field, path: &Path<'_>) -> Result<(), Malformed> {
        let start = self.reader.position();
        let Some(count) = self.length(field, 4).map_err(|why| refusal(path, start, why))? else {
            return self.null(self.is_nullable(field), start, path);
        };
        self.reserve(count, smallest_element(field, self.version, self.flexible), start, path)?;
        self.tell(path, start, Event::ArrayStart(count));
        for index in 0..count {
            let path = path.element(index);
            if field.kind == Type::Struct {
                self.structure(&field.fields, self.reader.position(), &path)?;
            } else {
                self.value(field, false, &path)?;
            }
        }
        self.tell(path, self.reader.position(), Event::ArrayEnd);
        Ok(())
    }

    /// A struct that is a field. One that may be null has a mark before it: a byte, or in a tag section a varint.
    fn nested(&mut self, field: &Field, path: &Path<'_>) -> Result<(), Malformed> {
        let start = self.reader.position();
        if self.is_nullable(field) {
            let is_tagged = field.is_tagged(self.version);
            let mark = if is_tagged { self.reader.unsigned_varint().map(i64::from) } else { self.reader.integer(1) };
            // Kafka takes every other mark for one of these two; the decoder does not, and both must see the same message.
            match mark.map_err(|why| refusal(path, start, why))? {
                1 => {}
                -1 if !is_tagged => return self.null(true, start, path),
                0 if is_tagged => return self.null(true, start, path),
                mark => return Err(refusal(path, start, Why::Presence(mark))),
            }
        }
        self.structure(&field.fields, start, path)
    }

    /// A value without parts; for an array, one element.
    fn value(&mut self, field: &Field, may_be_null: bool, path: &Path<'_>) -> Result<(), Malformed> {
        let start = self.reader.position();
        match self.read(field).map_err(|why| refusal(path, start, why))? {
            Value::Null => self.null(may_be_null, start, path),
            value => {
                self.tell(path, start, Event::Value(value));
                Ok(())
            }
        }
    }

    fn read(&mut self, field: &Field) -> Result<Value<'a>, Why> {
        Ok(match field.kind {
            Type::Bool => Value::Bool(self.reader.integer(1)? != 0),
            Type::Int8 => Value::Integer(self.reader.integer(1)?),
            Type::Int16 => Value::Integer(self.reader.integer(2)?),
            Type::Uint16 => Value::Integer(self.reader.integer(2)? & 0xffff),
            Type::Int32 => Value::Integer(self.reader.integer(4)?),
            Type::Uint32 => Value::Integer(self.reader.integer(4)? & 0xffff_ffff),
            Type::Int64 => Value::Integer(self.reader.integer(8)?),
            Type::Float64 => Value::Float(f64::from_bits(self.reader.integer(8)?.cast_unsigned())),
            Type::Uuid => Value::Uuid(self.reader.bytes(16)?),
            Type::String => match self.length(field, 2)? {
                None => Value::Null,
                Some(size) if size > MAX_STRING_BYTES => return Err(Why::LongString(size as u64)),
                Some(size) => Value::String(self.reader.bytes(size)?),
            },
            Type::Bytes | Type::Records => match self.length(field, 4)? {
                None => Value::Null,
                Some(size) => Value::Bytes(self.reader.bytes(size)?),
            },
            Type::Struct => unreachable!("structs are walked by structure()"),
        })
    }

    /// The tagged fields of a struct: known ones are walked and must take just the bytes they say, others are passed over.
    fn tag_section(&mut self, fields: &[Field], path: &Path<'_>) -> Result<(), Malformed> {
        let section = path.tags();
        let start = self.reader.position();
        let count = self.reader.unsigned_varint().map_err(|why| refusal(&section, start, why))? as usize;
        self.reserve(count, SMALLEST_TAGGED_FIELD, start, &section)?;
        self.tell(&section, start, Event::TagsStart(count));
        for _ in 0..count {
            let start = self.reader.position();
            let (tag, size) = self.tag_and_size().map_err(|why| refusal(&section, start, why))?;
            let value_start = self.reader.position();
            match fields.iter().find(|field| field.tag.is_some_and(|(known, _)| known == tag)) {
                Some(field) if field.is_tagged(self.version) => {
                    let path = path.field(field.name);
                    self.tell(&path, start, Event::Tag(tag));
                    self.field(field, &path)?;
                    let used = self.reader.position() - value_start;
                    if used != size {
                        return Err(refusal(&path, start, Why::TagSize { declared: size, used }));
                    }
                }
                Some(_) => return Err(refusal(&section, start, Why::TagOfAnotherVersion(tag))),
                None => {
                    let path = path.unknown_tag(tag);
                    self.tell(&path, start, Event::Tag(tag));
                    let bytes = self.reader.bytes(size).map_err(|why| refusal(&path, value_start, why))?;
                    self.tell(&path, value_start, Event::Value(Value::Bytes(bytes)));
                }
            }
        }
        Ok(())
    }

    fn tag_and_size(&mut self) -> Result<(u32, usize), Why> {
        Ok((self.reader.unsigned_varint()?, self.reader.unsigned_varint()? as usize))
    }

    /// The length before a string, bytes or array: a varint of one more, or an integer of `size` bytes. None is null.
    fn length(&mut self, field: &Field, size: usize) -> Result<Option<usize>, Why> {
        if field.is_compact(self.version, self.flexible) {
            return Ok(self.reader.unsigned_varint()?.checked_sub(1).map(|length| length as usize));
        }
        match self.reader.integer(size)? {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| Why::NegativeLength(length)),
        }
    }

    /// Refuses more elements than the bytes that are left can hold, or than a message may have in all.
    fn reserve(&mut self, count: usize, smallest: usize, start: usize, path: &Path<'_>) -> Result<(), Malformed> {
        let left = self.reader.left();
        if count > left / smallest {
            return Err(refusal(path, start, Why::Crowded { count: count as u64, smallest, left }));
        }
        self.element_count += count;
        if self.element_count > MAX_ELEMENTS {
            return Err(refusal(path, start, Why::TooManyElements { limit: MAX_ELEMENTS }));
        }
        Ok(())
    }

    fn null(&mut self, is_allowed: bool, start: usize, path: &Path<'_>) -> Result<(), Malformed> {
        if !is_allowed {
            return Err(refusal(path, start, Why::Null));
        }
        self.tell(path, start, Event::Value(Value::Null));
        Ok(())
    }

    fn is_nullable(&self, field: &Field) -> bool {
        field.nullable.contains(self.version)
    }

    /// Tells the visitor what the bytes from `start` up to here are.
    fn tell(&mut self, path: &Path<'_>, start: usize, event: Event<'_>) {
        let span: Range<usize> = start..self.reader.position();
        self.visitor.visit(path, span, event);
    }
}

/// A tagged field takes at least a byte each for its tag and its size.
const SMALLEST_TAGGED_FIELD: usize = 2;

/// The bytes that an element of the array takes at least: never 0, so that a count is always backed by bytes.
fn smallest_element(field: &Field, version: i16, flexible: bool) -> usize {
    let size = match field.kind {
        Type::Struct => smallest_struct(&field.fields, version, flexible),
        _ => smallest_value(field, version, flexible),
    };
    size.max(1)
}

fn smallest_struct(fields: &[Field], version: i16, flexible: bool) -> usize {
    let plain = fields.iter().filter(|field| field.is_plain(version));
    let size: usize = plain.map(|field| smallest_field(field, version, flexible)).sum();
    size + usize::from(flexible)
}

fn smallest_field(field: &Field, version: i16, flexible: bool) -> usize {
    match (field.is_array, field.kind) {
        (true, _) => {
            if field.is_compact(version, flexible) {
                1
            } else {
                4
            }
        }
        (false, Type::Struct) if field.nullable.contains(version) => 1,
        (false, Type::Struct) => smallest_struct(&field.fields, version, flexible),
        (false, _) => smallest_value(field, version, flexible),
    }
}

fn smallest_value(field: &Field, version: i16, flexible: bool) -> usize {
    match field.kind.fixed_size() {
        Some(size) => size,
        None if field.is_compact(version, flexible) => 1,
        None if field.kind == Type::String => 2,
        None => 4,
    }
}

fn refusal(path: &Path<'_>, position: usize, why: Why) -> Malformed {
    Malformed { position, field: path.to_string(), why }
}
