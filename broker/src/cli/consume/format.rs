//! How records are printed: plainly, by a format as in kcat, or as JSON in kcat's shape.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cutaway::storage::record::Record;
use serde::Serialize;

use super::options::ConsumeOptions;
use crate::cli::escapes::unescape;

/// A format as in kcat's `-f`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Token(char),
}

/// What can stand behind `%`.
const TOKENS: &str = "sSRkKThtpo";

/// Where a record was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) broker: i32,
    /// Its timestamp is the time of the append.
    pub(super) is_append_time: bool,
}

impl Format {
    /// Reads a format.
    pub(crate) fn parse(text: &str) -> Result<Format, String> {
        let mut pieces = Vec::new();
        let mut parts = text.split('%');
        let literal = |text: &str| -> Result<Piece, String> { Ok(Piece::Text(unescape(text)?)) };
        pieces.push(literal(parts.next().unwrap_or_default())?);
        while let Some(part) = parts.next() {
            let mut rest = part.chars();
            match rest.next() {
                Some(token) if TOKENS.contains(token) => {
                    pieces.push(Piece::Token(token));
                    pieces.push(literal(rest.as_str())?);
                }
                // `%%` was split into an empty part and what follows it.
                None => match parts.next() {
                    Some(after) => pieces.push(literal(&format!("%{after}"))?),
                    None => return Err("a % at the end stands for nothing; write %% for one".into()),
                },
                Some(other) => {
                    return Err(format!("there is no %{other}; there are %s %S %R %k %K %T %h %t %p %o and %%"));
                }
            }
        }
        Ok(Format(pieces))
    }

