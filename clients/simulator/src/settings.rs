//! What a simulation is asked to be.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::timeline::{MAX_EVENTS_PER_S, Timeline};

/// A simulation: what happens, how fast, and how the services misbehave.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// The services that are there.
    pub services: Services,
    /// The same seed, rate and beginning make the same events, byte for byte.
    pub seed: u64,
    /// Events a second of Wikipedia's stream; `None`: what the real one has.
    pub wikipedia_per_s: Option<f64>,
    /// Events a second that a client of Bluesky's receives that wants posts only; `None`: what the real one has.
    pub bluesky_per_s: Option<f64>,
    /// How many likes, reposts, follows and the like there are for each event of Bluesky's that has to do with posts.
    pub others: f64,
    /// How many seconds of the simulation go by in one.
    pub speed: f64,
    /// The simulation's time when it begins, in microseconds since 1970.
    pub from_us: u64,
    /// How many events of each service there will be from then on; `None`: they never end.
    pub events: Option<u64>,
    /// How far back a client may ask for events of Wikipedia's.
    pub history: Duration,
    /// Moments at which far more happens.
    pub bursts: Option<Bursts>,
    /// How the services misbehave.
    pub faults: Faults,
}

/// One burst in each period, at a moment left to chance.
#[derive(Debug, Clone, PartialEq)]
pub struct Bursts {
    /// How many times the usual rate.
    pub factor: f64,
    /// The length of a period, in seconds.
    pub every_s: f64,
    /// The length of a burst, in seconds.
    pub length_s: f64,
}

/// Which services are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// Wikimedia's EventStreams alone.
    Wikipedia,
    /// Bluesky's Jetstream alone.
    Bluesky,
    /// Both.
    Both,
}

impl Services {
    /// Whether Wikimedia's EventStreams are there.
    pub fn has_wikipedia(self) -> bool {
        self != Services::Bluesky
    }

    /// Whether Bluesky's Jetstream is there.
    pub fn has_bluesky(self) -> bool {
        self != Services::Wikipedia
    }
}

/// What goes wrong, and when. By default what goes wrong with the real services too: connections do not live for ever.
#[derive(Debug, Clone)]
pub struct Faults {
    /// How long a connection lives.
    pub life: Option<Duration>,
    /// How many events a connection delivers before it is cut.
    pub life_events: Option<u64>,
    /// Whether the cut comes in the middle of an event.
    pub mid_event: bool,
    /// The close code of a WebSocket at the end of its life; `None`: it is cut without a word.
    pub close_code: Option<u16>,
    /// Nothing comes for so long, once, after so many events of a connection.
    pub stall: Option<(u64, Duration)>,
    /// Before so many of 1000 events comes one that is not an event.
    pub malformed_permille: u64,
    /// What the next connections get instead of events, in this order.
    pub answers: Vec<Answer>,
    /// Whether each byte is sent as a chunk of its own (Wikipedia).
    pub bytewise: bool,
    /// How many connections a service serves at a time.
    pub max_connections: usize,
    /// A client of Bluesky's that has fallen back so far is dropped.
    pub slow_after: Duration,
    /// So long after the beginning, Wikipedia's data centres change places.
    pub flip_after: Option<Duration>,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            life: Some(Duration::from_secs(15 * 60)),
            life_events: None,
            mid_event: false,
            close_code: None,
            stall: None,
            malformed_permille: 0,
            answers: Vec::new(),
            bytewise: false,
            max_connections: 20,
            slow_after: Duration::from_secs(30),
            flip_after: None,
        }
    }
}

impl Faults {
    /// Whether something is to happen after as many events of a connection as are delivered; `stall` is the one to come.
    pub(crate) fn are_due(&self, delivered: u64, stall: Option<(u64, Duration)>) -> bool {
        let is_reached = |events: Option<u64>| events.is_some_and(|events| delivered >= events);
        is_reached(self.life_events) || is_reached(stall.map(|(after, _)| after))
    }
}

/// What a connection gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Events.
    Events,
    /// A status that is an error: 429 and 503 come with `Retry-After: 1`.
    Status(u16),
    /// A page for people, with status 200.
    Html,
}

impl Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Events => formatter.write_str("events"),
            Answer::Status(status) => write!(formatter, "status {status}"),
            Answer::Html => formatter.write_str("a page for people"),
        }
    }
}

impl FromStr for Answer {
    type Err = String;

    fn from_str(text: &str) -> Result<Answer, String> {
        match text {
            "ok" => Ok(Answer::Events),
            "html" => Ok(Answer::Html),
            _ => match text.parse() {
                Ok(status @ 400..=599) => Ok(Answer::Status(status)),
                _ => Err(format!("'{text}' is no answer: ok, html or a status from 400 to 599")),
            },
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            services: Services::Both,
            seed: 1,
            wikipedia_per_s: None,
            bluesky_per_s: None,
            others: OTHERS,
            speed: 1.0,
            from_us: now_us(),
            events: None,
            history: Duration::from_secs(7 * 86_400),
            bursts: None,
            faults: Faults::default(),
        }
    }
}

/// The real Wikipedia's rate on a weekday.
const WIKIPEDIA_PER_S: f64 = 36.0;

