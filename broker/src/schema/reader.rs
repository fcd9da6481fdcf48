//! A cursor over bytes that somebody else wrote: every step is checked against what is left.

use super::Why;

/// The bytes, and how far they were read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, position: 0 }
    }

    /// The bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The bytes not read yet.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The next `size` bytes.
    pub(super) fn bytes(&mut self, size: usize) -> Result<&'a [u8], Why> {
        let left = self.left();
        if size > left {
            return Err(Why::Cut { needed: size as u64, left });
        }
        let start = self.position;
        self.position += size;
        Ok(&self.bytes[start..self.position])
    }

    /// A signed integer of `size` bytes, eight at most.
    pub(super) fn integer(&mut self, size: usize) -> Result<i64, Why> {
        let bytes = self.bytes(size)?;
        let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
        Ok(bytes.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte)))
    }

    /// An unsigned varint of 32 bits: seven bits a byte, the lowest first, the top bit set on all bytes but the last.
    pub(super) fn unsigned_varint(&mut self) -> Result<u32, Why> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.bytes(1)?[0];
            // The fifth byte has room for four bits: more would be lost, and a sixth byte would never be looked at.
            if shift == 28 && byte > 0x0f {
                return Err(Why::LongVarint);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_big_endian_and_signed() {
        assert_eq!(Reader::new(&[0xff]).integer(1), Ok(-1));
        assert_eq!(Reader::new(&[0x01, 0x02]).integer(2), Ok(0x0102));
        assert_eq!(Reader::new(&[0x80, 0, 0, 0]).integer(4), Ok(i64::from(i32::MIN)));
        assert_eq!(Reader::new(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).integer(8), Ok(i64::MAX));
        assert_eq!(Reader::new(&[1, 2, 3]).integer(4), Err(Why::Cut { needed: 4, left: 3 }));
    }

    #[test]
    fn varints_end_after_five_bytes() {
        assert_eq!(Reader::new(&[0x7f]).unsigned_varint(), Ok(127));
        assert_eq!(Reader::new(&[0xac, 0x02]).unsigned_varint(), Ok(300));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unsigned_varint(), Ok(u32::MAX));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).unsigned_varint(), Err(Why::LongVarint));
        assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]).unsigned_varint(), Err(Why::LongVarint));
        assert_eq!(Reader::new(&[0x80]).unsigned_varint(), Err(Why::Cut { needed: 1, left: 0 }));
    }
}
