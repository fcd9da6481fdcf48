//! Jetstream's two addresses: what a client asks for, and the step from HTTP to a WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, RawQuery, Request, State};
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::refusals;
use super::socket::Subscription;
use super::world::{Service, World};
use crate::bluesky::{FIRST_SEQUENCE, Filter, Refused, Version};

/// The longest message of a client's.
const MAX_CLIENT_MESSAGE_BYTES: usize = 10 * 1024 * 1024;

/// How far back a client may begin.
const LOOK_BACK_US: u64 = 36 * 3_600_000_000;

/// From here on a cursor is a time in microseconds; below it is a sequence number.
const FIRST_TIME_CURSOR: u64 = 1_000_000_000_000_000;

/// What a client asks for in the address.
#[derive(Debug, Default)]
struct Asked {
    collections: Vec<String>,
    dids: Vec<String>,
    kinds: Vec<String>,
    cursor: Option<u64>,
    max_message_bytes: i64,
    waits_for_hello: bool,
}

/// `GET /subscribe`
pub(super) async fn v1(
    world: State<Arc<World>>,
    from: ConnectInfo<SocketAddr>,
    query: RawQuery,
    request: Request,
) -> Response {
    open(world.0, from.0, query.0.as_deref().unwrap_or_default(), Version::V1, request)
}

/// `GET /xrpc/network.bsky.jetstream.subscribeEvents`
pub(super) async fn v2(
    world: State<Arc<World>>,
    from: ConnectInfo<SocketAddr>,
    query: RawQuery,
    request: Request,
) -> Response {
    open(world.0, from.0, query.0.as_deref().unwrap_or_default(), Version::V2, request)
}

fn open(world: Arc<World>, from: SocketAddr, query: &str, version: Version, mut request: Request) -> Response {
    let subscription = Asked::read(query, version, request.headers())
        .and_then(|asked| Ok((asked.filter(version)?, first(&world, version, asked.cursor)?, asked.waits_for_hello)));
    let (filter, next, waits_for_hello) = match subscription {
        Ok(subscription) => subscription,
        Err(refused) => {
            world.refuse(Service::Bluesky, &refused.0);
            return refusals::error(StatusCode::BAD_REQUEST, &refused.0);
        }
    };
    let Some(key) = key(request.headers()) else {
        world.refuse(Service::Bluesky, "it does not ask for a WebSocket");
        return refusals::error(
            StatusCode::UPGRADE_REQUIRED,
            "this is a WebSocket: open it with ws:// and a client for it",
        );
    };
    let served = match world.admit(Service::Bluesky, from.ip()) {
        Ok(served) => served,
        Err(answer) => return refusals::planned(answer),
    };
    let (live, _) = world.live(Service::Bluesky);
    let wanted = filter.describe();
    let shown = if wanted.is_empty() { "everything" } else { wanted.get(..60).unwrap_or(&wanted) };
    world.note(Service::Bluesky, format_args!("{from} wants {shown}, beginning {} events back", live - next.min(live)));
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // A client that goes away before it is a WebSocket has gone.
        let Ok(upgraded) = upgrading.await else { return };
        let config = WebSocketConfig::default().max_message_size(Some(MAX_CLIENT_MESSAGE_BYTES));
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        Subscription::new(world, socket, version, filter, next, waits_for_hello).run(served).await;
    });
    let headers = [(UPGRADE, "websocket".to_owned()), (CONNECTION, "upgrade".to_owned()), (SEC_WEBSOCKET_ACCEPT, key)];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

/// What a client's key is answered with, if this is a request for a WebSocket.
fn key(headers: &HeaderMap) -> Option<String> {
    let asks = headers.get(UPGRADE)?.as_bytes().eq_ignore_ascii_case(b"websocket");
    asks.then_some(())?;
    Some(derive_accept_key(headers.get(SEC_WEBSOCKET_KEY)?.as_bytes()))
}

/// The event that a client begins with.
fn first(world: &World, version: Version, cursor: Option<u64>) -> Result<u64, Refused> {
    let timeline = world.bluesky.timeline();
    let (live, _) = world.live(Service::Bluesky);
    let floor = timeline.count_before(world.pace.now_us().saturating_sub(LOOK_BACK_US));
    let Some(cursor) = cursor else { return Ok(live) };
    let is_time = version == Version::V1 && cursor >= FIRST_TIME_CURSOR;
    let number = if is_time { timeline.count_before(cursor) } else { cursor.saturating_sub(FIRST_SEQUENCE) };
    match version {
        Version::V2 if number < floor => {
            Err(Refused(format!("CursorTooOld: the oldest event that is kept is {}", FIRST_SEQUENCE + floor)))
        }
        _ => Ok(number.clamp(floor.min(live), live)),
    }
}

impl Asked {
    fn read(query: &str, version: Version, headers: &HeaderMap) -> Result<Asked, Refused> {
        let mut asked = Asked::default();
        let wants_zstd = headers
            .get("socket-encoding")
            .is_some_and(|encoding| encoding.as_bytes().windows(4).any(|part| part == b"zstd"));
        if wants_zstd {
            return Err(Refused::zstd());
        }
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (version, name.as_ref()) {
                (Version::V1, "wantedCollections") | (Version::V2, "collections") => {
                    asked.collections.push(value.into_owned())
                }
                (Version::V1, "wantedDids") | (Version::V2, "dids") => asked.dids.push(value.into_owned()),
                (Version::V2, "kinds") => asked.kinds.push(value.into_owned()),
                (Version::V2, "zstdDictionary") | (Version::V1, "compress") if value != "false" => {
                    return Err(Refused::zstd());
                }
                (Version::V2, name) if name.starts_with("wanted") => {
                    return Err(Refused(format!(
                        "{name} belongs to /subscribe; here it is collections, dids or kinds"
                    )));
                }
                (_, "cursor") => asked.cursor = Some(number("cursor", &value)?),
                (Version::V1, "maxMessageSizeBytes") => {
                    asked.max_message_bytes = number("maxMessageSizeBytes", &value)? as i64
                }
                (Version::V1, "requireHello") => asked.waits_for_hello = value == "true",
                _ => {}
            }
        }
        Ok(asked)
    }

    fn filter(&self, version: Version) -> Result<Filter, Refused> {
        let (collections, dids) = (self.collections.clone(), self.dids.clone());
        match version {
            Version::V1 => Filter::wanted(collections, dids, self.max_message_bytes),
            Version::V2 => Filter::of_v2(self.kinds.clone(), collections, dids),
        }
    }
}

impl Refused {
    fn zstd() -> Refused {
        Refused("events are not compressed here: leave compress, zstdDictionary and Socket-Encoding away".to_owned())
    }
}

fn number(name: &str, value: &str) -> Result<u64, Refused> {
    value.parse().map_err(|_| Refused(format!("{name} '{value}' is no number")))
}