/// The real Bluesky's rate of events that have to do with posts, accounts or identities.
const BLUESKY_PER_S: f64 = 60.0;

/// As many others as the real Bluesky has for each of these.
const OTHERS: f64 = 7.0;

/// With fewer events than this, one would have to be several canaries.
const LEAST_PER_S: f64 = 0.01;

impl Settings {
    /// Events a second of Wikipedia's.
    pub fn wikipedia_rate(&self) -> f64 {
        self.wikipedia_per_s.unwrap_or(WIKIPEDIA_PER_S)
    }

    /// Events a second of Bluesky's, the others left out.
    pub fn bluesky_rate(&self) -> f64 {
        self.bluesky_per_s.unwrap_or(BLUESKY_PER_S)
    }

    /// When Wikipedia's events happen.
    pub(crate) fn wikipedia_timeline(&self) -> Timeline {
        self.timeline(self.wikipedia_rate())
    }

    /// When Bluesky's events happen, the others among them.
    pub(crate) fn bluesky_timeline(&self) -> Timeline {
        self.timeline(self.bluesky_rate() * (1.0 + self.others))
    }

    fn timeline(&self, rate: f64) -> Timeline {
        Timeline::new(
            self.seed,
            self.from_us - self.history.as_micros() as u64,
            self.from_us,
            rate,
            self.bursts.clone(),
        )
    }

    /// Whether this can be simulated.
    ///
    /// # Errors
    /// A sentence on what cannot, and what to do instead.
    pub fn check(&self) -> Result<(), Unworkable> {
        let in_range = |what: &str, value: f64, least: f64| match value.is_finite() && value >= least {
            true => Ok(()),
            false => Err(Unworkable(format!("{what} has to be at least {least}, not {value}"))),
        };
        in_range("the rate", self.wikipedia_rate(), LEAST_PER_S)?;
        in_range("the rate", self.bluesky_rate(), LEAST_PER_S)?;
        in_range("the speed", self.speed, 0.001)?;
        if !(0.0..=1000.0).contains(&self.others) {
            return Err(Unworkable(format!("for each post there can be 0 to 1000 others, not {}", self.others)));
        }
        if self.from_us < 2 * self.history.as_micros() as u64 {
            return Err(Unworkable("the simulation has to begin after 1970, its history included".to_owned()));
        }
        if let Some(bursts) = &self.bursts {
            bursts.check()?;
        }
        let mut peak = 0.0f64;
        if self.services.has_wikipedia() {
            peak = peak.max(self.wikipedia_timeline().peak_per_s());
        }
        if self.services.has_bluesky() {
            peak = peak.max(self.bluesky_timeline().peak_per_s());
        }
        if peak <= MAX_EVENTS_PER_S {
            return Ok(());
        }
        let others = if self.services.has_bluesky() && self.others > 0.0 {
            ", or leave Bluesky's likes and follows away (--others 0)"
        } else {
            ""
        };
        let lower = if self.bursts.is_some() { "the rate or the bursts" } else { "the rate" };
        Err(Unworkable(format!(
            "this would come to {peak:.0} events a second at times, and {MAX_EVENTS_PER_S} is the most: lower {lower}{others}"
        )))
    }
}

impl Bursts {
    fn check(&self) -> Result<(), Unworkable> {
        if !(1.0..=1000.0).contains(&self.factor) {
            return Err(Unworkable(format!("a burst is 1 to 1000 times the rate, not {}", self.factor)));
        }
        if !(self.length_s > 0.0 && self.length_s < self.every_s && self.every_s.is_finite()) {
            let Bursts { every_s, length_s, .. } = self;
            return Err(Unworkable(format!("bursts of {length_s} s do not fit into periods of {every_s} s")));
        }
        Ok(())
    }
}

/// Why settings cannot be simulated.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unworkable(String);

/// The time of the machine, in microseconds since 1970.
pub(crate) fn now_us() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_said() {
        let said = |settings: Settings| settings.check().map_or_else(|error| error.to_string(), |()| "fine".to_owned());
        let bursts = |factor, length_s| Some(Bursts { factor, every_s: 60.0, length_s });
        assert_eq!(said(Settings::default()), "fine");
        assert_eq!(said(Settings { speed: 0.0, ..Settings::default() }), "the speed has to be at least 0.001, not 0");
        assert!(said(Settings { wikipedia_per_s: Some(f64::NAN), ..Settings::default() }).contains("not NaN"));
        assert!(said(Settings { bursts: bursts(10.0, 60.0), ..Settings::default() }).contains("do not fit"));
        assert!(said(Settings { bursts: bursts(0.5, 5.0), ..Settings::default() }).contains("not 0.5"));
        assert!(said(Settings { bluesky_per_s: Some(1e5), ..Settings::default() }).contains("--others 0"));
        let alone = Settings { bluesky_per_s: Some(1e5), services: Services::Wikipedia, ..Settings::default() };
        assert_eq!(said(alone), "fine");
        assert!(said(Settings { from_us: 5, ..Settings::default() }).contains("after 1970"));
    }

    #[test]
    fn answers_have_names() {
        assert_eq!("ok".parse(), Ok(Answer::Events));
        assert_eq!("503".parse(), Ok(Answer::Status(503)));
        assert!("200".parse::<Answer>().is_err());
    }
}
