//! The table of Kafka's messages: what each consists of, version by version, and how the text form is read.
//!
//! It holds what a walk needs. The text says more (defaults, map keys, what a string names); nobody asks for that yet, so it
//! is passed over.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::LazyLock;

/// Every request, response and internal record of one version of Kafka.
#[derive(Debug)]
pub struct Table {
    requests: BTreeMap<i16, Message>,
    responses: BTreeMap<i16, Message>,
    others: BTreeMap<&'static str, Message>,
}

/// A request, a response, a header, or the key or value of an internal record.
#[derive(Debug)]
pub struct Message {
    /// Kafka's name, such as `FetchRequest` or `OffsetCommitValue`.
    pub name: &'static str,
    /// The versions that Kafka knows.
    pub versions: Versions,
    /// The versions with compact lengths and tag sections.
    pub flexible: Versions,
    /// The fields in the order in which they are written.
    pub fields: Vec<Field>,
}

/// One field of a message, or of a struct inside one.
#[derive(Debug)]
pub struct Field {
    /// The name as Kafka's own tools print it, such as `topicId`.
    pub name: &'static str,
    /// The type of the value, or of each element.
    pub kind: Type,
    /// Whether it is an array of `kind`.
    pub is_array: bool,
    /// The versions that have the field.
    pub versions: Versions,
    /// The versions in which it may be null.
    pub nullable: Versions,
    /// Its tag, and the versions in which it stands in the tag section instead of among the other fields.
    pub tag: Option<(u32, Versions)>,
    /// The versions with compact lengths, where they differ from the message's.
    pub flexible: Option<Versions>,
    /// What a struct, or each struct of an array, consists of.
    pub fields: Vec<Field>,
}

/// The types that Kafka's messages are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// One byte, 0 or 1.
    Bool,
    /// One byte.
    Int8,
    /// Two bytes.
    Int16,
    /// Two bytes, never negative.
    Uint16,
    /// Four bytes.
    Int32,
    /// Four bytes, never negative.
    Uint32,
    /// Eight bytes.
    Int64,
    /// Eight bytes.
    Float64,
    /// Sixteen bytes.
    Uuid,
    /// A length and UTF-8 text.
    String,
    /// A length and bytes.
    Bytes,
    /// A length and record batches, which the walk does not look into.
    Records,
    /// Fields of its own.
    Struct,
}

/// A range of versions, both ends included; empty when the lowest is above the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The first version.
    pub lowest: i16,
    /// The last version.
    pub highest: i16,
}

/// The table of Kafka 4.3.1, parsed on first use.
pub fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("kafka-4.3.1.schema")));
    &TABLE
}

impl Table {
    /// The request with this API key.
    pub fn request(&self, api_key: i16) -> Option<&Message> {
        self.requests.get(&api_key)
    }

    /// The response to the request with this API key.
    pub fn response(&self, api_key: i16) -> Option<&Message> {
        self.responses.get(&api_key)
    }

    /// A header or record by Kafka's name for it, such as `OffsetCommitValue`.
    pub fn record(&self, name: &str) -> Option<&Message> {
        self.others.get(name)
    }

    /// Every API key that Kafka has a request for, ascending.
    pub fn api_keys(&self) -> impl Iterator<Item = i16> {
        self.requests.keys().copied()
    }

    /// Reads the text form. Panics on anything it does not know: the text is generated, and compiled in.
    fn parse(text: &'static str) -> Table {
        let mut table = Table { requests: BTreeMap::new(), responses: BTreeMap::new(), others: BTreeMap::new() };
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
        while let Some(line) = lines.next() {
            let mut words = line.split(' ');
            let (kind, name, versions) = (next(&mut words), next(&mut words), Versions::parse(next(&mut words)));
            let (mut flexible, mut api_key) = (Versions::NONE, None);
            for word in words {
                match word.split_once('=') {
                    Some(("flexible", versions)) => flexible = Versions::parse(versions),
                    Some(("api", key)) => api_key = Some(number(key)),
                    _ => {}
                }
            }
            let message = Message { name, versions, flexible, fields: parse_fields(&mut lines, 1) };
            match (kind, api_key) {
                ("request", Some(api_key)) => table.requests.insert(api_key, message),
                ("response", Some(api_key)) => table.responses.insert(api_key, message),
                _ => table.others.insert(name, message),
            };
        }
        table
    }
}

