//! Says when the broker is there and yet acknowledges nothing.

use std::time::{Duration, Instant};

use crate::talk::{counted, say};

/// How long that may be; a request that the broker refuses is sent again all the time.
const PATIENCE: Duration = Duration::from_secs(5);

/// When the broker acknowledged something last.
#[derive(Debug)]
pub(super) struct Standstill {
    acknowledged: u64,
    since: Instant,
    is_told: bool,
}

impl Standstill {
    /// From now on.
    pub(super) fn new(now: Instant) -> Standstill {
        Standstill { acknowledged: 0, since: now, is_told: false }
    }

    /// Looks at the figures; a broker that does not answer at all is told of elsewhere.
    pub(super) fn look(&mut self, now: Instant, acknowledged: u64, in_flight: u64, broker: &str, is_gone: bool) {
        if acknowledged != self.acknowledged || in_flight == 0 || is_gone {
            if std::mem::take(&mut self.is_told) && !is_gone {
                say(format_args!("% the broker at {broker} takes events again"));
            }
            (self.acknowledged, self.since) = (acknowledged, now);
        } else if now.duration_since(self.since) >= PATIENCE && !std::mem::replace(&mut self.is_told, true) {
            let (waiting, seconds) = (counted(in_flight, "event"), PATIENCE.as_secs());
            say(format_args!(
                "% the broker at {broker} is there, but has taken nothing for {seconds} s; {waiting} wait, and none is lost. \
                 Its disk may be full: its log says why"
            ));
        }
    }

    /// Whether that was said last.
    #[cfg(test)]
    fn is_told(&self) -> bool {
        self.is_told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_after_a_while_once_and_taken_back() {
        let begun = Instant::now();
        let mut standstill = Standstill::new(begun);
        let mut look = |second, acknowledged, in_flight, is_gone| {
            standstill.look(begun + Duration::from_secs(second), acknowledged, in_flight, "b", is_gone);
            standstill.is_told()
        };
        assert!(!look(4, 0, 5, false), "not yet");
        assert!(look(5, 0, 5, false) && look(60, 0, 5, false), "nothing was taken");
        assert!(!look(61, 1, 4, false), "one was");
        assert!(!look(70, 1, 0, false), "nothing waits");
        assert!(!look(80, 1, 4, true) && !look(90, 1, 4, true), "nobody is there, which is told elsewhere");
        assert!(!look(94, 1, 4, false) && look(95, 1, 4, false), "somebody is, and takes nothing");
    }
}
