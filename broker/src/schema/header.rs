//! The header of a request: who asks for what, in which version, and where the body begins.
//!
//! Written by hand, because a broker must understand the start of every header, also that of a version to come.

use std::borrow::Cow;

use super::reader::Reader;
use super::{MAX_ELEMENTS, Malformed, Why, table};

/// The header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// Which request it is.
    pub api_key: i16,
    /// In which version.
    pub api_version: i16,
    /// The number that the answer must carry.
    pub correlation_id: i32,
    /// What the client calls itself; None also where the request is not known, since its header may have any form then.
    pub client_id: Option<Cow<'a, str>>,
    /// Where the body begins, or None where the request is not known.
    pub body_position: Option<usize>,
}

/// Reads the header at the start of a frame, without the length before it.
///
/// Of a request that Kafka 4.3 does not know, only the key, the version and the correlation id are read: they stand in
/// the same place in every version there ever was, and are what it takes to answer that the version is not supported.
pub fn check_header(frame: &[u8]) -> Result<RequestHeader<'_>, Malformed> {
    let mut reader = Reader::new(frame);
    let mut integer = |field, size| reader.integer(size).map_err(|why| refusal(reader.position(), field, why));
    let api_key = integer("requestApiKey", 2)? as i16;
    let api_version = integer("requestApiVersion", 2)? as i16;
    let correlation_id = integer("correlationId", 4)? as i32;
    let mut header = RequestHeader { api_key, api_version, correlation_id, client_id: None, body_position: None };

    let Some(request) = table().request(api_key).filter(|request| request.versions.contains(api_version)) else {
        return Ok(header);
    };
    header.client_id = client_id(&mut reader).map_err(|why| refusal(reader.position(), "clientId", why))?;
    if request.is_flexible(api_version) {
        pass_tag_section(&mut reader).map_err(|why| refusal(reader.position(), "tags", why))?;
    }
    header.body_position = Some(reader.position());
    Ok(header)
}

/// The length of the client id stays two bytes in flexible versions too, so that old brokers can read new headers.
fn client_id<'a>(reader: &mut Reader<'a>) -> Result<Option<Cow<'a, str>>, Why> {
    match reader.integer(2)? {
        -1 => Ok(None),
        // A broken client id is shown with replacement characters and harms nobody, so Kafka lets it pass.
        size @ 0.. => Ok(Some(String::from_utf8_lossy(reader.bytes(size as usize)?))),
        size => Err(Why::NegativeLength(size)),
    }
}

/// No version of the header has tagged fields, so they are passed over one by one, up to the limit of any message.
fn pass_tag_section(reader: &mut Reader<'_>) -> Result<(), Why> {
    let count = reader.unsigned_varint()?;
    if count as usize > MAX_ELEMENTS {
        return Err(Why::TooManyElements { limit: MAX_ELEMENTS });
    }
    for _ in 0..count {
        reader.unsigned_varint()?;
        let size = reader.unsigned_varint()?;
        reader.bytes(size as usize)?;
    }
    Ok(())
}

fn refusal(position: usize, field: &str, why: Why) -> Malformed {
    Malformed { position, field: field.to_string(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_a_flexible_version_has_tags_and_a_plain_client_id() {
        let header = check_header(b"\0\x03\0\x0c\0\0\0\x09\0\x04kcat\x01\x05\x02xxBODY").unwrap();
        assert_eq!((header.api_key, header.api_version, header.correlation_id), (3, 12, 9));
        assert_eq!(header.client_id.as_deref(), Some("kcat"));
        assert_eq!(header.body_position, Some(19));
    }

    #[test]
    fn a_header_of_an_older_version_has_no_tags() {
        let header = check_header(b"\0\x03\0\x00\0\0\0\x09\xff\xffBODY").unwrap();
        assert_eq!((header.client_id, header.body_position), (None, Some(10)));
    }

    #[test]
    fn what_is_not_known_is_still_told_apart() {
        // ApiVersions 99, whose header may be anything after the correlation id.
        let header = check_header(b"\0\x12\0\x63\xff\xff\xff\xfe").unwrap();
        assert_eq!((header.api_key, header.api_version, header.correlation_id), (18, 99, -2));
        assert_eq!((header.client_id, header.body_position), (None, None));
        assert_eq!(check_header(b"\x03\xe7\0\0\0\0\0\x01").unwrap().api_key, 999);
    }

    #[test]
    fn a_broken_header_says_where_it_breaks() {
        let refusal = |frame: &[u8]| check_header(frame).unwrap_err().to_string();
        assert_eq!(refusal(b""), "requestApiKey, at byte 0, takes 2 bytes, but only 0 are left");
        assert_eq!(refusal(b"\0\x03\0\x00\0\0\0"), "correlationId, at byte 4, takes 4 bytes, but only 3 are left");
        assert_eq!(
            refusal(b"\0\x03\0\x00\0\0\0\x09\0\x04k"),
            "clientId, at byte 10, takes 4 bytes, but only 1 are left"
        );
        assert_eq!(refusal(b"\0\x03\0\x00\0\0\0\x09\xff\xfe"), "clientId, at byte 10, has the length -2");
        assert_eq!(refusal(b"\0\x03\0\x0c\0\0\0\x09\xff\xff"), "tags, at byte 10, takes 1 bytes, but only 0 are left");
    }

    #[test]
    fn a_broken_client_id_is_shown_with_replacement_characters() {
        let header = check_header(b"\0\x03\0\x00\0\0\0\x09\0\x02k\xff").unwrap();
        assert_eq!(header.client_id.as_deref(), Some("k\u{fffd}"));
    }
}
