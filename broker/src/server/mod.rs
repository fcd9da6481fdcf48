//! Sockets to frames and back; what a request means is not known here.
//!
//! A [`Server`] has one accept loop per listener and one task per connection. A connection reads frames, hands
//! them one by one to [`crate::handlers::answer`] and writes the answers in the order of the requests; the whole
//! story is in `connection.rs`, the growing read buffer in `frames.rs`, what all of these may hold together in
//! `budget.rs`, the writing in `outbox.rs`.
//!
//! Nothing a client does ends more than its own connection: a handler that panics takes its task with it, a frame
//! that lies about its length is refused before memory is spent on it, and a socket that cannot be accepted makes
//! the loop pause, not end.

mod addresses;
mod budget;
mod connection;
mod frames;
mod goodbye;
mod outbox;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::config::limits;
use crate::handlers::{Core, Endpoint, RequestContext};
use crate::journal::PROVOKED;
pub use addresses::Addresses;
use addresses::BoundListener;
use budget::Budget;
use connection::{Connection, stopped};

/// How long an accept loop rests when the process has no descriptor left for another socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listening sockets of one broker. Once it is dropped, the runtime ends whatever still serves.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listeners: Mutex<Vec<BoundListener<StdListener>>>,
    addresses: Vec<(String, SocketAddr)>,
    accept_loops: Mutex<JoinSet<()>>,
    stopping: watch::Sender<bool>,
}

/// What all connections of a server share.
#[derive(Debug)]
struct Shared {
    core: Arc<Core>,
    /// One permit per connection, `max.connections` of them.
    connection_slots: Arc<Semaphore>,
    /// `queued.max.request.bytes`; `None` when there is no such limit.
    budget: Option<Budget>,
    patience: Patience,
    connection_ids: AtomicU64,
}

/// How long clients may keep the broker waiting, before their connections are closed.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// From the first to the last byte of a frame, plus one second per MiB of it.
    frame: Duration,
    /// Until the next [`frames::UNBUDGETED_BYTES`] of a large frame, while others wait for its share of the budget.
    growth: Duration,
    /// Until some byte of an answer is taken.
    answer: Duration,
}

impl Server {
    /// Listens on the addresses; nothing is accepted before [`Server::serve`].
    ///
    /// # Errors
    /// As [`Addresses::take`]: of two who take an address at the same time, one is the first to listen.
    pub fn listen(addresses: Addresses, core: Arc<Core>) -> io::Result<Server> {
        let bound = addresses.listen()?;
        let addresses = bound
            .iter()
            .map(|listener| Ok((listener.endpoint.listener.clone(), listener.socket.local_addr()?)))
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Server {
            shared: Arc::new(Shared::new(core)),
            listeners: Mutex::new(bound),
            addresses,
            accept_loops: Mutex::default(),
            stopping: watch::Sender::new(false),
        })
    }

    /// The listeners' names and the addresses that were bound, in the order of the configuration.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.addresses.clone()
    }

    /// Starts to accept connections; returns at once. Needs a running tokio runtime.
    ///
    /// # Errors
    /// When a listening socket cannot be registered with the runtime.
    pub fn serve(&self) -> io::Result<()> {
        let mut loops = self.accept_loops.lock().expect("nobody panics while holding this lock");
        for listener in self.listeners.lock().expect("nobody panics while holding this lock").drain(..) {
            let socket = TcpListener::from_std(listener.socket)?;
            let shared = Arc::clone(&self.shared);
            let door = (listener.endpoint, listener.cluster);
            loops.spawn(accept_loop(socket, door, shared, self.stopping.subscribe()));
        }
        Ok(())
    }

    /// Stops accepting, has parked requests answered at once and closes every connection; what is not closed when
    /// the deadline has passed is cut off: to its client that is what a kill would be, a request without an answer.
    pub async fn shutdown(&self, deadline: Duration) {
        self.stopping.send_replace(true);
        self.listeners.lock().expect("nobody panics while holding this lock").clear();
        let mut loops = std::mem::take(&mut *self.accept_loops.lock().expect("nobody panics while holding this lock"));
        let all_closed = async {
            // An accept loop ends when its connections have; if it panicked, there is nothing left to wait for.
            while loops.join_next().await.is_some() {}
        };
        tokio::select! {
            () = all_closed => return,
            () = self.shared.core.clock().sleep(deadline) => {}
        }
        warn!("some clients did not take their answers within {deadline:?}; their connections are cut off");
        loops.shutdown().await;
    }
}

