//! Wikipedia's edits: which events there are, in which of the two topics, at which offset and when.
//!
//! Behind the real stream stand two Kafka topics, one for each data centre. One of them is busy; the other has one event in
//! [`QUIET_SHARE`], and the hourly canary. Each event has a number in the order of time, and all that belongs to it follows
//! from the number: [`event`](Wikipedia::event) makes its text.

mod event;
mod position;
mod wikis;

pub(crate) use position::{Positions, Unusable, Wanted};

use std::time::Duration;

use crate::chance::{Chance, Purpose};
use crate::timeline::Timeline;

/// One event in so many goes to the quiet topic.
const QUIET_SHARE: u64 = 10_000;

/// The offset that the first event of each topic has.
const FIRST_OFFSETS: [u64; 2] = [5_800_000_000, 310_000];

/// There are canaries for so long after the beginning.
const CANARY_HOURS: u64 = 60 * 24;

const HOUR_US: u64 = 3_600_000_000;
const MINUTE_US: u64 = 60_000_000;

/// The minute of each hour at which the quiet topic has its canary.
const QUIET_CANARY_MINUTE: u64 = 15;

/// The minutes of each hour at which the busy topic has one.
const BUSY_CANARY_MINUTES: [u64; 2] = [35, 55];

/// The topics, by their names.
pub(crate) const TOPICS: [&str; 2] = ["eqiad.mediawiki.recentchange", "codfw.mediawiki.recentchange"];

/// One of the two data centres' topics: its place in [`TOPICS`].
pub(crate) type Topic = usize;

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A page was changed.
    Edit,
    /// A page was made.
    New,
    /// Something else happened: an upload, a block, a deletion.
    Log,
    /// A page was put into a category, or taken out.
    Categorize,
    /// A change of another wiki that shows here.
    External,
    /// A sign of life of the service; no change at all.
    Canary,
}

impl Kind {
    /// What stands in the event's `type`; a canary has none.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Edit => "edit",
            Kind::New => "new",
            Kind::Log => "log",
            Kind::Categorize => "categorize",
            Kind::External => "external",
            Kind::Canary => "canary",
        }
    }
}

/// Everything that ever happens in the simulated wikis.
#[derive(Debug, Clone)]
pub(crate) struct Wikipedia {
    seed: u64,
    timeline: Timeline,
    /// From this event on, the data centres have changed places.
    flip: u64,
    canaries: Canaries,
}

impl Wikipedia {
    /// A world of edits; the data centres change places so long after `from_us`, if ever.
    pub(crate) fn new(seed: u64, timeline: Timeline, from_us: u64, flip_after: Option<Duration>) -> Wikipedia {
        let flip = flip_after.map_or(u64::MAX, |after| timeline.count_before(from_us + after.as_micros() as u64));
        let canaries = Canaries::find(&timeline, from_us + CANARY_HOURS * HOUR_US);
        Wikipedia { seed, timeline, flip, canaries }
    }

    /// When events happen.
    pub(crate) fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// What an event is.
    pub(crate) fn kind(&self, number: u64) -> Kind {
        if self.canaries.contain(number) {
            return Kind::Canary;
        }
        match Chance::of(self.seed, Purpose::Kind, number).below(10_000) {
            0..4_900 => Kind::Categorize,
            4_900..9_000 => Kind::Edit,
            9_000..9_798 => Kind::Log,
            9_798..9_800 => Kind::External,
            _ => Kind::New,
        }
    }

    /// The topic that an event is in.
    pub(crate) fn topic(&self, number: u64) -> Topic {
        usize::from(self.is_quiet(number) == (number < self.flip))
    }

    /// The offset of an event in its topic.
    pub(crate) fn offset(&self, number: u64) -> u64 {
        let topic = self.topic(number);
        FIRST_OFFSETS[topic] + self.count_in_topic(topic, number)
    }

    /// The first event of a topic whose offset is not below this one.
    pub(crate) fn at_offset(&self, topic: Topic, offset: u64) -> u64 {
        let wanted = offset.saturating_sub(FIRST_OFFSETS[topic]);
        // Neither topic has less than one event in QUIET_SHARE, so the search has an end.
        let (mut low, mut high) = (0, (wanted + 1).saturating_mul(QUIET_SHARE));
        while low < high {
            let middle = u64::midpoint(low, high);
            if self.count_in_topic(topic, middle + 1) > wanted { high = middle } else { low = middle + 1 }
        }
        low
    }

    /// The Kafka timestamp of an event, in milliseconds.
    pub(crate) fn timestamp_ms(&self, number: u64) -> u64 {
        self.timeline.time_us(number) / 1000
    }

    /// The next event of a topic from this number on.
    pub(crate) fn next_in_topic(&self, topic: Topic, mut number: u64) -> u64 {
        while self.topic(number) != topic {
            number += 1;
        }
        number
    }

    /// How many of the events before this number are in a topic.
    fn count_in_topic(&self, topic: Topic, number: u64) -> u64 {
        let before_flip = number.min(self.flip);
        let quiet_before = self.quiet_count(before_flip);
        let quiet_since = self.quiet_count(number) - quiet_before;
        let codfw = quiet_before + (number - before_flip - quiet_since);
        if topic == 1 { codfw } else { number - codfw }
    }

    /// How many of the events before this number are on the quiet side.
    fn quiet_count(&self, number: u64) -> u64 {
        number / QUIET_SHARE + self.canaries.quiet.partition_point(|canary| *canary < number) as u64
    }

    fn is_quiet(&self, number: u64) -> bool {
        is_quiet_by_number(number) || self.canaries.quiet.binary_search(&number).is_ok()
    }
}

/// The numbers of the events that are canaries, in order.
#[derive(Debug, Clone, Default)]
struct Canaries {
    quiet: Vec<u64>,
    busy: Vec<u64>,
}

impl Canaries {
    fn find(timeline: &Timeline, until_us: u64) -> Canaries {
        let mut canaries = Canaries::default();
        let begin_us = timeline.time_us(0);
        for hour in begin_us / HOUR_US..until_us / HOUR_US {
            let add = |minute: u64, side: &mut Vec<u64>| {
                let moment_us = hour * HOUR_US + minute * MINUTE_US;
                if moment_us > begin_us {
                    // The first event of that minute which does not go to the quiet topic anyway.
                    let first = timeline.count_before(moment_us);
                    side.push(first + u64::from(is_quiet_by_number(first)));
                }
            };
            add(QUIET_CANARY_MINUTE, &mut canaries.quiet);
            BUSY_CANARY_MINUTES.iter().for_each(|minute| add(*minute, &mut canaries.busy));
        }
        canaries
    }

    fn contain(&self, number: u64) -> bool {
        self.quiet.binary_search(&number).is_ok() || self.busy.binary_search(&number).is_ok()
    }
}

fn is_quiet_by_number(number: u64) -> bool {
    number % QUIET_SHARE == QUIET_SHARE - 1
}

#[cfg(test)]
mod tests;
