//! How the fields of Kafka's coordinator records are read and written: fixed lengths in old versions, compact ones with a
//! section of tags in newer, "flexible" ones (KIP-482).

use bytes::{Buf, BufMut, Bytes};

use super::Unreadable;

/// A key or a value on its way in.
pub(super) struct Reader {
    rest: Bytes,
    /// Compact lengths and tags.
    is_flexible: bool,
}

impl Reader {
    /// Reads the version in front; those from `flexible_from` on are flexible.
    pub(super) fn open(mut bytes: Bytes, flexible_from: i16) -> Result<(i16, Reader), Unreadable> {
        let version = bytes.try_get_i16().map_err(|_| Unreadable::EndsEarly)?;
        Ok((version, Reader { rest: bytes, is_flexible: version >= flexible_from }))
    }

    pub(super) fn i32(&mut self) -> Result<i32, Unreadable> {
        self.rest.try_get_i32().map_err(|_| Unreadable::EndsEarly)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Unreadable> {
        self.rest.try_get_i64().map_err(|_| Unreadable::EndsEarly)
    }

    pub(super) fn text(&mut self) -> Result<String, Unreadable> {
        self.nullable_text()?.ok_or(Unreadable::Null)
    }

    pub(super) fn nullable_text(&mut self) -> Result<Option<String>, Unreadable> {
        let length = if self.is_flexible { self.compact_length()? } else { i64::from(self.i16()?) };
        let Some(bytes) = self.take(length)? else { return Ok(None) };
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| Unreadable::NotText)
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, Unreadable> {
        let length = if self.is_flexible { self.compact_length()? } else { i64::from(self.i32()?) };
        // A copy: a slice would keep the whole batch in memory.
        self.take(length)?.map(|bytes| Bytes::copy_from_slice(&bytes)).ok_or(Unreadable::Null)
    }

    /// An array, element by element; its count is only believed as far as there are bytes.
    pub(super) fn array<T>(
        &mut self,
        mut element: impl FnMut(&mut Reader) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Unreadable> {
        let count = if self.is_flexible { self.compact_length()? } else { i64::from(self.i32()?) };
        (0..count.max(0)).map(|_| element(self)).collect()
    }

    /// The section of tags at the end of a flexible struct; those that nobody asks for are passed over.
    pub(super) fn tags(&mut self, mut tag: impl FnMut(u64, Bytes)) -> Result<(), Unreadable> {
        if !self.is_flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            let number = self.unsigned_varint()?;
            let length = i64::try_from(self.unsigned_varint()?).map_err(|_| Unreadable::EndsEarly)?;
            tag(number, self.take(length)?.unwrap_or_default());
        }
        Ok(())
    }

    fn i16(&mut self) -> Result<i16, Unreadable> {
        self.rest.try_get_i16().map_err(|_| Unreadable::EndsEarly)
    }

    /// One more than the length; 0 is null.
    fn compact_length(&mut self) -> Result<i64, Unreadable> {
        i64::try_from(self.unsigned_varint()?).map(|length| length - 1).map_err(|_| Unreadable::EndsEarly)
    }

    fn unsigned_varint(&mut self) -> Result<u64, Unreadable> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.rest.try_get_u8().map_err(|_| Unreadable::EndsEarly)?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Unreadable::EndsEarly)
    }

    fn take(&mut self, length: i64) -> Result<Option<Bytes>, Unreadable> {
        let Ok(length) = usize::try_from(length) else { return Ok(None) };
        if self.rest.len() < length {
            return Err(Unreadable::EndsEarly);
        }
        Ok(Some(self.rest.split_to(length)))
    }
}

/// A text with a fixed length in front; longer ones than it can tell do not come here, because no request can carry them.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = i16::try_from(text.len()).expect("a text of a request is below 32 KiB");
    out.put_i16(length);
    out.put_slice(text.as_bytes());
}

/// A text that may be null.
pub(super) fn put_nullable_text(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => put_text(out, text),
        None => out.put_i16(-1),
    }
}

/// Bytes with a fixed length in front.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.put_i32(i32::try_from(bytes.len()).expect("bytes of a request are below 2 GiB"));
    out.put_slice(bytes);
}

/// A text with a compact length in front.
pub(super) fn put_compact_text(out: &mut Vec<u8>, text: &str) {
    put_unsigned_varint(out, text.len() as u64 + 1);
    out.put_slice(text.as_bytes());
}

/// Seven bits a byte, the lowest first.
pub(super) fn put_unsigned_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