impl Shared {
    fn new(core: Arc<Core>) -> Shared {
        let config = core.config();
        let slots = usize::try_from(config.max_connections).unwrap_or(0).clamp(1, Semaphore::MAX_PERMITS);
        let bytes = |setting: i64| usize::try_from(setting).unwrap_or(usize::MAX);
        let budget = (config.queued_max_request_bytes > 0).then(|| {
            Budget::new(bytes(config.queued_max_request_bytes), bytes(config.socket_request_max_bytes.into()))
        });
        let connection_slots = Arc::new(Semaphore::new(slots));
        Shared { core, connection_slots, budget, patience: Patience::default(), connection_ids: AtomicU64::new(1) }
    }
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            frame: Duration::from_millis(limits::FRAME_TIMEOUT_MS),
            growth: Duration::from_millis(limits::FRAME_GROWTH_TIMEOUT_MS),
            answer: Duration::from_millis(limits::ANSWER_TIMEOUT_MS),
        }
    }
}

/// Accepts until the server stops, then waits for the connections to end. A connection's task owns its slot.
async fn accept_loop(
    socket: TcpListener,
    (endpoint, cluster): (Arc<Endpoint>, Arc<[Arc<Endpoint>]>),
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut complained = false;
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stopping) => break,
            accepted = accept(&socket, &shared) => accepted,
        };
        match accepted {
            Ok((slot, stream, peer)) => {
                complained = false;
                let id = shared.connection_ids.fetch_add(1, Ordering::Relaxed);
                let context = RequestContext::new(Arc::clone(&endpoint), Arc::clone(&cluster), peer, id);
                let connection = open(stream, context, &shared, &stopping);
                connections.spawn(async move {
                    connection.run().await;
                    drop(slot);
                });
            }
            Err(failure) if is_out_of_resources(&failure) => {
                if !std::mem::replace(&mut complained, true) {
                    let listener = &endpoint.listener;
                    error!(target: PROVOKED, "cannot accept connections on {listener}: {failure}; raise `ulimit -n`");
                }
                shared.core.clock().sleep(ACCEPT_PAUSE).await;
            }
            // The client was gone before it was accepted.
            Err(failure) => info!("a connection to {} was lost before it began: {failure}", endpoint.listener),
        }
    }
    drop(socket);
    while connections.join_next().await.is_some() {}
}

/// Waits for a client, then for a free slot; at `max.connections` one client of each listener waits here and the
/// others in the kernel's backlog, as in Kafka. A listener to which nobody comes holds no slot.
async fn accept(
    socket: &TcpListener,
    shared: &Shared,
) -> io::Result<(tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let (stream, peer) = socket.accept().await?;
    let slots = Arc::clone(&shared.connection_slots);
    if slots.available_permits() == 0 {
        warn!(target: PROVOKED, "`max.connections` is reached; new clients wait until others leave");
    }
    let slot = slots.acquire_owned().await.expect("the slots are never closed");
    Ok((slot, stream, peer))
}

fn open(
    stream: TcpStream,
    context: RequestContext,
    shared: &Arc<Shared>,
    stopping: &watch::Receiver<bool>,
) -> Connection {
    // Answers are written whole, so waiting to fill a packet would only delay them.
    if let Err(failure) = stream.set_nodelay(true) {
        info!("cannot set TCP_NODELAY for {}: {failure}", context.peer);
    }
    Connection::new(stream, context, Arc::clone(shared), stopping.clone())
}

/// EMFILE, ENFILE, ENOBUFS and ENOMEM: the next accept would fail as well.
fn is_out_of_resources(failure: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| failure.raw_os_error() == Some(errno.raw_os_error()))
}
