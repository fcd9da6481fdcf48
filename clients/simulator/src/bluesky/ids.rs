//! The network's identifiers: accounts (DID), records' keys and revisions (TID), contents (CID).

use crate::chance::{Chance, Purpose};

/// The alphabet of DIDs and CIDs.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The alphabet of TIDs, in the order of its letters, so that TIDs sort as their times do.
const BASE32_SORTABLE: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

/// The DID of an account.
pub(super) fn did(seed: u64, account: u64) -> String {
    let mut chance = Chance::of(seed, Purpose::Account, !account);
    format!("did:plc:{}", letters(24, &mut chance))
}

/// The CID of the record that an event writes.
pub(super) fn cid(seed: u64, number: u64) -> String {
    let mut chance = Chance::of(seed, Purpose::Content, !number);
    format!("bafyrei{}", letters(52, &mut chance))
}

/// A TID: 53 bits of microseconds since 1970, and 10 bits that tell apart those who make them.
pub(super) fn tid(time_us: u64, clock: u64) -> String {
    let bits = (time_us << 10) | (clock & 0x3ff);
    (0..13).rev().map(|digit| BASE32_SORTABLE[(bits >> (5 * digit)) as usize & 31] as char).collect()
}

fn letters(count: usize, chance: &mut Chance) -> String {
    (0..count).map(|_| *chance.pick(BASE32) as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_look_as_they_should() {
        assert_eq!(did(1, 5).len(), 32);
        assert_eq!(cid(1, 5).len(), 59);
        assert_ne!(did(1, 5), did(1, 6));
        // The time of the TID that stands in the documentation of Bluesky's revisions.
        assert_eq!(tid(0, 0), "2222222222222");
        assert!(tid(1_763_769_600_123_456, 5).starts_with("3m6"));
    }

    #[test]
    fn tids_sort_as_their_times() {
        let tids: Vec<String> = (0..100).map(|step| tid(1_700_000_000_000_000 + step * 977, 1023 - step)).collect();
        assert!(tids.is_sorted());
        assert!(tids.iter().all(|tid| tid.len() == 13));
    }
}
