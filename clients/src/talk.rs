//! What the programs say: sentences on stderr, data on stdout, and neither of them too often.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Says a line on stderr; where nobody can hear it, that is no reason to stop.
pub fn say(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a line of data to stdout.
///
/// # Errors
/// When nobody reads it any more.
pub fn print(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// Whether an error says that the reader of our output has gone, as `head` does: a reason to end, not a failure.
pub fn is_output_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe)
}

/// Holds back sentences of one kind: the first few in a window of time are told, then how many more there were.
#[derive(Debug)]
pub struct Pace {
    most: u32,
    window: Duration,
    begun: Option<Instant>,
    told: u32,
    held_back: u64,
}

impl Pace {
    /// At most so many in each window.
    pub fn new(most: u32, window: Duration) -> Pace {
        Pace { most, window, begun: None, told: 0, held_back: 0 }
    }

    /// Says one more, or counts it for the next one that is said.
    pub fn say(&mut self, now: Instant, line: impl Display) {
        if let Some(held_back) = self.judge(now) {
            match held_back {
                0 => say(format_args!("% {line}")),
                _ => say(format_args!("% {line} ({} like it before went untold)", grouped(held_back))),
            }
        }
    }

    /// How many were held back before this one, if it may be told.
    fn judge(&mut self, now: Instant) -> Option<u64> {
        if self.begun.is_none_or(|begun| now.duration_since(begun) >= self.window) {
            (self.begun, self.told) = (Some(now), 0);
        }
        if self.told < self.most {
            self.told += 1;
            return Some(std::mem::take(&mut self.held_back));
        }
        self.held_back += 1;
        None
    }
}

/// A number in groups of three digits: `1 234 567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A number with what it counts: `1 event`, `2 events`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A text from outside, short enough for a sentence and without control characters.
pub fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let clean: String = text.chars().take(MAX_CHARS).map(|it| if it.is_control() { ' ' } else { it }).collect();
    match text.chars().nth(MAX_CHARS) {
        Some(_) => format!("{}...", clean.trim()),
        None => clean.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 7, 999, 1000, 1_234_567].map(grouped), ["0", "7", "999", "1 000", "1 234 567"]);
        assert_eq!((counted(1, "event"), counted(2000, "event")), ("1 event".into(), "2 000 events".into()));
    }

    #[test]
    fn the_first_few_are_told_and_the_rest_is_counted() {
        let mut pace = Pace::new(1, Duration::from_secs(10));
        let start = Instant::now();
        let verdicts = [0, 1, 9, 10, 11].map(|second| pace.judge(start + Duration::from_secs(second)));
        assert_eq!(verdicts, [Some(0), None, None, Some(2), None]);
    }

    #[test]
    fn texts_from_outside_are_shortened() {
        assert_eq!(excerpt(" a\nb\u{1b}[1m "), "a b [1m");
        assert_eq!(excerpt(&"x".repeat(81)), format!("{}...", "x".repeat(80)));
    }
}
