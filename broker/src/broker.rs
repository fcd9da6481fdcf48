//! One broker: opens the rooms bottom-up, closes them top-down. Wiring only.
//!
//! A program that embeds a broker needs two calls. Several may live in one process, each with a folder of its own:
//!
//! ```
//! use cutaway::{Broker, Settings};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let settings = Settings::default()
//!     .with("log.dirs", folder.display())
//!     .with("listeners", "PLAINTEXT://127.0.0.1:0"); // a port that is free
//! let broker = Broker::start(settings.resolve()?).await?;
//! println!("bootstrap.servers={}", broker.address());
//! broker.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Tests want a folder that is gone afterwards: [`Broker::start_temporary`].

pub mod temporary;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::clock::{self, Clock, TimestampMs};
use crate::config::limits::{JOURNAL_RING_BYTES, SHUTDOWN_DEADLINE_MS};
use crate::config::{BrokerConfig, Listener, Settings, SettingsError, on_free_ports};
use crate::coordinator::Coordinator;
use crate::handlers::Core;
use crate::journal::{Event, Journal};
use crate::server::{Addresses, Server};
use crate::storage;
use crate::storage::disk::Disk;
use crate::topics::Topics;
use crate::web::{ControlSocket, ListenerStatus, Status};

/// What a setting says that [`Broker::start_temporary`] makes.
const TEMPORARY: &str = "start_temporary";

/// A broker that serves.
///
/// [`Broker::shutdown`] stops it in good order. One that is dropped is stopped as by a kill: connections are cut, and as
/// soon as the runtime has got round to ending its tasks, port and folder are free again. Nothing that was acknowledged
/// is lost; the next start on the folder recovers.
#[derive(Debug)]
pub struct Broker {
    clock: Clock,
    journal: Journal,
    server: Server,
    control: ControlSocket,
    coordinator: Arc<Coordinator>,
    /// Last of the rooms, because it holds the folder's lock.
    topics: Arc<Topics>,
    is_temporary: bool,
}

