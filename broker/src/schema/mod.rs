//! Kafka's message schemas as one table, and one walker over them.
//!
//! Bytes from a client pass through here before anything decodes them. [`check_header`] reads who asks for what;
//! [`check_request`] then walks the body and refuses what would cost more than it weighs: the decoder reserves memory by the
//! array counts that it reads, so a body of six bytes could ask for 154 GB. After the walk every count is known to be backed
//! by bytes, and no request has more than [`MAX_ELEMENTS`] elements, which bounds what its decoded form can take.
//!
//! The table ([`table`]) is `kafka-4.3.1.schema` beside this file: a page of text that a person can search, generated from
//! the JSON in Kafka's jars by `tests/kafka/schema`. It is parsed once, on first use. The same walk ([`walk`]) tells a
//! [`Visitor`] what lies where; [`spans`] collects that, so that any request, response or internal record can be shown byte
//! by byte.
//!
//! It is not the decoder (that is the crate `kafka-protocol`), and it knows neither sockets nor files.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod fill;
mod header;
mod malformed;
mod path;
mod reader;
#[cfg(test)]
mod refusals;
mod spans;
mod table;
mod visitor;
mod walk;

pub use header::{RequestHeader, check_header};
pub use malformed::{Malformed, Why};
pub use path::Path;
pub use spans::{Span, spans};
pub use table::{Field, Message, Table, Type, Versions, table};
pub use visitor::{Event, Value, Visitor};
pub use walk::{MAX_ELEMENTS, check_request, walk};
