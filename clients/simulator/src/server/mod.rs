//! Both services on one address, by HTTP and WebSocket.
//!
//! | address | what it is |
//! |---|---|
//! | `/v2/stream/recentchange` | [Wikimedia's EventStreams](sse) |
//! | `/subscribe`, `/xrpc/network.bsky.jetstream.subscribeEvents` | [Bluesky's Jetstream](subscribe), in both of its protocols |
//! | `/oracle`, `/oracle/wikipedia`, `/oracle/bluesky` | [what was sent](oracle) |

mod faults;
pub(crate) mod oracle;
mod pace;
mod refusals;
mod socket;
mod sse;
mod subscribe;
pub(crate) mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::settings::{Settings, Unworkable};
use oracle::Oracle;
use world::World;

/// The services, running in this process until this is dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    world: Arc<World>,
    server: JoinHandle<()>,
}

/// Why the services do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings cannot be simulated.
    #[error(transparent)]
    Settings(#[from] Unworkable),
    /// The address cannot be listened at.
    #[error("cannot listen at {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
}

impl Simulator {
    /// Starts the services. The simulation's time stands still until the first client comes.
    ///
    /// # Errors
    /// When the settings cannot be simulated, or the address is taken.
    pub async fn start(settings: Settings) -> Result<Simulator, StartError> {
        settings.check()?;
        let wanted = settings.address;
        let listener = TcpListener::bind(wanted).await.map_err(|error| StartError::Listen(wanted, error))?;
        let address = listener.local_addr().map_err(|error| StartError::Listen(wanted, error))?;
        let world = Arc::new(World::new(settings));
        let service = routes(Arc::clone(&world)).into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move {
            // axum's server has no errors of its own; it goes on after those of single connections.
            let _ = axum::serve(listener, service).await;
        });
        Ok(Simulator { address, world, server })
    }

    /// Where the services listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was sent so far.
    pub fn oracle(&self) -> Oracle {
        self.world.oracle()
    }

    /// From now on nothing more happens; what has happened is still sent.
    pub fn finish(&self) {
        self.world.pace.stop();
    }

    /// What happens from now on, in sentences: who comes, who goes, who is refused. Who reads slowly misses the oldest.
    pub fn notes(&self) -> broadcast::Receiver<String> {
        self.world.notes.subscribe()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn routes(world: Arc<World>) -> Router {
    let services = world.settings.services;
    let mut routes = Router::new().route("/oracle", get(oracle::get));
    if services.has_wikipedia() {
        routes = routes.route("/v2/stream/{names}", get(sse::get)).route("/oracle/wikipedia", get(oracle::wikipedia));
    }
    if services.has_bluesky() {
        routes = routes
            .route("/subscribe", get(subscribe::v1))
            .route("/xrpc/network.bsky.jetstream.subscribeEvents", get(subscribe::v2))
            .route("/oracle/bluesky", get(oracle::bluesky));
    }
    routes.fallback(unknown).with_state(world)
}

async fn unknown() -> Response {
    refusals::error(
        StatusCode::NOT_FOUND,
        "there is /v2/stream/recentchange (Wikipedia), /subscribe (Bluesky), and /oracle",
    )
}
