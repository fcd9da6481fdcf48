//! One broker: opens the rooms bottom-up, closes them top-down. Wiring only.
//!
//! ```no_run
//! use cutaway::broker::Broker;
//! use cutaway::clock::Clock;
//! use cutaway::config::Settings;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::default().with("log.dirs", "some/folder").with("listeners", "PLAINTEXT://127.0.0.1:0");
//! let broker = Broker::start(settings.resolve()?, Clock::system()).await?;
//! println!("bootstrap.servers={}", broker.addresses()[0].1);
//! broker.shutdown().await?;
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Clock, TimestampMs};
use crate::config::limits::{JOURNAL_RING_BYTES, SHUTDOWN_DEADLINE_MS};
use crate::config::{BrokerConfig, Listener};
use crate::handlers::Core;
use crate::journal::{Event, Journal};
use crate::server::{Addresses, Server};
use crate::storage;
use crate::storage::disk::Disk;
use crate::topics::Topics;
use crate::web::{ControlSocket, ListenerStatus, Status};

/// A broker that serves.
#[derive(Debug)]
pub struct Broker {
    clock: Clock,
    journal: Journal,
    topics: Arc<Topics>,
    server: Server,
    control: ControlSocket,
}

/// Why a broker does not start. Nothing was changed that is not in the data folder's own order.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used: not writable, another broker's, another cluster's, a newer version's.
    #[error("{0}{advice}", advice = advice_on_folder(.0))]
    Folder(#[source] storage::Error),
    /// A listener cannot be opened; the error names it.
    #[error("{0}{advice}", advice = advice_on_port(.0))]
    Listen(#[source] io::Error),
}

impl Broker {
    /// Opens everything and serves. Needs a running multi-threaded tokio runtime, because recovery blocks.
    pub async fn start(config: BrokerConfig, clock: Clock) -> Result<Broker, StartError> {
        let started_at_ms = clock.now_ms();
        let config = Arc::new(config);
        let journal = Journal::new(clock.clone(), JOURNAL_RING_BYTES);
        let disk = Disk::default();
        // Before the folder is made: a start that fails because a port is taken leaves nothing behind.
        let addresses = Addresses::take(&config.listeners).map_err(StartError::Listen)?;
        let topics = Topics::open(disk.clone(), clock.clone(), Arc::clone(&config), journal.clone());
        let topics = topics.map_err(StartError::Folder)?;
        let core = Core::new(Arc::clone(&topics), clock.clone(), journal.clone());
        let opened = Server::listen(addresses, Arc::new(core)).map_err(StartError::Listen).and_then(|server| {
            let status = first_status(&config, &topics, &server, &journal, started_at_ms);
            let control = ControlSocket::open(&disk, &config.log_dir, status, Arc::clone(&topics));
            server.serve().map_err(StartError::Listen)?;
            Ok((server, control.map_err(StartError::Folder)?))
        });
        match opened {
            Ok((server, control)) => Ok(Broker { clock, journal, topics, server, control }),
            Err(error) => {
                // Leave the folder as it was found: closed in good order. The first error is the one to tell.
                let _ = topics.close().await;
                Err(error)
            }
        }
    }

    /// The listeners' names and the addresses that were bound, in the order of the settings.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.server.addresses()
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
    /// file that says so.
    ///
    /// # Errors
    /// When the disk failed; what was acknowledged is as safe as after a kill.
    pub async fn shutdown(self) -> storage::Result<()> {
        // Half of the time is for clients. The other half is what a healthy disk needs at most; a slow one gets all that
        // it asks for, because a flush that is cut short would make the next start a recovery.
        self.server.shutdown(Duration::from_millis(SHUTDOWN_DEADLINE_MS / 2)).await;
        self.control.close(&self.clock).await;
        self.topics.close().await
    }
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
    let Listener { name, advertised_host, advertised_port, .. } = listener;
    let host = if advertised_host.contains(':') { format!("[{advertised_host}]") } else { advertised_host.clone() };
    let port = if *advertised_port == 0 { address.port() } else { *advertised_port };
    ListenerStatus {
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
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Settings;

    fn settings(folder: &Path, port: u16) -> BrokerConfig {
        let settings = Settings::default().with("log.dirs", folder.display());
        let settings = settings.with("listeners", format_args!("PLAINTEXT://127.0.0.1:{port}"));
        settings.resolve().expect("legal settings")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broker_starts_stops_and_starts_again_as_the_same_cluster() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Broker::start(settings(folder.path(), 0), Clock::system()).await.expect("a broker");
        let status = first.status();
        let (name, address) = first.addresses().remove(0);
        assert_eq!(status.listeners[0].address, format!("{name}://{address}"));
        assert_ne!(address.port(), 0);
        first.shutdown().await.expect("a healthy disk");
        let second = Broker::start(settings(folder.path(), 0), Clock::system()).await.expect("a broker");
        assert_eq!(second.status().cluster_id, status.cluster_id);
        assert_eq!(second.status().recovery, Vec::<String>::new());
        second.shutdown().await.expect("a healthy disk");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_port_that_is_taken_names_the_flags_and_nothing_is_made() {
        let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let running = Broker::start(settings(folder.path(), 0), Clock::system()).await.expect("a broker");
        let port = running.addresses()[0].1.port();
        let data = other.path().join("data");
        let error = Broker::start(settings(&data, port), Clock::system()).await.expect_err("a taken port");
        assert!(!data.exists(), "the folder of a broker that never was");
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(error.to_string().contains("--port 0"), "{error}");
        running.shutdown().await.expect("a healthy disk");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_in_use_is_refused_and_stays_in_use() {
        let folder = tempfile::tempdir().expect("a folder");
        let running = Broker::start(settings(folder.path(), 0), Clock::system()).await.expect("a broker");
        let error = Broker::start(settings(folder.path(), 0), Clock::system()).await.expect_err("a folder in use");
        assert!(error.to_string().contains("another broker is using it"), "{error}");
        assert!(crate::web::connect(&Disk::default(), folder.path()).await.is_ok(), "the first one's socket is there");
        running.shutdown().await.expect("a healthy disk");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_that_cannot_be_made_names_the_flag() {
        let error = Broker::start(settings(Path::new("/dev/null/x"), 0), Clock::system()).await.expect_err("no folder");
        assert!(error.to_string().ends_with("choose another folder with --data (log.dirs)"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stop_on_the_control_socket_reaches_the_broker() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let folder = tempfile::tempdir().expect("a folder");
        let broker = Broker::start(settings(folder.path(), 0), Clock::system()).await.expect("a broker");
        let mut socket = crate::web::connect(&Disk::default(), folder.path()).await.expect("a socket");
        let request = b"POST /stop HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        socket.write_all(request).await.expect("the request goes out");
        socket.read_to_end(&mut Vec::new()).await.expect("an answer");
        broker.stop_asked().await;
        broker.shutdown().await.expect("a healthy disk");
    }
}
