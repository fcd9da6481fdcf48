//! Sentences about what happens in a demo, from all who take part in it; the last few are on the screen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::say;

/// How many are kept.
const KEPT: usize = 50;

/// The sentences so far.
#[derive(Clone, Debug)]
pub(super) struct Notes {
    kept: Arc<Mutex<VecDeque<String>>>,
    /// Whether they are told on stderr as they come; on a screen they have their place.
    are_told: bool,
}

impl Notes {
    /// None yet.
    pub(super) fn new(are_told: bool) -> Notes {
        Notes { kept: Arc::default(), are_told }
    }

    /// One more.
    pub(super) fn add(&self, note: String) {
        let note = note.replace(char::is_control, " ");
        if self.are_told {
            say(&note);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(note);
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }

    /// The last few, the latest last.
    pub(super) fn last(&self, count: usize) -> Vec<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().skip(kept.len().saturating_sub(count)).cloned().collect()
    }

    /// What one of those who take part said last.
    pub(super) fn last_of(&self, who: &str) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().find(|note| note.starts_with(who)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept() {
        let notes = Notes::new(false);
        (0..KEPT + 5).for_each(|number| notes.add(format!("producer: {number}\u{1b}")));
        assert_eq!(notes.last(2), ["producer: 53 ", "producer: 54 "]);
        assert_eq!(notes.last(1000).len(), KEPT);
        assert_eq!((notes.last_of("producer"), notes.last_of("consumer")), (Some("producer: 54 ".to_owned()), None));
    }
}
