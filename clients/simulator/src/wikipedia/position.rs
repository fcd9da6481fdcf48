//! Where in the two topics a client stands, and how it says so: an event's `id`, a `Last-Event-ID`, a `since`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{TOPICS, Topic, Wikipedia};
use crate::chance::{Chance, Purpose};

/// For each topic the number of the next event, of either topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Positions {
    /// From this event on, in the order of [`TOPICS`].
    pub(crate) next: [u64; 2],
    /// The topics that have delivered an event to this client, now or before it came back.
    pub(crate) delivered: [Option<u64>; 2],
}

/// Where a client wants to begin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted {
    /// With what happens from now on.
    Live,
    /// At a time, in milliseconds since 1970.
    Since(u64),
    /// Where it left off.
    After(Vec<Place>),
}

/// One element of an id: what a client has of one topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    topic: String,
    partition: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
}

/// Why a client cannot begin where it wants to.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unusable(pub(crate) String);

impl Wanted {
    /// Reads what a client asks for; an id takes precedence over a time.
    pub(crate) fn read(last_event_id: Option<&str>, since: Option<&str>) -> Result<Wanted, Unusable> {
        if let Some(id) = last_event_id {
            let places: Vec<Place> = serde_json::from_str(id).map_err(|error| {
                Unusable(format!("Last-Event-ID is no list of topics with timestamps or offsets: {error}"))
            })?;
            return match places.iter().find(|place| !TOPICS.contains(&place.topic.as_str()) || place.partition != 0) {
                Some(place) => Err(Unusable(format!(
                    "Last-Event-ID names {} [{}], which is not here",
                    place.topic, place.partition
                ))),
                None => Ok(Wanted::After(places)),
            };
        }
        let Some(since) = since else { return Ok(Wanted::Live) };
        let time_ms = since.parse().ok().or_else(|| {
            let moment: Timestamp = since.parse().ok()?;
            u64::try_from(moment.as_millisecond()).ok()
        });
        time_ms
            .map(Wanted::Since)
            .ok_or_else(|| Unusable(format!("since '{since}' is neither ISO 8601 nor milliseconds since 1970")))
    }
}

impl Wikipedia {
    /// Where a client begins; `live` is the event that comes next, `oldest` the first that is kept.
    pub(crate) fn begin(&self, wanted: &Wanted, live: u64, oldest: u64) -> Positions {
        let kept = |number: u64| number.clamp(oldest, live);
        match wanted {
            Wanted::Live => Positions { next: [live; 2], delivered: [None; 2] },
            Wanted::Since(time_ms) => Positions {
                next: [kept(self.timeline.count_before(time_ms.saturating_mul(1000))); 2],
                delivered: [None; 2],
            },
            Wanted::After(places) => {
                let mut positions = Positions { next: [live; 2], delivered: [None; 2] };
                for place in places {
                    let topic = TOPICS.iter().position(|topic| *topic == place.topic).unwrap_or_default();
                    if let Some(number) = self.number_at(topic, place) {
                        positions.next[topic] = kept(number);
                    }
                    positions.delivered[topic] = place.timestamp.filter(|_| place.offset.is_none());
                }
                positions
            }
        }
    }

    /// The event that a place leads to; `None`: the end, which an offset of -1 means, or a place that says nothing.
    fn number_at(&self, topic: Topic, place: &Place) -> Option<u64> {
        match (place.offset, place.timestamp) {
            (Some(offset), _) => u64::try_from(offset).ok().map(|offset| self.at_offset(topic, offset)),
            (None, Some(timestamp_ms)) => Some(self.timeline.count_before(timestamp_ms.saturating_mul(1000))),
            (None, None) => None,
        }
    }

    /// The id of an event that is the last one delivered, which it becomes with this.
    ///
    /// A topic's timestamp is one more than that of its last event, so that who comes back is not given it again; nor what
    /// happened in the same millisecond. The order of the topics varies.
    pub(crate) fn deliver(&self, number: u64, positions: &mut Positions) -> String {
        let topic = self.topic(number);
        positions.next[topic] = number + 1;
        positions.delivered[topic] = Some(self.timestamp_ms(number) + 1);
        let place = |topic: Topic| {
            let timestamp = positions.delivered[topic];
            Place {
                topic: TOPICS[topic].to_owned(),
                partition: 0,
                timestamp,
                offset: timestamp.is_none().then_some(-1),
            }
        };
        let first = usize::from(Chance::of(self.seed, Purpose::Reference, number).permille(500));
        serde_json::to_string(&[place(first), place(1 - first)]).expect("a place is plain text and numbers")
    }
}
