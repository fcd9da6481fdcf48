//! Serves the control socket.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::socket::{self, SOCKET_FILE};
use super::status::Status;
use crate::clock::Clock;
use crate::storage::disk::Disk;
use crate::storage::{Error, Result};
use crate::topics::Topics;

/// How long answers under way may take once the socket closes.
const CLOSING_GRACE: Duration = Duration::from_millis(200);

/// The control socket of one broker; dropped without [`ControlSocket::close`], it cuts answers off.
#[derive(Debug)]
pub struct ControlSocket {
    disk: Disk,
    path: PathBuf,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// What all requests share.
#[derive(Debug)]
struct Shared {
    /// Without the counts, which are looked up for each answer.
    status: Status,
    /// A command that keeps its connection open must not keep the data folder in use.
    topics: Weak<Topics>,
    stop_asked: watch::Sender<bool>,
    closing: watch::Sender<bool>,
}

impl ControlSocket {
    /// Opens the socket in a data folder whose lock is held, and serves it. Needs a running tokio runtime.
    pub fn open(disk: &Disk, folder: &Path, status: Status, topics: &Arc<Topics>) -> Result<ControlSocket> {
        let path = folder.join(SOCKET_FILE);
        let listener = socket::listen(disk, folder)?;
        let listener = UnixListener::from_std(listener).map_err(Error::io("listen on", &path))?;
        let (stop_asked, closing) = (watch::Sender::new(false), watch::Sender::new(false));
        let topics = Arc::downgrade(topics);
        let shared = Arc::new(Shared { status, topics, stop_asked, closing });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(ControlSocket { disk: disk.clone(), path, shared, server })
    }

    /// Waits until somebody asks the broker to stop.
    pub async fn stop_asked(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.shared.stop_asked.subscribe().wait_for(|asked| *asked).await;
    }

    /// What `GET /status` answers.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Finishes the answers under way and removes the socket.
    pub async fn close(mut self, clock: &Clock) {
        self.vanish();
        tokio::select! {
            _ = &mut self.server => {}
            () = clock.sleep(CLOSING_GRACE) => {}
        }
    }

    /// Nobody finds the socket any more.
    fn vanish(&self) {
        if !self.shared.closing.send_replace(true)
            && let Err(error) = self.disk.remove_file(&self.path)
        {
            tracing::warn!("{error}");
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.vanish();
        self.server.abort();
    }
}

impl Shared {
    fn status(&self) -> Status {
        let topics = self.topics.upgrade().map_or_else(Vec::new, |topics| topics.list());
        let partitions = topics.iter().map(|topic| topic.partitions.len()).sum();
        Status { topics: topics.len(), partitions, ..self.status.clone() }
    }
}

async fn serve(listener: UnixListener, shared: Arc<Shared>) {
    let mut closing = shared.closing.subscribe();
    let closed = async move {
        let _ = closing.wait_for(|closing| *closing).await;
    };
    let routes = Router::new().route("/status", get(status)).route("/stop", post(stop)).with_state(shared);
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(closed).await {
        tracing::error!("the control socket is not served any more: {error}");
    }
}

async fn status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    Json(shared.status())
}

async fn stop(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.stop_asked.send_replace(true);
    StatusCode::ACCEPTED
}
