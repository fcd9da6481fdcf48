//! The oracle: what the services sent, to hold against what arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::Serialize;

use super::world::{Connections, Service, World};
use crate::ledger::Ledger;
use crate::wikipedia::Kind;

/// What was sent. Each event counts once, however often it was sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Oracle {
    /// The seed that the events are made of.
    pub seed: u64,
    /// Wikipedia's side, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wikipedia: Option<WikipediaSent>,
    /// Bluesky's side, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bluesky: Option<BlueskySent>,
}

/// What was sent of Wikipedia's events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WikipediaSent {
    /// Events that are changes: all but the canaries.
    pub events: u64,
    /// Changes by their type.
    pub types: BTreeMap<&'static str, u64>,
    /// Signs of life that are no changes.
    pub canaries: u64,
    /// How often something was sent that had been sent before.
    pub again: u64,
    /// How much was sent that is no event.
    pub malformed: u64,
    /// Whether all was sent that there will be.
    pub complete: bool,
    /// What became of the connections.
    pub connections: Connections,
}

/// What was sent of Bluesky's events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlueskySent {
    /// For everything that was wanted by anybody what was sent of it.
    pub streams: Vec<StreamSent>,
    /// What became of the connections.
    pub connections: Connections,
}

/// What was sent to those who wanted the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamSent {
    /// What was wanted, as in the address; empty for everything.
    pub wanted: String,
    /// Commits.
    pub events: u64,
    /// Commits by their operation.
    pub operations: BTreeMap<&'static str, u64>,
    /// Events of the kind identity.
    pub identity: u64,
    /// Events of the kind account.
    pub account: u64,
    /// How often something was sent that had been sent before.
    pub again: u64,
    /// How much was sent that is no event.
    pub malformed: u64,
    /// Whether all was sent that there will be.
    pub complete: bool,
}

impl World {
    /// What was sent so far.
    pub(crate) fn oracle(&self) -> Oracle {
        let services = self.settings.services;
        Oracle {
            seed: self.settings.seed,
            wikipedia: services.has_wikipedia().then(|| self.wikipedia_sent()),
            bluesky: services.has_bluesky().then(|| self.bluesky_sent()),
        }
    }

    fn wikipedia_sent(&self) -> WikipediaSent {
        let ledger = self.with_wikipedia(|ledger| ledger.clone());
        let mut types = ledger.sorts().clone();
        let canaries = types.remove(Kind::Canary.name()).unwrap_or_default();
        WikipediaSent {
            events: types.values().sum(),
            types,
            canaries,
            again: ledger.again(),
            malformed: ledger.malformed(),
            complete: self.is_complete(Service::Wikipedia, &ledger),
            connections: self.connections(Service::Wikipedia),
        }
    }

    fn bluesky_sent(&self) -> BlueskySent {
        let stream = |wanted: String| {
            let ledger = self.with_bluesky(&wanted, |ledger| ledger.clone());
            let mut operations = ledger.sorts().clone();
            let mut take = |name| operations.remove(name).unwrap_or_default();
            let (identity, account, _) = (take("identity"), take("account"), take("sync"));
            StreamSent {
                wanted,
                events: operations.values().sum(),
                operations,
                identity,
                account,
                again: ledger.again(),
                malformed: ledger.malformed(),
                complete: self.is_complete(Service::Bluesky, &ledger),
            }
        };
        BlueskySent {
            streams: self.wanted().into_iter().map(stream).collect(),
            connections: self.connections(Service::Bluesky),
        }
    }

    /// Whether everything that there will be is sent.
    fn is_complete(&self, service: Service, ledger: &Ledger) -> bool {
        let (live, goes_on) = self.live(service);
        !goes_on && ledger.reached() >= live
    }
}

/// `GET /oracle`
pub(super) async fn get(State(world): State<Arc<World>>) -> Json<Oracle> {
    Json(world.oracle())
}

/// `GET /oracle/wikipedia`: the `meta.id` of every change that was sent, one a line, in the order of time.
pub(super) async fn wikipedia(State(world): State<Arc<World>>) -> impl IntoResponse {
    let stretches = world.with_wikipedia(|ledger| ledger.stretches());
    let line = move |world: &World, number| {
        (world.wikipedia.kind(number) != Kind::Canary).then(|| world.wikipedia.id(number).to_string())
    };
    lines(world, stretches, line)
}

/// `GET /oracle/bluesky?WANTED`: the `rev` of every commit that was sent to those who wanted this, one a line, in the order
/// of time.
pub(super) async fn bluesky(State(world): State<Arc<World>>, RawQuery(wanted): RawQuery) -> impl IntoResponse {
    let stretches = world.with_bluesky(&wanted.unwrap_or_default(), |ledger| ledger.stretches());
    let line = move |world: &World, number| world.bluesky.act(number).commit().map(|_| world.bluesky.revision(number));
    lines(world, stretches, line)
}

/// A line for each event, made while it is read.
fn lines(
    world: Arc<World>,
    stretches: Vec<std::ops::Range<u64>>,
    line: impl Fn(&World, u64) -> Option<String> + Send + 'static,
) -> Body {
    const LINES_AT_A_TIME: usize = 1000;
    let mut numbers = stretches.into_iter().flatten().peekable();
    let pieces = std::iter::from_fn(move || {
        numbers.peek()?;
        let piece = numbers.by_ref().take(LINES_AT_A_TIME).filter_map(|number| line(&world, number));
        Some(Ok::<_, std::io::Error>(Bytes::from(piece.map(|line| line + "\n").collect::<String>())))
    });
    Body::from_stream(futures_util::stream::iter(pieces))
}
