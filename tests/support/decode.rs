//! Any message as JSON, read by the table of Kafka's schemas, so that the answers of two brokers can be compared.

use std::ops::Range;

use anyhow::ensure;
use cutaway::schema::{Event, Message, Path, Value as Leaf, Visitor, walk};
use serde_json::{Map, Value, json};

/// The message in `bytes`, which must be neither shorter nor longer.
pub fn decode(message: &Message, version: i16, bytes: &[u8]) -> anyhow::Result<Value> {
    let mut builder = Builder { open: Vec::new(), done: Value::Null };
    let consumed = walk(message, version, bytes, &mut builder)?;
    ensure!(consumed == bytes.len(), "{} {version}: {} bytes are left over", message.name, bytes.len() - consumed);
    Ok(builder.done)
}

/// Builds the value from the inside out.
struct Builder {
    /// The structs and arrays around the present place, the innermost last.
    open: Vec<Value>,
    /// The last value that was completed outside of all others: in the end, the whole message.
    done: Value,
}

impl Builder {
    fn add(&mut self, path: &Path<'_>, value: Value) {
        match self.open.last_mut() {
            Some(Value::Object(fields)) => {
                let name = path.name().map_or_else(|| path.to_string(), str::to_owned);
                fields.insert(name, value);
            }
            Some(Value::Array(elements)) => elements.push(value),
            _ => self.done = value,
        }
    }

    fn close(&mut self, path: &Path<'_>) {
        let value = self.open.pop().expect("the walk ends only what it has begun");
        self.add(path, value);
    }
}

impl Visitor for Builder {
    fn visit(&mut self, path: &Path<'_>, _: Range<usize>, event: Event<'_>) {
        match event {
            Event::StructStart => self.open.push(Value::Object(Map::new())),
            Event::ArrayStart(_) => self.open.push(Value::Array(Vec::new())),
            Event::StructEnd | Event::ArrayEnd => self.close(path),
            Event::TagsStart(_) | Event::Tag(_) => {}
            Event::Value(leaf) => self.add(path, leaf_value(leaf)),
        }
    }
}

fn leaf_value(leaf: Leaf<'_>) -> Value {
    match leaf {
        Leaf::Null => Value::Null,
        Leaf::Bool(value) => json!(value),
        Leaf::Integer(value) => json!(value),
        Leaf::Float(value) => json!(value),
        Leaf::String(text) => json!(String::from_utf8_lossy(text)),
        Leaf::Uuid(bytes) | Leaf::Bytes(bytes) => json!(hex(bytes)),
    }
}

/// The bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
