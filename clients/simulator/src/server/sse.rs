//! Wikimedia's side: server-sent events, or one line of JSON for each.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};

use super::faults;
use super::refusals;
use super::world::{Served, Service, World};
use crate::settings::{Faults, Settings};
use crate::wikipedia::{Positions, Topic, Unusable, Wanted};

/// What is made before it is handed on.
const PIECE_BYTES: usize = 64 * 1024;

/// So many events of one topic follow each other while a client catches up, whatever the other topic has in between.
const TOPIC_RUN: u64 = 200;

/// The streams' names.
const STREAMS: [&str; 2] = ["recentchange", "mediawiki.recentchange"];

/// `GET /v2/stream/NAMES`
pub(super) async fn get(
    State(world): State<Arc<World>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(names): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = refusals::identify(&headers) {
        world.refuse(Service::Wikipedia, "it does not say who it is (User-Agent)");
        return refused;
    }
    let wanted = match wanted(&names, query.as_deref(), &headers) {
        Ok(wanted) => wanted,
        Err(unusable) => {
            world.refuse(Service::Wikipedia, &unusable.to_string());
            return refusals::error(StatusCode::BAD_REQUEST, &unusable.to_string());
        }
    };
    let served = match world.admit(Service::Wikipedia, from.ip()) {
        Ok(served) => served,
        Err(answer) => return refusals::planned(answer),
    };
    let (live, _) = world.live(Service::Wikipedia);
    let positions = world.wikipedia.begin(&wanted, live, 0);
    let back = live - positions.next[0].min(positions.next[1]).min(live);
    world.note(Service::Wikipedia, format_args!("{from} reads, beginning {back} events back"));
    let is_json = headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"));
    let (pieces, body) = mpsc::channel(1);
    let stall = world.settings.faults.stall;
    let (piece, entered) = (Vec::new(), Vec::new());
    let delivery = Delivery { world, pieces, positions, is_json, first_topic: 1, stall, delivered: 0, piece, entered };
    tokio::spawn(delivery.run(served));
    let content_type = if is_json { "application/json" } else { "text/event-stream" };
    let body = Body::from_stream(stream::unfold(body, async |mut body| Some((body.recv().await?, body))));
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], body).into_response()
}

fn wanted(names: &str, query: Option<&str>, headers: &HeaderMap) -> Result<Wanted, Unusable> {
    if let Some(unknown) = names.split(',').find(|name| !STREAMS.contains(name)) {
        return Err(Unusable(format!("there is no stream '{unknown}': recentchange is the one that is simulated")));
    }
    let last_event_id = headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()));
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let since = pairs.find(|(name, _)| name == "since").map(|(_, value)| value.into_owned());
    Wanted::read(last_event_id.as_deref(), since.as_deref())
}

/// How a delivery ends.
enum End {
    /// The client has gone.
    Gone,
    /// The connection has lived long enough.
    OldAge,
}

/// Events on their way to one client.
struct Delivery {
    world: Arc<World>,
    pieces: mpsc::Sender<std::io::Result<Bytes>>,
    positions: Positions,
    is_json: bool,
    first_topic: Topic,
    stall: Option<(u64, Duration)>,
    delivered: u64,
    piece: Vec<u8>,
    /// The events in the piece.
    entered: Vec<u64>,
}

impl Delivery {
    /// Sends until the client has gone or the connection has lived long enough.
    async fn run(mut self, _served: Served) {
        let life = self.world.settings.faults.life.unwrap_or(Duration::MAX);
        let end = timeout(life, self.deliver()).await.unwrap_or(End::OldAge);
        let delivered = self.delivered;
        match end {
            End::Gone => {
                self.world.note(Service::Wikipedia, format_args!("a client has gone after {delivered} events"))
            }
            End::OldAge => {
                if self.world.settings.faults.mid_event {
                    self.send_half_an_event().await;
                }
                // An error makes the server drop the connection without the last chunk.
                let _ = self.pieces.send(Err(std::io::Error::other("the connection is cut"))).await;
                self.world.cut(Service::Wikipedia, format_args!("a connection is cut after {delivered} events"));
            }
        }
    }

