//! Variable-length integers as Kafka's records use them: zigzag, seven bits a byte, at most 5 or 10 bytes.

use std::io::{self, BufRead};

use super::malformed;

/// Reads an `int`; as in Java, bits beyond the 32nd of a fifth byte are lost.
#[inline(always)]
pub(super) fn read_varint(reader: &mut impl BufRead) -> io::Result<i32> {
    let raw = read_unsigned(reader, 5)? as u32;
    Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Reads a `long`; as in Java, bits beyond the 64th of a tenth byte are lost.
#[inline(always)]
pub(super) fn read_varlong(reader: &mut impl BufRead) -> io::Result<i64> {
    let raw = read_unsigned(reader, 10)?;
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

#[inline(always)]
fn read_unsigned(reader: &mut impl BufRead, max_size: u32) -> io::Result<u64> {
    let first = read_byte(reader)?;
    if first < 0x80 {
        return Ok(u64::from(first));
    }
    let mut raw = u64::from(first & 0x7f);
    for index in 1..max_size {
        let byte = read_byte(reader)?;
        raw |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Ok(raw);
        }
    }
    Err(malformed("a variable-length number does not end"))
}

/// Reads one byte; the end of the input is an error.
#[inline(always)]
pub(super) fn read_byte(reader: &mut impl BufRead) -> io::Result<u8> {
    let byte = *reader.fill_buf()?.first().ok_or_else(ends_early)?;
    reader.consume(1);
    Ok(byte)
}

/// A record reaches beyond its own length, or beyond the end of the batch.
#[cold]
pub(super) fn ends_early() -> io::Error {
    malformed("a record ends before all its fields")
}

/// Appends an `int`.
pub(super) fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_unsigned(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

/// Appends a `long`.
pub(super) fn write_varlong(out: &mut Vec<u8>, value: i64) {
    write_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn write_unsigned(out: &mut Vec<u8>, mut raw: u64) {
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_at_every_length() {
        for value in
            (0..32).flat_map(|bits| [1i32 << bits, (1i32 << bits).wrapping_neg().wrapping_sub(1)]).chain([0, i32::MAX])
        {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, value);
            assert_eq!(read_varint(&mut &bytes[..]).expect("a whole number"), value);
        }
        for value in
            (0..64).flat_map(|bits| [1i64 << bits, (1i64 << bits).wrapping_neg().wrapping_sub(1)]).chain([0, i64::MAX])
        {
            let mut bytes = Vec::new();
            write_varlong(&mut bytes, value);
            assert_eq!(read_varlong(&mut &bytes[..]).expect("a whole number"), value);
        }
    }

    #[test]
    fn numbers_that_do_not_end_are_refused() {
        assert!(read_varint(&mut &[0xff; 20][..]).is_err());
        assert!(read_varlong(&mut &[0xff; 20][..]).is_err());
        assert!(read_varint(&mut &[0x80, 0x80][..]).is_err());
        // Kafka's own limit: the fifth byte may carry bits that are then lost.
        assert_eq!(read_varint(&mut &[0xff, 0xff, 0xff, 0xff, 0x7f][..]).expect("five bytes"), i32::MIN);
    }
}
