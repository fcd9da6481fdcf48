//! Finds events that are missing by the offsets that Wikimedia adds to each: its streams are Kafka topics.

use std::collections::BTreeMap;

/// How many topics are watched; there are two, one per data centre.
const MAX_TOPICS: usize = 64;

/// The next offset of each topic.
#[derive(Debug, Default)]
pub struct Gaps {
    next: BTreeMap<Box<str>, u64>,
    missing: u64,
}

impl Gaps {
    /// Looks at one more event.
    ///
    /// An offset below the next one is an event that comes again, after a resume.
    pub fn see(&mut self, topic: &str, offset: u64) {
        let after = offset.saturating_add(1);
        if let Some(next) = self.next.get_mut(topic) {
            self.missing = self.missing.saturating_add(offset.saturating_sub(*next));
            *next = after.max(*next);
        } else if self.next.len() < MAX_TOPICS {
            self.next.insert(topic.into(), after);
        }
    }

    /// How many events never came.
    pub fn missing(&self) -> u64 {
        self.missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_that_are_left_out_are_missing() {
        let mut gaps = Gaps::default();
        for offset in [10, 11, 14, 12, 13, 14, 15] {
            gaps.see("eqiad", offset);
        }
        gaps.see("codfw", 3);
        gaps.see("codfw", 5);
        assert_eq!(gaps.missing(), 3);
    }
}
