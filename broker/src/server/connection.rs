//! One connection: read, dispatch, write, strictly in the order of the requests.
//!
//! ```text
//!            +--> receive: wait without a buffer, read what is there
//!            |       |
//!            |       v
//!            |    for every complete frame in the buffer:
//!            |       poll its handler once
//!            |       |-- ready:  queue the answer
//!            |       '-- parked: write what is queued, then wait for it (and for the client's end)
//!            |       |
//!            '-- flush: one vectored write of the answers
//! ```
//!
//! A handler runs inside the connection's task: no task per request, no channel, and requests behind a parked one
//! wait, as in Kafka, where a connection is muted while a request of it is in work.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use super::Shared;
use super::budget::Share;
use super::frames::{Frames, UNBUDGETED_BYTES};
use super::goodbye::{Goodbye, is_the_clients_doing};
use super::outbox::Outbox;
use crate::clock::Clock;
use crate::handlers::{self, Answer, Call, Hangup, RequestContext};
use crate::journal::{Event, PROVOKED};

/// A busy connection may hold an empty buffer for this long: the next frame is then read into warm memory.
const BUFFER_LINGER: Duration = Duration::from_secs(1);

/// While a request is parked, so many bytes behind it are read: enough to notice that the client is gone.
const LARGEST_READ_AHEAD: usize = 64 * 1024;

/// A client and what is known of it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    context: RequestContext,
    shared: Arc<Shared>,
    frames: Frames,
    outbox: Outbox,
    stopping: watch::Receiver<bool>,
    /// What the frame being read has of the budget; it goes along with the whole frame.
    share: Share,
    /// How the frame being read comes along; `None` until it has made us wait.
    pace: Option<FramePace>,
    request_count: u64,
}

/// How a frame that has begun comes along.
#[derive(Clone, Copy, Debug)]
struct FramePace {
    /// When it must be complete; its size, which is known after four bytes only, adds to this.
    deadline: Instant,
    /// When it had last grown by [`UNBUDGETED_BYTES`], and how large it was then.
    grown_at: Instant,
    grown_to: usize,
}