impl Message {
    /// Whether this version has compact lengths and tag sections.
    pub fn is_flexible(&self, version: i16) -> bool {
        self.flexible.contains(version)
    }
}

impl Field {
    /// Whether this version writes the field among the others, in order.
    pub fn is_plain(&self, version: i16) -> bool {
        self.versions.contains(version) && !self.is_tagged(version)
    }

    /// Whether this version writes the field into the tag section.
    pub fn is_tagged(&self, version: i16) -> bool {
        self.tag.is_some_and(|(_, versions)| versions.contains(version))
    }

    /// Whether the lengths in this field are varints, in a message that is flexible or not in this version.
    pub fn is_compact(&self, version: i16, message_is_flexible: bool) -> bool {
        self.flexible.map_or(message_is_flexible, |versions| versions.contains(version))
    }

    /// Reads one line of the text form; the fields of a struct are read by the caller.
    fn parse(line: &'static str) -> Field {
        let mut words = line.split(' ');
        let (name, type_name, versions) = (next(&mut words), next(&mut words), Versions::parse(next(&mut words)));
        let is_array = type_name.starts_with("[]");
        let kind = Type::parse(type_name.trim_start_matches("[]"));
        let mut field = Field {
            name,
            kind,
            is_array,
            versions,
            nullable: Versions::NONE,
            tag: None,
            flexible: None,
            fields: vec![],
        };
        for word in words {
            match word.split_once('=') {
                Some(("null", versions)) => field.nullable = Versions::parse(versions),
                Some(("flexible", versions)) => field.flexible = Some(Versions::parse(versions)),
                Some(("tag", tag)) => {
                    let (tag, versions) = tag.split_once(':').expect("a tag has its versions after a colon");
                    field.tag = Some((number(tag), Versions::parse(versions)));
                }
                _ => {}
            }
        }
        field
    }
}

impl Type {
    /// The bytes that every value of the type takes, or None for types with a length.
    pub fn fixed_size(self) -> Option<usize> {
        match self {
            Type::Bool | Type::Int8 => Some(1),
            Type::Int16 | Type::Uint16 => Some(2),
            Type::Int32 | Type::Uint32 => Some(4),
            Type::Int64 | Type::Float64 => Some(8),
            Type::Uuid => Some(16),
            Type::String | Type::Bytes | Type::Records | Type::Struct => None,
        }
    }

    fn parse(name: &str) -> Type {
        match name {
            "bool" => Type::Bool,
            "int8" => Type::Int8,
            "int16" => Type::Int16,
            "uint16" => Type::Uint16,
            "int32" => Type::Int32,
            "uint32" => Type::Uint32,
            "int64" => Type::Int64,
            "float64" => Type::Float64,
            "uuid" => Type::Uuid,
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "records" => Type::Records,
            _ => {
                assert!(
                    name.starts_with(|first: char| first.is_ascii_uppercase()),
                    "no type of Kafka's is called {name}"
                );
                Type::Struct
            }
        }
    }
}

impl Versions {
    /// No version at all.
    pub const NONE: Versions = Versions { lowest: 0, highest: -1 };

    /// Whether the version lies in the range.
    pub fn contains(self, version: i16) -> bool {
        self.lowest <= version && version <= self.highest
    }

    fn parse(text: &str) -> Versions {
        if text == "none" {
            return Versions::NONE;
        }
        if let Some(lowest) = text.strip_suffix('+') {
            return Versions { lowest: number(lowest), highest: i16::MAX };
        }
        let (lowest, highest) = text.split_once('-').unwrap_or((text, text));
        Versions { lowest: number(lowest), highest: number(highest) }
    }
}