    async fn deliver(&mut self) -> End {
        if !self.is_json {
            self.piece.extend_from_slice(b":ok\n\n");
        }
        loop {
            let (live, goes_on) = self.world.live(Service::Wikipedia);
            self.fill(live);
            let is_behind = self.positions.next.into_iter().any(|next| next < live);
            if self.hand_on().await.is_err() {
                return End::Gone;
            }
            if self.world.settings.faults.life_events.is_some_and(|events| self.delivered >= events) {
                return End::OldAge;
            }
            let pause = match self.stall.take_if(|(after, _)| self.delivered >= *after) {
                Some((_, pause)) => {
                    self.world
                        .note(Service::Wikipedia, format_args!("a connection stalls for {} s", pause.as_secs_f64()));
                    pause
                }
                None if is_behind => continue,
                None if goes_on => self.world.pace.until(self.world.wikipedia.timeline().time_us(live)),
                None => Duration::MAX,
            };
            if timeout(pause, self.pieces.closed()).await.is_ok() {
                return End::Gone;
            }
        }
    }

    /// Makes a piece of what has happened before `live`. The topics take turns in coming first.
    fn fill(&mut self, live: u64) {
        self.first_topic = 1 - self.first_topic;
        for topic in [self.first_topic, 1 - self.first_topic] {
            for _ in 0..TOPIC_RUN {
                let number = self.world.wikipedia.next_in_topic(topic, self.positions.next[topic]);
                self.positions.next[topic] = number;
                if number >= live
                    || self.piece.len() >= PIECE_BYTES
                    || self.world.settings.faults.are_due(self.delivered, self.stall)
                {
                    break;
                }
                self.add(number);
            }
        }
    }

    fn add(&mut self, number: u64) {
        let Settings { seed, faults: Faults { malformed_permille, .. }, .. } = self.world.settings;
        if let Some(malformed) = faults::malformed(seed, number, malformed_permille)
            && self.world.with_wikipedia(|ledger| ledger.enter_malformed(number))
        {
            self.frame(None, &malformed);
        }
        let event = self.world.wikipedia.event(number);
        let id = self.world.wikipedia.deliver(number, &mut self.positions);
        self.frame(Some(&id), event.as_bytes());
        self.entered.push(number);
        self.delivered += 1;
    }

    fn frame(&mut self, id: Option<&str>, data: &[u8]) {
        if self.is_json {
            self.piece.extend_from_slice(data);
            self.piece.push(b'\n');
            return;
        }
        self.piece.extend_from_slice(b"event: message\n");
        if let Some(id) = id {
            self.piece.extend_from_slice(format!("id: {id}\n").as_bytes());
        }
        self.piece.extend_from_slice(b"data: ");
        self.piece.extend_from_slice(data);
        self.piece.extend_from_slice(b"\n\n");
    }

    /// Hands the piece on, which waits until the client has taken what came before.
    async fn hand_on(&mut self) -> Result<(), Gone> {
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        let step = if self.world.settings.faults.bytewise { 1 } else { piece.len().max(1) };
        for begin in (0..piece.len()).step_by(step) {
            self.pieces.send(Ok(piece.slice(begin..begin + step))).await.map_err(|_| Gone)?;
        }
        let world = &self.world;
        world.with_wikipedia(|ledger| {
            let [first, second] = self.positions.next;
            ledger.reach(first.min(second));
            self.entered.drain(..).for_each(|number| ledger.enter(number, world.wikipedia.kind(number).name()));
        });
        Ok(())
    }

    /// The first half of the event that would have come next.
    async fn send_half_an_event(&mut self) {
        self.piece.clear();
        let event = self.world.wikipedia.event(self.positions.next[0]);
        self.frame(None, event.as_bytes());
        self.piece.truncate(event.len() / 2);
        // Who has gone misses nothing.
        let _ = self.pieces.send(Ok(Bytes::from(std::mem::take(&mut self.piece)))).await;
    }
}

/// The client has gone.
struct Gone;
