//! Remembers which events were there lately: what comes again after a resume is a duplicate.

use std::collections::{HashSet, VecDeque};

/// How many events are remembered: an hour of Wikipedia, some megabytes of memory.
pub const MAX_SEEN: usize = 200_000;

/// The identities of the newest events.
#[derive(Debug)]
pub struct Seen {
    most: usize,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Default for Seen {
    fn default() -> Seen {
        Seen::with_room(MAX_SEEN)
    }
}

impl Seen {
    fn with_room(most: usize) -> Seen {
        Seen { most, known: HashSet::new(), order: VecDeque::new() }
    }

    /// Whether this event is a new one; it is remembered from now on.
    pub fn is_new(&mut self, identity: u64) -> bool {
        if !self.known.insert(identity) {
            return false;
        }
        if self.order.len() == self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(identity);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_new_once_and_the_oldest_are_forgotten() {
        let mut seen = Seen::with_room(2);
        let verdicts = [1, 1, 2, 3, 3, 2, 1].map(|identity| seen.is_new(identity));
        assert_eq!(verdicts, [true, false, true, true, false, false, true]);
        assert_eq!((seen.known.len(), seen.order.len()), (2, 2));
    }
}
