//! The two event streams: connected, read, and connected again where they were.
//!
//! ```text
//!   connect ──► read events ──► the stream ends, stalls, breaks
//!      ▲                                   │
//!      └── wait ◄── where we were: token ◄─┘      403, 404: the program ends and says why
//! ```
//!
//! A task reads and hands on small batches. The queue between it and the program holds a few of them; when the program is busy
//! the task waits, stops reading its socket, and TCP slows the service down. So nothing piles up here.

mod address;
mod answer;
mod backoff;
mod follow;
mod socket;
mod sse;
mod stream;

use tokio::sync::mpsc;

pub use address::Address;
pub use backoff::Backoff;

use crate::event::{Event, Malformed};
use crate::options::SourceOptions;

/// How many batches wait for the program.
const QUEUED_BATCHES: usize = 4;

/// How many events a batch of WebSocket frames holds at most.
const BATCH_EVENTS: usize = 256;

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Wikimedia EventStreams: edits, over server-sent events.
    Wikipedia,
    /// Bluesky Jetstream: posts, over a WebSocket.
    Bluesky,
}

impl Service {
    fn live(self) -> &'static str {
        match self {
            Service::Wikipedia => "https://stream.wikimedia.org",
            Service::Bluesky => "wss://jetstream2.us-west.bsky.network",
        }
    }

    fn path(self) -> (&'static str, Option<&'static str>) {
        match self {
            Service::Wikipedia => ("/v2/stream/recentchange", None),
            Service::Bluesky => ("/subscribe", Some("wantedCollections=app.bsky.feed.post")),
        }
    }
}

/// What a source hands on.
#[derive(Debug)]
pub enum Item {
    /// A connection stands.
    Connected,
    /// An event that becomes a record.
    Event(Box<Event>),
    /// An event that does not, counted under a name.
    Skipped {
        /// `canary`, `identity`, `account` or `other`.
        name: &'static str,
        /// Its topic and offset at the source, if that says so.
        place: Option<(Box<str>, u64)>,
    },
    /// Something that should have been an event.
    Malformed(Malformed),
}

/// An event stream that is being read.
#[derive(Debug)]
pub struct Source {
    batches: mpsc::Receiver<Vec<Item>>,
    reading: tokio::task::JoinHandle<anyhow::Error>,
}

impl Source {
    /// Begins to read, after the event that the token belongs to or with the newest one.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn open(
        service: Service,
        address: &Address,
        options: &SourceOptions,
        token: Option<Box<str>>,
    ) -> anyhow::Result<Source> {
        let (sender, batches) = mpsc::channel(QUEUED_BATCHES);
        let follower = follow::Follower::new(service, address, options, token, sender)?;
        Ok(Source { batches, reading: tokio::spawn(follower.run()) })
    }

    /// The next events. May be dropped and called again; nothing is lost by that.
    ///
    /// # Errors
    /// When the service wants no more attempts.
    pub async fn next(&mut self) -> anyhow::Result<Vec<Item>> {
        match self.batches.recv().await {
            Some(batch) => Ok(batch),
            None => Err((&mut self.reading).await.unwrap_or_else(anyhow::Error::from)),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