    fn write(&self, out: &mut impl Write, place: Place<'_>, record: &Record, null: &[u8]) -> io::Result<()> {
        let or_null = |bytes: &Option<bytes::Bytes>| bytes.clone().unwrap_or_else(|| null.to_vec().into());
        let length = |bytes: &Option<bytes::Bytes>| {
            bytes.as_ref().map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX))
        };
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.write_all(text)?,
                Piece::Token('s') => out.write_all(&or_null(&record.value))?,
                Piece::Token('k') => out.write_all(&or_null(&record.key))?,
                Piece::Token('S') => write!(out, "{}", length(&record.value))?,
                Piece::Token('K') => write!(out, "{}", length(&record.key))?,
                Piece::Token('R') => out.write_all(&length(&record.value).to_be_bytes())?,
                Piece::Token('T') => write!(out, "{}", record.timestamp)?,
                Piece::Token('t') => out.write_all(place.topic.as_bytes())?,
                Piece::Token('p') => write!(out, "{}", place.partition)?,
                Piece::Token('o') => write!(out, "{}", record.offset)?,
                Piece::Token(_) => {
                    for (index, (name, value)) in record.headers.iter().enumerate() {
                        out.write_all(if index > 0 { b"," } else { b"" })?;
                        out.write_all(name)?;
                        out.write_all(b"=")?;
                        out.write_all(value.as_deref().unwrap_or(b"NULL"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// How every record of this command is printed.
#[derive(Clone, Debug)]
pub(super) enum Printer {
    Json,
    Format { format: Format, null: &'static [u8] },
    Plain { key_delimiter: Option<Vec<u8>>, null: &'static [u8] },
}

impl Printer {
    /// As the options say.
    pub(super) fn new(options: &ConsumeOptions) -> Printer {
        let null: &[u8] = if options.records.null { b"NULL" } else { b"" };
        match &options.records.format {
            _ if options.json => Printer::Json,
            Some(format) => Printer::Format { format: format.clone(), null },
            None => {
                let key_delimiter = options.records.key_delimiter.as_ref().map(|delimiter| delimiter.0.clone());
                Printer::Plain { key_delimiter, null }
            }
        }
    }

    /// Prints a record.
    pub(super) fn print(&self, out: &mut impl Write, place: Place<'_>, record: &Record) -> io::Result<()> {
        match self {
            Printer::Json => {
                serde_json::to_writer(&mut *out, &Envelope::new(place, record))?;
                out.write_all(b"\n")
            }
            Printer::Format { format, null } => format.write(out, place, record, null),
            Printer::Plain { key_delimiter, null } => {
                if let Some(delimiter) = key_delimiter {
                    out.write_all(record.key.as_deref().unwrap_or(null))?;
                    out.write_all(delimiter)?;
                }
                out.write_all(record.value.as_deref().unwrap_or(null))?;
                out.write_all(b"\n")
            }
        }
    }
}

/// A record in the shape of kcat's `-J`. What is no text stands beside it whole, as base64.
#[derive(Debug, Serialize)]
struct Envelope<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    tstype: &'static str,
    ts: i64,
    broker: i32,
    /// Names and values in turn: a name may stand twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Option<String>>,
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

impl<'a> Envelope<'a> {
    fn new(place: Place<'a>, record: &Record) -> Envelope<'a> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let binary = |bytes: &[u8]| str::from_utf8(bytes).is_err().then(|| STANDARD.encode(bytes));
        let headers = record.headers.iter().flat_map(|(name, value)| [Some(text(name)), value.as_deref().map(text)]);
        Envelope {
            topic: place.topic,
            partition: place.partition,
            offset: record.offset,
            tstype: if place.is_append_time { "logappend" } else { "create" },
            ts: record.timestamp,
            broker: place.broker,
            headers: headers.collect(),
            key: record.key.as_deref().map(text),
            key_base64: record.key.as_deref().and_then(binary),
            payload: record.value.as_deref().map(text),
            payload_base64: record.value.as_deref().and_then(binary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(printer: &Printer, record: &Record) -> String {
        let place = Place { topic: "t", partition: 2, broker: 1, is_append_time: false };
        let mut out = Vec::new();
        printer.print(&mut out, place, record).expect("memory");
        String::from_utf8(out).expect("text")
    }

    fn record() -> Record {
        Record {
            offset: 7,
            timestamp: 5,
            key: None,
            value: Some("v".into()),
            headers: vec![("a".into(), Some("1".into())), ("a".into(), None)],
        }
    }

    #[test]
    fn formats_are_kcats() {
        let print = |format: &str, null| {
            let format = Format::parse(format).expect("a format");
            printed(&Printer::Format { format, null }, &record())
        };
        assert_eq!(print("%t [%p] at %o: %k|%K %s|%S\\t%T %h%%%%\\n", b""), "t [2] at 7: |-1 v|1\t5 a=1,a=NULL%%\n");
        assert_eq!(print("%k", b"NULL"), "NULL");
        assert_eq!(print("", b""), "");
        for wrong in ["%", "%z", "a%%%", "\\q", "%s\\"] {
            assert!(Format::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn json_has_kcats_shape_and_keeps_what_is_no_text() {
        assert_eq!(
            printed(&Printer::Json, &record()),
            "{\"topic\":\"t\",\"partition\":2,\"offset\":7,\"tstype\":\"create\",\"ts\":5,\"broker\":1,\
             \"headers\":[\"a\",\"1\",\"a\",null],\"key\":null,\"payload\":\"v\"}\n"
        );
        let binary = Record { value: Some(vec![0xff, b'a'].into()), headers: Vec::new(), ..record() };
        assert!(printed(&Printer::Json, &binary).ends_with("\"payload\":\"\u{fffd}a\",\"payload_base64\":\"/2E=\"}\n"));
    }

    #[test]
    fn plain_lines_have_keys_if_asked_for() {
        let plain = |key_delimiter: Option<&[u8]>, null| {
            printed(&Printer::Plain { key_delimiter: key_delimiter.map(<[u8]>::to_vec), null }, &record())
        };
        assert_eq!(plain(None, b""), "v\n");
        assert_eq!(plain(Some(b": "), b""), ": v\n");
        assert_eq!(plain(Some(b":"), b"NULL"), "NULL:v\n");
    }
}
