//! Which versions a broker speaks, and what becomes of those it does not.

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest};

use super::text;

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    let named = ApiVersionsRequest::default()
        .with_client_software_name(text("oracle"))
        .with_client_software_version(text("1.0"));
    for version in 0..=4 {
        let request = if version < 3 { &ApiVersionsRequest::default() } else { &named };
        talk.ask_in_any_order("the APIs", version, request)?;
    }
    for name in ["", "-x", "a b", "ö"] {
        let request = named.clone().with_client_software_name(text(name));
        talk.ask(&format!("a client called {name:?}"), 3, &request)?;
    }
    // Versions of tomorrow: the broker answers with what it has, whatever the body holds.
    let body = b"\x07oracle\x041.0\0";
    talk.ask_bytes("the APIs", API_VERSIONS, 5, body)?;
    talk.ask_bytes("the APIs", API_VERSIONS, 99, body)?;
    talk.ask_bytes("the APIs, as nobody ever wrote it", API_VERSIONS, i16::MAX, b"\xff\xff\xff")?;

    talk.ask_bytes("an API that does not exist", 999, 0, b"")?;
    talk.ask_bytes("an API that is gone", 4, 0, b"")?;
    talk.ask_bytes("a version of tomorrow", METADATA, 99, b"\0")?;
    talk.ask_bytes("a version that is gone", FETCH, 3, b"\0")?;
    talk.ask_bytes("a version that is advertised, but gone", PRODUCE, 0, b"\xff\xff\0\0\0\0\0\0\0\0")?;
    trailing_and_broken(talk)
}

fn trailing_and_broken(talk: &mut Talk) -> anyhow::Result<()> {
    talk.ask_in_any_order("the APIs", 0, &ApiVersionsRequest::default())?;
    talk.ask_bytes("trailing bytes", METADATA, 1, b"\0\0\0\0EXTRA")?;
    talk.ask_bytes("trailing bytes after a tag section", METADATA, 9, b"\x01\0\0\0\0EXTRA")?;
    talk.ask_bytes("trailing bytes", SASL_HANDSHAKE, 1, b"\0\x05PLAINEXTRA")?;
    talk.ask_bytes("an empty body", METADATA, 1, b"")?;
    talk.ask_bytes("a count without elements", METADATA, 1, b"\0\0\0\x05")?;
    talk.ask_bytes("a count beyond all bounds", METADATA, 0, b"\x7f\xff\xff\xff")?;
    talk.ask_bytes("a compact count beyond all bounds", METADATA, 12, b"\xff\xff\xff\xff\x0f")?;
    talk.ask_bytes("null where it is not allowed", METADATA, 1, b"\0\0\0\x01\xff\xff")?;
    talk.ask_bytes("a varint of six bytes", METADATA, 9, b"\x80\x80\x80\x80\x80\x00\0\0\0\0")?;
    talk.ask_bytes("a varint longer than it need be", METADATA, 9, b"\x81\x00\0\0\0\0")?;
    talk.ask_bytes("an unknown tag", METADATA, 9, b"\x01\0\0\0\x01\x63\x02ab")?;
    talk.ask_bytes("an unknown tag that is cut", METADATA, 9, b"\x01\0\0\0\x01\x63\x7fab")?;
    talk.ask("and all is well", 1, &MetadataRequest::default().with_topics(Some(vec![])))?;
    Ok(())
}
