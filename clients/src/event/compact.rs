//! Takes the white space out of JSON that does not belong to a string, and changes nothing else.
//!
//! Reading the text into values and writing them again would be simpler, and would lose what they cannot hold: the order of
//! the fields, a number of 20 digits, a field that comes twice.

/// The JSON without white space between its words; text that has none is handed back as it is.
pub fn compact(mut json: Vec<u8>) -> Vec<u8> {
    let Some(first) = next_space(&json, 0) else { return json };
    let (mut kept, mut read) = (first, first);
    while read < json.len() {
        // `read` stands on white space outside a string.
        while json.get(read).is_some_and(|byte| is_space(*byte)) {
            read += 1;
        }
        let end = next_space(&json, read).unwrap_or(json.len());
        json.copy_within(read..end, kept);
        kept += end - read;
        read = end;
    }
    json.truncate(kept);
    json
}

/// The position of the next white space outside a string; `from` stands outside of one.
fn next_space(json: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < json.len() {
        match json[at] {
            b'"' => at = string_end(json, at + 1),
            byte if is_space(byte) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// The position after the string's closing quote.
fn string_end(json: &[u8], mut at: usize) -> usize {
    while let Some(step) = memchr::memchr2(b'"', b'\\', json.get(at..).unwrap_or_default()) {
        at += step;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(json: &str) -> String {
        String::from_utf8(compact(json.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn space_goes_only_between_the_words() {
        assert_eq!(
            compacted(" { \"a b\" : [ 1 ,\t\"c \\\" d\" , \"e\\\\\" ] ,\r\n \"f\":null } "),
            "{\"a b\":[1,\"c \\\" d\",\"e\\\\\"],\"f\":null}"
        );
    }

    #[test]
    fn what_is_compact_stays_in_its_place() {
        let json = br#"{"z":1,"a":12345678901234567890123,"a":1.50,"t":"x  y"}"#.to_vec();
        let place = json.as_ptr();
        let same = compact(json);
        assert_eq!(same.as_ptr(), place);
        assert_eq!(same, br#"{"z":1,"a":12345678901234567890123,"a":1.50,"t":"x  y"}"#);
    }

    #[test]
    fn texts_that_end_early_do_no_harm() {
        for json in ["", " ", "\"", "\"\\", "{\"a\\", " \"a b"] {
            compacted(json);
        }
        assert_eq!(compacted(" \"a b"), "\"a b");
    }
}
