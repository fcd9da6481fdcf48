//! What is sent now and then although it is no event.

use crate::chance::{Chance, Purpose};

/// An event of this size is more than a broker takes by default.
const ENORMOUS_BYTES: usize = 5 * 1024 * 1024;

/// Something that is no event, in place of one: the same before the same event every time.
pub(crate) fn malformed(seed: u64, number: u64, permille: u64) -> Option<Vec<u8>> {
    let mut chance = Chance::of(seed, Purpose::Fault, number);
    if !chance.permille(permille) {
        return None;
    }
    Some(match chance.below(12) {
        0..3 => br#"{"$schema":"/mediawiki/recentchange/1.0.0","meta":{"uri":"https://half"#.to_vec(),
        3..6 => b"{\"did\":\"did:plc:\xff\xfe\",\"kind\":\"commit\"}".to_vec(),
        6..8 => b"42".to_vec(),
        8..10 => b"<html><body>This is a page.</body></html>".to_vec(),
        10 => b"{}".to_vec(),
        _ => enormous(),
    })
}

fn enormous() -> Vec<u8> {
    let mut text = br#"{"comment":""#.to_vec();
    text.resize(ENORMOUS_BYTES, b'x');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_as_often_as_asked_and_is_no_event() {
        let all: Vec<Vec<u8>> = (0..10_000).filter_map(|number| malformed(1, number, 20)).collect();
        assert!((150..250).contains(&all.len()), "{}", all.len());
        let is_event = |bytes: &Vec<u8>| {
            serde_json::from_slice::<serde_json::Value>(bytes).is_ok_and(|value| value.get("meta").is_some())
        };
        assert!(!all.iter().any(is_event));
        assert!(all.iter().any(|bytes| bytes.len() == ENORMOUS_BYTES));
        assert_eq!(malformed(1, 5, 0), None);
    }
}