/// Why a broker does not start. Nothing was changed that is not in the data folder's own order.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings cannot be used; only where they are not resolved yet.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is no tokio runtime, or it is shutting down.
    #[error(
        "a broker needs a tokio runtime that runs: start it inside #[tokio::main], #[tokio::test] or Runtime::block_on"
    )]
    Runtime,
    /// The data folder cannot be used: not writable, another broker's, another cluster's, a newer version's.
    #[error("{0}{advice}", advice = advice_on_folder(.0))]
    Folder(#[source] storage::Error),
    /// A listener cannot be opened; the error names it.
    #[error("{0}{advice}", advice = advice_on_port(.0))]
    Listen(#[source] io::Error),
}

impl Broker {
    /// Opens everything and serves.
    ///
    /// Needs a tokio runtime with everything enabled, of either flavour. On one with a single thread the broker can only
    /// serve while nothing else blocks that thread: a client that blocks needs the other flavour.
    ///
    /// # Errors
    /// When the folder or an address cannot be used, or there is no runtime.
    pub async fn start(config: BrokerConfig) -> Result<Broker, StartError> {
        Broker::start_with_clock(config, Clock::system()).await
    }

    /// As [`Broker::start`], by a clock that others may hold too: a frozen one moves only when told to.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub async fn start_with_clock(config: BrokerConfig, clock: Clock) -> Result<Broker, StartError> {
        open(config, clock, false).await
    }

    /// Starts a broker for a test: in a temporary folder of its own, on a free port of this machine for each of its nodes
    /// unless `settings` name listeners. The folder is removed on [`Broker::shutdown`], and also when the broker is dropped, as by a test that
    /// panics; what a killed process left, the next start of this kind removes.
    ///
    /// ```
    /// use cutaway::{Broker, Settings};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = Broker::start_temporary(Settings::default().with("num.partitions", 3)).await?;
    /// println!("bootstrap.servers={}", broker.address());
    /// let folder = broker.folder().to_owned();
    /// assert!(folder.exists());
    /// broker.shutdown().await?;
    /// assert!(!folder.exists());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Broker::start`], and when the settings cannot be used.
    pub async fn start_temporary(settings: Settings) -> Result<Broker, StartError> {
        let folder = temporary::choose();
        let mut settings = settings.with_flag(TEMPORARY, "log.dirs", folder.display());
        if settings.set_values("listeners").is_empty() {
            let listeners = on_free_ports(settings.node_count());
            settings = settings.with_flag(TEMPORARY, "listeners", listeners);
        }
        open(settings.resolve()?, Clock::system(), true).await
    }

    /// The address of the first listener: what clients take for `bootstrap.servers`. Where there are several nodes,
    /// [`Broker::addresses`] has one of each.
    pub fn address(&self) -> SocketAddr {
        self.server.addresses()[0].1
    }

    /// The listeners' names and the addresses that were bound, in the order of the settings.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.server.addresses()
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.topics.data_folder()
    }

    /// What the broker says of itself.
    pub fn status(&self) -> Status {
        self.control.status()
    }

    /// What the broker just did.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Waits until somebody asks for a stop on the control socket.
    pub async fn stop_asked(&self) {
        self.control.stop_asked().await;
    }

    /// Stops in good order: no new connections, answers to what is in flight or parked, flushes, checkpoints, and the
    /// file that says so. A temporary folder is removed instead.
    ///
    /// # Errors
    /// When the disk failed; what was acknowledged is as safe as after a kill.
    pub async fn shutdown(self) -> storage::Result<()> {
        let Broker { clock, server, control, coordinator, topics, is_temporary, .. } = self;
        // Half of the time is for clients. The other half is what a healthy disk needs at most; a slow one gets all that
        // it asks for, because a flush that is cut short would make the next start a recovery.
        server.shutdown(Duration::from_millis(SHUTDOWN_DEADLINE_MS / 2)).await;
        control.close(&clock).await;
        coordinator.close().await;
        if !is_temporary {
            return topics.close().await;
        }
        // Whatever else still serves holds the topics too, and the last one removes the folder.
        drop((server, coordinator));
        // A panic in there has been reported by its thread.
        let _ = tokio::task::spawn_blocking(move || drop(topics)).await;
        Ok(())
    }
}

/// Opens the rooms.
async fn open(config: BrokerConfig, clock: Clock, is_temporary: bool) -> Result<Broker, StartError> {
    let runtime = Handle::try_current().map_err(|_| StartError::Runtime)?;
    let started_at_ms = clock.now_ms();
    let config = Arc::new(config);
    let journal = Journal::new(clock.clone(), JOURNAL_RING_BYTES);
    let disk = Disk::default();
    let opening = {
        let (disk, clock, config, journal) = (disk.clone(), clock.clone(), Arc::clone(&config), journal.clone());
        // Recovery may take its time, in which others want to be served by the same runtime.
        runtime.spawn_blocking(move || open_folder(disk, clock, config, journal, is_temporary))
    };
    let opened = opening.await.map_err(|broken| match broken.try_into_panic() {
        Ok(bug) => std::panic::resume_unwind(bug),
        Err(_) => StartError::Runtime,
    })?;
    let (addresses, topics) = opened?;
    let core = Core::new(Arc::clone(&topics), clock.clone(), journal.clone());
    let coordinator = Arc::clone(core.coordinator());
    let opened = Server::listen(addresses, Arc::new(core)).map_err(StartError::Listen).and_then(|server| {
        let status = first_status(&config, &topics, &server, &journal, started_at_ms);
        let control = ControlSocket::open(&disk, &config.log_dir, status, &topics);
        server.serve().map_err(StartError::Listen)?;
        Ok((server, control.map_err(StartError::Folder)?))
    });
    match opened {
        Ok((server, control)) => {
            // Who asks for a group meanwhile waits until it is read.
            let loading = Arc::clone(&coordinator);
            runtime.spawn(async move { loading.load().await });
            Ok(Broker { clock, journal, server, control, coordinator, topics, is_temporary })
        }
        Err(error) => {
            // Leave the folder as it was found: closed in good order. The first error is the one to tell.
            let _ = topics.close().await;
            Err(error)
        }
    }
}

