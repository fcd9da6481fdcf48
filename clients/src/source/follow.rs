//! Keeps a stream going: connects, reads, and after every end begins again where it was.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::answer::Trouble;
use super::socket::Socket;
use super::stream::{self, Stream};
use super::{Address, Backoff, Item, Service};
use crate::options::SourceOptions;
use crate::resume::rewind;
use crate::talk::say;

/// How far the first step leads over an event that a connection cannot get over; each further step is twice as long.
const FIRST_STEP_US: i64 = 1000;

/// One connection, of either kind.
enum Connection {
    Stream(Box<Stream>),
    Socket(Box<Socket>),
}

impl Connection {
    async fn next(&mut self) -> Result<Vec<Item>, Trouble> {
        match self {
            Connection::Stream(stream) => stream.next().await,
            Connection::Socket(socket) => socket.next().await,
        }
    }
}

/// Reads one stream for as long as somebody wants its events.
pub(super) struct Follower {
    service: Service,
    address: Address,
    client: reqwest::Client,
    /// How long a silence may last, and how large an event may be.
    limits: (Duration, u64),
    /// Belongs to the newest event that was handed on.
    token: Option<Box<str>>,
    /// The token is of an earlier run.
    is_earlier: bool,
    /// How often in a row the connection was ended by what came after that event.
    poisons: u32,
    /// What was said last about why there are no events.
    said: String,
    backoff: Backoff,
    /// Since when there are no events.
    outage: Option<Instant>,
    out: mpsc::Sender<Vec<Item>>,
}

impl Follower {
    /// To be [`run`](Follower::run).
    pub(super) fn new(
        service: Service,
        address: &Address,
        options: &SourceOptions,
        token: Option<Box<str>>,
        out: mpsc::Sender<Vec<Item>>,
    ) -> anyhow::Result<Follower> {
        Ok(Follower {
            service,
            client: stream::client(address)?,
            address: address.clone(),
            limits: (options.stall, options.max_event_bytes),
            is_earlier: token.is_some(),
            token,
            poisons: 0,
            said: String::new(),
            backoff: Backoff::default(),
            outage: None,
            out,
        })
    }

    /// Comes back when there is no sense in another attempt, with the reason.
    pub(super) async fn run(mut self) -> anyhow::Error {
        loop {
            let trouble = match self.connect().await {
                Ok(connection) => self.read(connection).await,
                Err(trouble) => trouble,
            };
            match trouble {
                Trouble::Final(sentence) => return anyhow::Error::msg(sentence),
                Trouble::Unwanted => return anyhow::anyhow!("nobody reads the events any more"),
                Trouble::BadToken(sentence) => {
                    say(format_args!(
                        "% {sentence}: the resume token is not understood there; starting with the newest event"
                    ));
                    self.token = None;
                }
                Trouble::Passing { sentence, wait } => self.wait_out(&sentence, wait).await,
                Trouble::Poison(malformed) => {
                    self.poisons += 1;
                    if self.out.send(vec![Item::Malformed(malformed)]).await.is_err() {
                        return anyhow::anyhow!("nobody reads the events any more");
                    }
                    self.wait_out("an event that cannot be read ended the connection", None).await;
                }
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Trouble> {
        let token = self.token.as_deref();
        let token = token.map(|token| match (self.service, self.poisons) {
            (Service::Wikipedia, _) => rewind::sse_id(token),
            (Service::Bluesky, _) if self.is_earlier => rewind::earlier_cursor(token),
            // The service begins with the event of that time, which is known by then.
            (Service::Bluesky, 0 | 1) => rewind::cursor(token, 0),
            // What came again after the last attempt is in the way, and so may be others of the same moment.
            (Service::Bluesky, poisons) => rewind::cursor(token, FIRST_STEP_US << (poisons - 2).min(20)),
        });
        let token = token.as_deref();
        match self.service {
            Service::Wikipedia => {
                let stream = Stream::connect(&self.client, &self.address, self.limits, token).await?;
                Ok(Connection::Stream(Box::new(stream)))
            }
            Service::Bluesky => {
                let socket = Socket::connect(&self.address, self.limits, token).await?;
                Ok(Connection::Socket(Box::new(socket)))
            }
        }
    }

    /// Hands on what comes, up to the end of the connection.
    async fn read(&mut self, mut connection: Connection) -> Trouble {
        if self.out.send(vec![Item::Connected]).await.is_err() {
            return Trouble::Unwanted;
        }
        loop {
            let items = match connection.next().await {
                Ok(items) => items,
                Err(trouble) => return trouble,
            };
            let newest = items.iter().rev().find_map(|item| match item {
                Item::Event(event) => Some(event),
                _ => None,
            });
            if let Some(event) = newest {
                self.arrived(event.token.as_deref());
            }
            if !items.is_empty() && self.out.send(items).await.is_err() {
                return Trouble::Unwanted;
            }
        }
    }

    /// An event arrived: whatever was wrong is over.
    fn arrived(&mut self, token: Option<&str>) {
        self.is_earlier = false;
        if token != self.token.as_deref() {
            self.poisons = 0;
        }
        self.backoff.reset();
        if let Some(since) = self.outage.take() {
            let lasted = since.elapsed().as_secs_f32();
            say(format_args!("% {} sends events again, after {lasted:.1} s", self.address.place()));
        }
        if let Some(token) = token {
            self.token = Some(token.into());
        }
    }

    /// Says what is wrong, unless that was said last, and waits.
    async fn wait_out(&mut self, sentence: &str, asked: Option<Duration>) {
        if self.outage.is_none() || self.said != sentence {
            let after = if self.token.is_some() { " after the last event" } else { "" };
            say(format_args!("% {sentence}; connecting again{after}"));
            sentence.clone_into(&mut self.said);
            self.outage.get_or_insert_with(Instant::now);
        }
        let pause = self.backoff.pause();
        tokio::time::sleep(asked.map_or(pause, |asked| asked.max(pause))).await;
    }
}
