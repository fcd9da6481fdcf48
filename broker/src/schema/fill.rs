//! Writes messages by the table, for the tests: the walk's mirror image, with values that differ from the defaults.

use super::{Field, Message, Type};

/// How much of a message is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    /// Arrays and strings are empty, and no tagged field is there.
    Empty,
    /// Whatever may be null is null, and arrays that may not have one element.
    Null,
    /// The outermost arrays have two elements, and these are as small as can be.
    Least,
    /// Arrays have two elements, every tagged field is there, and one that nobody knows.
    Full,
}

impl Filling {
    pub(super) const ALL: [Filling; 4] = [Filling::Empty, Filling::Null, Filling::Least, Filling::Full];
}

/// The tag of the field that nobody knows, and its value.
const UNKNOWN_TAG: (u32, &[u8]) = (9999, b"later");

/// The body of the message.
pub(super) fn fill(message: &Message, version: i16, filling: Filling) -> Vec<u8> {
    let mut writer = Writer {
        bytes: Vec::new(),
        version,
        flexible: message.is_flexible(version),
        filling,
        last_number: 0,
        depth: 0,
    };
    writer.structure(&message.fields);
    writer.bytes
}

struct Writer {
    bytes: Vec<u8>,
    version: i16,
    flexible: bool,
    filling: Filling,
    last_number: u8,
    /// The arrays around the present place.
    depth: usize,
}

impl Writer {
    fn structure(&mut self, fields: &[Field]) {
        let version = self.version;
        fields.iter().filter(|field| field.is_plain(version)).for_each(|field| self.field(field));
        if self.flexible {
            self.tag_section(fields);
        }
    }

    fn tag_section(&mut self, fields: &[Field]) {
        if self.filling != Filling::Full {
            return self.varint(0);
        }
        let version = self.version;
        let mut tagged: Vec<_> = fields.iter().filter(|field| field.is_tagged(version)).collect();
        tagged.sort_by_key(|field| field.tag.map(|(tag, _)| tag));
        self.varint(tagged.len() as u32 + 1);
        for field in tagged {
            let before = std::mem::take(&mut self.bytes);
            self.field(field);
            let value = std::mem::replace(&mut self.bytes, before);
            self.tagged(field.tag.expect("tagged fields have a tag").0, &value);
        }
        self.tagged(UNKNOWN_TAG.0, UNKNOWN_TAG.1);
    }

    fn tagged(&mut self, tag: u32, value: &[u8]) {
        self.varint(tag);
        self.varint(value.len() as u32);
        self.bytes.extend(value);
    }

    fn field(&mut self, field: &Field) {
        let may_be_null = field.nullable.contains(self.version);
        let is_null =
            may_be_null && (self.filling == Filling::Null || self.filling == Filling::Least && self.depth > 0);
        if field.is_array {
            let count = match self.filling {
                Filling::Empty => 0,
                Filling::Least => 2 * usize::from(self.depth == 0),
                Filling::Null => 1,
                Filling::Full => 2,
            };
            self.length((!is_null).then_some(count), 4, field);
            self.depth += 1;
            (0..if is_null { 0 } else { count }).for_each(|_| self.value(field, false));
            self.depth -= 1;
        } else if field.kind == Type::Struct && may_be_null {
            match (is_null, field.is_tagged(self.version)) {
                (true, true) => self.varint(0),
                (true, false) => self.bytes.push(0xff),
                (false, _) => self.bytes.push(1),
            }
            if !is_null {
                self.structure(&field.fields);
            }
        } else {
            self.value(field, is_null);
        }
    }

    fn value(&mut self, field: &Field, is_null: bool) {
        match (field.kind, field.kind.fixed_size()) {
            (Type::Struct, _) => self.structure(&field.fields),
            (Type::Bool, _) => self.bytes.push(u8::from(self.filling == Filling::Full)),
            (_, Some(size)) => {
                self.last_number = if self.filling == Filling::Empty { 0 } else { self.last_number % 100 + 1 };
                self.bytes.extend(vec![0; size - 1]);
                self.bytes.push(self.last_number);
            }
            (kind, None) => {
                let content: &[u8] = if self.filling == Filling::Full { b"text" } else { b"" };
                self.length((!is_null).then_some(content.len()), if kind == Type::String { 2 } else { 4 }, field);
                self.bytes.extend(if is_null { b"" } else { content });
            }
        }
    }

    fn length(&mut self, length: Option<usize>, size: usize, field: &Field) {
        if field.is_compact(self.version, self.flexible) {
            return self.varint(length.map_or(0, |length| length as u32 + 1));
        }
        let length = length.map_or(-1, |length| length as i64);
        self.bytes.extend(&length.to_be_bytes()[8 - size..]);
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}