/// The part that blocks.
fn open_folder(
    disk: Disk,
    clock: Clock,
    config: Arc<BrokerConfig>,
    journal: Journal,
    is_temporary: bool,
) -> Result<(Addresses, Arc<Topics>), StartError> {
    // Before the folder is made: a start that fails because a port is taken leaves nothing behind.
    let addresses = Addresses::take(&config.listeners).map_err(StartError::Listen)?;
    if is_temporary {
        temporary::remove_stale(config.log_dir.parent().unwrap_or(Path::new("/")));
    }
    let topics = Topics::open(disk.clone(), clock, Arc::clone(&config), journal).inspect_err(|_| {
        if is_temporary {
            // The error that is told is the one that came first.
            let _ = disk.remove_dir_all(&config.log_dir);
        }
    });
    let topics = topics.map_err(StartError::Folder)?;
    if is_temporary {
        topics.remove_when_unused();
    }
    Ok((addresses, topics))
}

/// What is known once the listeners are bound; the counts are looked up for each answer.
fn first_status(
    config: &BrokerConfig,
    topics: &Topics,
    server: &Server,
    journal: &Journal,
    started_at_ms: TimestampMs,
) -> Status {
    let bound = server.addresses();
    let listeners =
        config.listeners.iter().zip(bound).map(|(listener, (_, address))| listener_status(listener, address));
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        cluster_id: topics.cluster_id().to_owned(),
        node_id: config.node_id,
        nodes: config.node_count,
        listeners: listeners.collect(),
        data_folder: std::path::absolute(&config.log_dir).unwrap_or_else(|_| config.log_dir.clone()),
        started_at_ms,
        started_at: clock::rfc3339(started_at_ms),
        topics: 0,
        partitions: 0,
        recovery: recovery(journal),
    }
}

fn listener_status(listener: &Listener, address: SocketAddr) -> ListenerStatus {
    let Listener { node, name, advertised_host, advertised_port, .. } = listener;
    let host = if advertised_host.contains(':') { format!("[{advertised_host}]") } else { advertised_host.clone() };
    let port = if *advertised_port == 0 { address.port() } else { *advertised_port };
    ListenerStatus {
        node: *node,
        name: name.clone(),
        address: format!("{name}://{address}"),
        advertised: format!("{name}://{host}:{port}"),
    }
}

/// What recovery found in this start; right after it the ring holds all of it, or its newest.
fn recovery(journal: &Journal) -> Vec<String> {
    let sentence = |event: &Event| match event {
        Event::RecoveryFound { file, position: 0, sentence, .. } => Some(format!("{}: {sentence}", file.display())),
        Event::RecoveryFound { file, position, sentence, .. } => {
            Some(format!("{} at byte {position}: {sentence}", file.display()))
        }
        _ => None,
    };
    journal.recent().iter().filter_map(|entry| sentence(&entry.event)).collect()
}

fn advice_on_folder(error: &storage::Error) -> &'static str {
    let kind = match error {
        storage::Error::Io { source, .. } => source.kind(),
        _ => io::ErrorKind::Other,
    };
    match kind {
        io::ErrorKind::AlreadyExists => "; a file stands there: name a folder with --data (log.dirs)",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotADirectory => {
            "; choose another folder with --data (log.dirs)"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room, or choose another folder with --data"
        }
        _ => "",
    }
}

fn advice_on_port(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => " (--port 9093 takes another port, --port 0 one that is free)",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