/// A large frame and its share of the budget, which is free again as soon as nobody holds the bytes: a Produce keeps
/// it until it is answered, while a Fetch that waits for records does not.
struct Budgeted {
    frame: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Budgeted {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl Connection {
    /// A client that was just accepted.
    pub(super) fn new(
        stream: TcpStream,
        context: RequestContext,
        shared: Arc<Shared>,
        stopping: watch::Receiver<bool>,
    ) -> Connection {
        let config = shared.core.config();
        let largest_frame = usize::try_from(config.socket_request_max_bytes).unwrap_or(0);
        let (connection, peer, listener) = (context.connection, context.peer, context.endpoint.listener.clone());
        shared.core.journal().record(|| Event::ClientConnected { connection, peer, listener });
        Connection {
            stream,
            context,
            frames: Frames::new(largest_frame),
            outbox: Outbox::default(),
            stopping,
            share: Share::default(),
            pace: None,
            request_count: 0,
            shared,
        }
    }

    /// Serves the client until one side ends it.
    pub(super) async fn run(mut self) {
        let Err(goodbye) = self.serve().await;
        self.say_goodbye(&goodbye);
    }

    async fn serve(&mut self) -> Result<Infallible, Goodbye> {
        loop {
            self.receive().await?;
            let handled = self.handle_frames().await;
            // What came before a bad frame has its answer all the same.
            self.flush().await?;
            handled?;
            if *self.stopping.borrow() {
                return Err(Goodbye::Stopping);
            }
        }
    }

    /// Handles every complete frame in the buffer.
    async fn handle_frames(&mut self) -> Result<(), Goodbye> {
        while let Some(frame) = self.frames.next()? {
            self.pace = None;
            let share = std::mem::take(&mut self.share);
            let frame = if share.is_empty() { frame } else { Bytes::from_owner(Budgeted { frame, _share: share }) };
            self.handle(frame).await?;
            if self.outbox.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Goodbye> {
        self.outbox.flush(&self.stream, self.shared.core.clock(), self.shared.patience.answer).await
    }

    /// Answers one frame: the answer is in the outbox when this returns.
    async fn handle(&mut self, frame: Bytes) -> Result<(), Goodbye> {
        let call = Call::read(frame)?;
        self.request_count += 1;
        self.context.note_client_id(&call, self.shared.core.journal());
        let Connection { stream, context, shared, frames, outbox, stopping, .. } = self;
        let context = &*context;
        let mut answer = pin!(handlers::answer(&shared.core, context, call));
        let answered = match poll_once(answer.as_mut()).await {
            Some(answered) => answered,
            None => {
                outbox.flush(stream, shared.core.clock(), shared.patience.answer).await?;
                parked(stream, frames, context, stopping, answer).await
            }
        };
        outbox.push(answered?)
    }

    /// Returns when the buffer holds more than before.
    async fn receive(&mut self) -> Result<(), Goodbye> {
        self.frames.trim();
        let covered = self.cover_the_next_step().await?;
        loop {
            match self.frames.read_from(&mut self.stream, covered).await {
                Some(Ok(0)) if self.frames.is_empty() => return Err(Goodbye::Left),
                Some(Ok(0)) => return Err(Goodbye::LeftInTheMiddle),
                Some(Ok(_)) => return Ok(()),
                Some(Err(failure)) => return Err(Goodbye::Broken(failure)),
                None if self.frames.is_empty() => self.wait_for_a_frame().await?,
                None => self.wait_for_the_rest().await?,
            }
        }
    }

    /// A large frame is read on only when it has its share of the budget of all connections: up to which byte.
    async fn cover_the_next_step(&mut self) -> Result<usize, Goodbye> {
        let (size, here) = (self.frames.frame_size()?.unwrap_or(0), self.frames.len());
        let Some(budget) = &self.shared.budget else { return Ok(usize::MAX) };
        if size <= UNBUDGETED_BYTES {
            return Ok(size);
        }
        if !budget.try_grow(&mut self.share, here, size) {
            let begun = self.shared.core.clock().instant();
            warn!(target: PROVOKED, "large requests wait for room in `queued.max.request.bytes`");
            tokio::select! {
                biased;
                () = stopped(&mut self.stopping) => return Err(Goodbye::Stopping),
                () = budget.grow(&mut self.share, here, size) => {}
            }
            // The time spent waiting for other clients is not this one's slowness.
            let waited = self.shared.core.clock().elapsed_since(begun);
            if let Some(pace) = &mut self.pace {
                pace.deadline += waited;
                pace.grown_at += waited;
            }
        }
        Ok(self.share.covered())
    }

    /// Waits for the first byte of a frame, for most of the time without a buffer.
    async fn wait_for_a_frame(&mut self) -> Result<(), Goodbye> {
        let Connection { stream, stopping, frames, shared, .. } = self;
        let clock = shared.core.clock();
        if frames.is_large() && wait_readable(stream, stopping, clock, Some(BUFFER_LINGER)).await? {
            return Ok(());
        }
        frames.release();
        let limit = u64::try_from(shared.core.config().connections_max_idle_ms).ok().map(Duration::from_millis);
        if wait_readable(stream, stopping, clock, limit).await? { Ok(()) } else { Err(Goodbye::Idle) }
    }

    /// Waits for more of a frame that has begun.
    async fn wait_for_the_rest(&mut self) -> Result<(), Goodbye> {
        let (patience, clock) = (self.shared.patience, self.shared.core.clock());
        let (now, here) = (clock.instant(), self.frames.len());
        let begun = FramePace { deadline: now + patience.frame, grown_at: now, grown_to: here };
        let pace = self.pace.get_or_insert(begun);
        if here >= pace.grown_to + UNBUDGETED_BYTES {
            (pace.grown_at, pace.grown_to) = (now, here);
        }
        let for_size = Duration::from_secs((self.frames.frame_size()?.unwrap_or(0) >> 20) as u64);
        let left = (pace.deadline + for_size).saturating_duration_since(now);
        let (grown_at, holds_a_share) = (pace.grown_at, !self.share.is_empty());
        let too_late = Err(format!("a request that began was not complete after {:?}", patience.frame + for_size));
        // Looked at before the socket is, or whoever sends a byte each millisecond would have all the time in the world.
        if left.is_zero() {
            return too_late.map_err(Goodbye::Refused);
        }
        let claimed = async {
            match &self.shared.budget {
                Some(budget) if holds_a_share => budget.claimed(clock, grown_at, patience.growth).await,
                _ => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            biased;
            readable = wait_readable(&self.stream, &mut self.stopping, clock, Some(left)) => match readable? {
                true => Ok(()),
                false => too_late,
            },
            () = claimed => Err(format!(
                "a request that began did not grow by {UNBUDGETED_BYTES} bytes in {:?}, while other clients waited for \
                 its room in `queued.max.request.bytes`",
                patience.growth
            )),
        };
        outcome.map_err(Goodbye::Refused)
    }

    /// The one log line and the journal's event of a connection's end.
    fn say_goodbye(&self, goodbye: &Goodbye) {
        let RequestContext { connection, peer, client_id, .. } = &self.context;
        let why = goodbye.sentence();
        match goodbye {
            Goodbye::Refused(_) => {
                warn!(target: PROVOKED, %peer, %client_id, connection, "closed a connection: {why}");
                let (connection, peer, client_id, why) = (*connection, *peer, client_id.to_string(), why.clone());
                self.shared.core.journal().record(|| Event::RequestRefused { connection, peer, client_id, why });
            }
            Goodbye::Broken(failure) if is_the_clients_doing(failure) => {
                debug!(%peer, %client_id, connection, "{why}");
            }
            Goodbye::Broken(_) => {
                error!(target: PROVOKED, %peer, %client_id, connection, "closed a connection: {why}");
            }
            Goodbye::LeftInTheMiddle | Goodbye::Idle => info!(%peer, %client_id, connection, "{why}"),
            Goodbye::Left | Goodbye::Stopping => debug!(%peer, %client_id, connection, "{why}"),
        }
        self.record_gone(why);
    }

    fn record_gone(&self, why: String) {
        let RequestContext { connection, client_id, .. } = &self.context;
        self.shared.core.journal().record(|| Event::ClientGone {
            connection: *connection,
            client_id: client_id.to_string(),
            requests: self.request_count,
            why,
        });
    }
}

impl Drop for Connection {
    /// A handler that panics unwinds through here: the line that names who sent the request that did it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let RequestContext { connection, peer, client_id, .. } = &self.context;
            error!(%peer, %client_id, connection, "a handler panicked; its connection is closed, the broker goes on");
            self.record_gone("a handler panicked".into());
        }
    }
}

/// Waits until the socket has something; false when the limit passed first.
async fn wait_readable(
    stream: &TcpStream,
    stopping: &mut watch::Receiver<bool>,
    clock: &Clock,
    limit: Option<Duration>,
) -> Result<bool, Goodbye> {
    tokio::select! {
        biased;
        ready = stream.readable() => ready.map(|()| true).map_err(Goodbye::Broken),
        () = stopped(stopping) => Err(Goodbye::Stopping),
        () = clock.sleep(limit.unwrap_or(Duration::MAX)), if limit.is_some() => Ok(false),
    }
}

/// Waits for a parked answer. When the client leaves or the broker stops, the handler is told to answer now: it is
/// not dropped half-way, so that whatever it does to topics is done whole. Only the deadline of a stop cuts it off.
async fn parked(
    stream: &mut TcpStream,
    frames: &mut Frames,
    context: &RequestContext,
    stopping: &mut watch::Receiver<bool>,
    mut answer: std::pin::Pin<&mut impl Future<Output = Result<Answer, Hangup>>>,
) -> Result<Answer, Hangup> {
    frames.release();
    let mut watching = true;
    loop {
        tokio::select! {
            biased;
            answered = &mut answer => return answered,
            () = stopped(stopping), if !context.hurry.is_asked_for() => context.hurry.ask(),
            ready = stream.readable(), if watching && frames.len() < LARGEST_READ_AHEAD => {
                let read = match ready {
                    Ok(()) => frames.read_from(stream, 0).await,
                    Err(failure) => Some(Err(failure)),
                };
                if matches!(read, Some(Ok(0) | Err(_))) {
                    watching = false;
                    context.hurry.ask();
                }
            }
        }
    }
}

/// Waits until the server stops.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server itself is gone, which is a stop as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Polls a future once and leaves it to be polled again.
pub(super) async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|task| match future.as_mut().poll(task) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
