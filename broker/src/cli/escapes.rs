//! Escapes in delimiters and formats, as kcat has them: `\n`, `\r`, `\t`, `\\`, `\xNN`.

/// The bytes that a text with escapes stands for.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match rest.next() {
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('t') => bytes.push(b'\t'),
            Some('\\') => bytes.push(b'\\'),
            Some('0') => bytes.push(0),
            Some('x') => {
                let digits: String = rest.clone().take_while(char::is_ascii_hexdigit).take(2).collect();
                let byte = u8::from_str_radix(&digits, 16).map_err(|_| "\\x needs one or two hexadecimal digits")?;
                bytes.push(byte);
                rest.nth(digits.len() - 1);
            }
            Some(other) => return Err(format!("\\{other} is no escape; there are \\n, \\r, \\t, \\\\, \\0 and \\xNN")),
            None => return Err("a backslash at the end escapes nothing; write \\\\ for one".into()),
        }
    }
    Ok(bytes)
}

/// A delimiter, which is at least one byte.
pub(crate) fn delimiter(text: &str) -> Result<Vec<u8>, String> {
    match unescape(text)? {
        empty if empty.is_empty() => Err("a delimiter has at least one character".into()),
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_kcats() {
        assert_eq!(unescape("a\\t\\x41\\x1\\\\ü").expect("legal"), "a\tA\u{1}\\ü".as_bytes());
        for wrong in ["\\", "\\q", "\\x", "\\xg"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
        assert!(delimiter("").is_err());
    }
}
