//! Jetstream's side: one JSON object in each text frame of a WebSocket.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::task::yield_now;
use tokio::time::{Duration, Instant, interval_at, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::faults;
use super::world::{Served, Service, World};
use crate::bluesky::{Filter, Offence, Update, Version};

/// How often the service looks whether a client is there.
const PING_EVERY: Duration = Duration::from_secs(30);

/// So many events are made, and so many are looked at, before they are handed on.
const EVENTS_AT_A_TIME: usize = 100;
const LOOKED_AT_A_TIME: u64 = 20_000;

/// Waits; without a pause it lets others go first, which a sleep of nothing would do for a millisecond.
async fn pass(pause: Duration) {
    if pause.is_zero() { yield_now().await } else { sleep(pause).await }
}

/// How a subscription ends.
enum End {
    /// The client has gone.
    Gone,
    /// The connection has lived long enough.
    OldAge,
    /// The client does not read fast enough.
    TooSlow,
    /// The client said what it must not say.
    Offended(CloseCode, String),
}

/// Events on their way to one client.
pub(super) struct Subscription {
    world: Arc<World>,
    socket: WebSocketStream<TokioIo<Upgraded>>,
    version: Version,
    filter: Filter,
    wanted: String,
    /// The event that is looked at next.
    next: u64,
    waits_for_hello: bool,
    has_caught_up: bool,
    stall: Option<(u64, Duration)>,
    delivered: u64,
    /// The events that are handed on with the next flush.
    entered: Vec<u64>,
}

impl Subscription {
    /// A subscription to events from this number on.
    pub(super) fn new(
        world: Arc<World>,
        socket: WebSocketStream<TokioIo<Upgraded>>,
        version: Version,
        filter: Filter,
        next: u64,
        waits_for_hello: bool,
    ) -> Subscription {
        let (stall, wanted) = (world.settings.faults.stall, filter.describe());
        let entered = Vec::new();
        Subscription {
            world,
            socket,
            version,
            filter,
            wanted,
            next,
            waits_for_hello,
            has_caught_up: false,
            stall,
            delivered: 0,
            entered,
        }
    }

    /// Sends until somebody ends it.
    pub(super) async fn run(mut self, _served: Served) {
        let life = self.world.settings.faults.life.unwrap_or(Duration::MAX);
        let end = timeout(life, self.deliver()).await.unwrap_or(End::OldAge);
        let delivered = self.delivered;
        match end {
            End::Gone => self.world.note(Service::Bluesky, format_args!("a client has gone after {delivered} events")),
            End::OldAge => {
                self.world.cut(Service::Bluesky, format_args!("a connection is cut after {delivered} events"));
                self.die_of_old_age().await;
            }
            End::TooSlow => {
                self.world.cut(
                    Service::Bluesky,
                    format_args!("a client is dropped after {delivered} events: it is too slow"),
                );
                if self.version == Version::V2 {
                    let error = r#"{"$type":"error","error":"ConsumerTooSlow","message":"events come faster than you read them"}"#;
                    self.part_with(Message::text(error)).await;
                }
            }
            End::Offended(code, reason) => {
                self.world.cut(Service::Bluesky, format_args!("a client is dropped: {reason}"));
                let reason = reason.chars().take(40).collect::<String>().into();
                self.part_with(Message::Close(Some(CloseFrame { code, reason }))).await;
            }
        }
    }

    async fn deliver(&mut self) -> End {
        let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        loop {
            let pause = if self.waits_for_hello {
                Duration::MAX
            } else {
                match self.deliver_some().await {
                    ControlFlow::Continue(pause) => pause,
                    ControlFlow::Break(end) => return end,
                }
            };
            // What the client says is heard between two steps, also when there is no pause between them.
            tokio::select! {
                biased;
                message = self.socket.next() => match self.hear(message) {
                    ControlFlow::Continue(()) => {}
                    ControlFlow::Break(end) => return end,
                },
                _ = pings.tick() => {
                    if self.socket.send(Message::Ping(Bytes::new())).await.is_err() {
                        return End::Gone;
                    }
                }
                () = pass(pause) => {}
            }
        }
    }

    /// One step: some events, and how long to wait for more.
    async fn deliver_some(&mut self) -> ControlFlow<End, Duration> {
        let (live, goes_on) = self.world.live(Service::Bluesky);
        let slow_after = self.world.settings.faults.slow_after;
        if self.has_caught_up
            && self.next < live
            && self.world.pace.since(self.world.bluesky.timeline().time_us(self.next)) > slow_after
        {
            return ControlFlow::Break(End::TooSlow);
        }
        match timeout(slow_after, self.send_up_to(live)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return ControlFlow::Break(End::Gone),
            Err(_) => return ControlFlow::Break(End::TooSlow),
        }
        if self.world.settings.faults.life_events.is_some_and(|events| self.delivered >= events) {
            return ControlFlow::Break(End::OldAge);
        }
        if let Some((_, pause)) = self.stall.take_if(|(after, _)| self.delivered >= *after) {
            self.world.note(Service::Bluesky, format_args!("a connection stalls for {} s", pause.as_secs_f64()));
            sleep(pause).await;
        }
        self.has_caught_up |= self.next >= live;
        ControlFlow::Continue(match (self.next < live, goes_on) {
            (true, _) => Duration::ZERO,
            (false, true) => self.world.pace.until(self.world.bluesky.timeline().time_us(live)),
            (false, false) => Duration::MAX,
        })
    }

    async fn send_up_to(&mut self, live: u64) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        let end = live.min(self.next + LOOKED_AT_A_TIME);
        while self.next < end
            && self.entered.len() < EVENTS_AT_A_TIME
            && !self.world.settings.faults.are_due(self.delivered, self.stall)
        {
            let number = self.next;
            if self.filter.admits(&self.world.bluesky, number) {
                self.send_malformed(number).await?;
                let event = self.world.bluesky.event(number, self.version);
                if self.filter.fits(&event) {
                    self.socket.feed(Message::text(event)).await?;
                    self.entered.push(number);
                    self.delivered += 1;
                }
            }
            self.next += 1;
        }
        self.socket.flush().await?;
        let (world, entered) = (&self.world, &mut self.entered);
        world.with_bluesky(&self.wanted, |ledger| {
            ledger.reach(self.next);
            for number in entered.drain(..) {
                let act = world.bluesky.act(number);
                ledger.enter(number, act.commit().map_or(act.kind(), |(_, operation)| operation));
            }
        });
        Ok(())
    }

    async fn send_malformed(&mut self, number: u64) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        let permille = self.world.settings.faults.malformed_permille;
        let Some(malformed) = faults::malformed(self.world.settings.seed, number, permille) else { return Ok(()) };
        if !self.world.with_bluesky(&self.wanted, |ledger| ledger.enter_malformed(number)) {
            return Ok(());
        }
        self.socket.feed(Message::Frame(Frame::message(malformed, OpCode::Data(Data::Text), true))).await
    }

    /// What a client says: that it goes, or what it wants from now on. The newer protocol has no ear for anything else.
    fn hear(&mut self, message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> ControlFlow<End> {
        let text = match message {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return ControlFlow::Continue(()),
            Some(Ok(Message::Text(text))) => Bytes::from(text),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Close(_) | Message::Frame(_)) | Err(_)) | None => return ControlFlow::Break(End::Gone),
        };
        if self.version == Version::V2 {
            return ControlFlow::Break(End::Offended(CloseCode::Policy, "nothing is to be said here".to_owned()));
        }
        match Filter::updated(&text) {
            Ok(Update::Unknown) => {}
            Ok(Update::Filter(filter)) => {
                self.wanted = filter.describe();
                self.filter = filter;
                self.waits_for_hello = false;
                self.world.note(Service::Bluesky, format_args!("a client wants {} from now on", self.wanted));
            }
            Err(Offence::Malformed(sentence)) => {
                return ControlFlow::Break(End::Offended(CloseCode::Invalid, sentence));
            }
            Err(Offence::Invalid(sentence)) => return ControlFlow::Break(End::Offended(CloseCode::Policy, sentence)),
        }
        ControlFlow::Continue(())
    }

    /// The connection's last moment, as it was asked for: half an event, a close code, or nothing.
    async fn die_of_old_age(self) {
        if self.world.settings.faults.mid_event {
            let mut event = self.world.bluesky.event(self.next, self.version).into_bytes();
            event.truncate(event.len() / 2);
            event.retain(u8::is_ascii);
            self.part_with(Message::Frame(Frame::message(event, OpCode::Data(Data::Text), false))).await;
        } else if let Some(code) = self.world.settings.faults.close_code {
            let reason = "the connection has lived long enough".into();
            self.part_with(Message::Close(Some(CloseFrame { code: code.into(), reason }))).await;
        }
    }

    /// Sends a last message to a client that may not be there any more, or not read.
    async fn part_with(mut self, message: Message) {
        let _ = timeout(Duration::from_secs(5), self.socket.send(message)).await;
    }
}