/// Reads the fields at this depth, each with those below it, and stops at the first line that is less deep.
fn parse_fields(lines: &mut Peekable<impl Iterator<Item = &'static str>>, depth: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    while let Some(line) = lines.next_if(|line| line.len() - line.trim_start().len() == 2 * depth) {
        let mut field = Field::parse(line.trim_start());
        field.fields = parse_fields(lines, depth + 1);
        fields.push(field);
    }
    fields
}

fn next(words: &mut impl Iterator<Item = &'static str>) -> &'static str {
    words.next().expect("a line opens with three words")
}

fn number<N: std::str::FromStr>(text: &str) -> N {
    text.parse().ok().expect("numbers in the table are numbers")
}

#[cfg(test)]
mod tests {
    use super::super::fill::{Filling, fill};
    use super::super::walk;
    use super::*;

    #[test]
    fn the_whole_text_is_in_the_table() {
        let text = include_str!("kafka-4.3.1.schema");
        let fields_in_text = text.lines().filter(|line| line.starts_with("  ")).count();
        let table = table();
        let messages = || table.requests.values().chain(table.responses.values()).chain(table.others.values());
        let messages_in_text =
            text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase())).count();
        assert_eq!(messages().count(), messages_in_text, "two messages share a name or a key");
        assert_eq!(messages().map(|message| count(&message.fields)).sum::<usize>(), fields_in_text);
    }

    fn count(fields: &[Field]) -> usize {
        fields.iter().map(|field| 1 + count(&field.fields)).sum()
    }

    #[test]
    fn every_message_of_every_kind_is_walked_to_its_last_byte() {
        let table = table();
        for message in table.requests.values().chain(table.responses.values()).chain(table.others.values()) {
            for version in message.versions.lowest..=message.versions.highest {
                for filling in Filling::ALL {
                    let bytes = fill(message, version, filling);
                    let walked = walk(message, version, &bytes, &mut ());
                    assert_eq!(walked, Ok(bytes.len()), "{} {version} {filling:?}", message.name);
                }
            }
        }
    }

    #[test]
    fn a_request_says_what_its_line_says() {
        let fetch = table().request(1).unwrap();
        assert_eq!(fetch.name, "FetchRequest");
        assert_eq!(fetch.versions, Versions { lowest: 4, highest: 18 });
        assert!(!fetch.is_flexible(11) && fetch.is_flexible(12));
        let cluster_id = &fetch.fields[0];
        assert_eq!((cluster_id.name, cluster_id.kind, cluster_id.is_array), ("clusterId", Type::String, false));
        assert!(cluster_id.is_tagged(12) && !cluster_id.is_plain(12) && !cluster_id.is_plain(4));
        assert!(cluster_id.nullable.contains(12));
        let topics = fetch.fields.iter().find(|field| field.name == "topics").unwrap();
        assert!(topics.is_array && topics.kind == Type::Struct);
        assert_eq!(topics.fields[2].name, "partitions");
    }

    #[test]
    fn versions_are_read_in_every_form() {
        assert_eq!(Versions::parse("none"), Versions::NONE);
        assert_eq!(Versions::parse("3"), Versions { lowest: 3, highest: 3 });
        assert_eq!(Versions::parse("3-13"), Versions { lowest: 3, highest: 13 });
        assert_eq!(Versions::parse("3+"), Versions { lowest: 3, highest: i16::MAX });
        assert!(!Versions::NONE.contains(0) && !Versions::NONE.contains(-1));
    }

    #[test]
    fn only_a_struct_has_fields() {
        fn check(fields: &[Field]) {
            for field in fields {
                assert!(field.kind == Type::Struct || field.fields.is_empty(), "{}", field.name);
                check(&field.fields);
            }
        }
        table().requests.values().chain(table().responses.values()).for_each(|message| check(&message.fields));
    }
}
