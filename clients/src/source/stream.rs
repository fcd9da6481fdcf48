//! A connection to a stream of server-sent events.

use std::time::Duration;

use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use reqwest::{Client, Response};
use tokio::time::timeout;

use super::answer::{Answer, Trouble, root_cause};
use super::sse::{Decoded, Decoder};
use super::{Address, Item};
use crate::event::{Malformed, Parsed, wikipedia};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How long a host may take to accept a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// How much of an answer that is not the stream is looked at.
const MAX_BODY_BYTES: usize = 1000;

/// The client that connections are made with.
pub(super) fn client(address: &Address) -> anyhow::Result<Client> {
    let mut builder = Client::builder().user_agent(&address.user_agent).connect_timeout(CONNECT_PATIENCE);
    if address.is_local() {
        // A proxy cannot reach what runs here.
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}

/// A stream that is being read.
#[derive(Debug)]
pub(super) struct Stream {
    response: Response,
    decoder: Decoder,
    place: String,
    stall: Duration,
    max_event_bytes: u64,
    decoded: Vec<Decoded>,
}

impl Stream {
    /// Asks for the stream, after the event with that id if there is one.
    pub(super) async fn connect(
        client: &Client,
        address: &Address,
        (stall, max_event_bytes): (Duration, u64),
        last_event_id: Option<&str>,
    ) -> Result<Stream, Trouble> {
        let place = address.place();
        let mut request = client.get(address.url.clone());
        request = request.header(ACCEPT, "text/event-stream").header(CACHE_CONTROL, "no-cache");
        if let Some(id) = last_event_id {
            request = request.header(LAST_EVENT_ID, id);
        }
        let response = match timeout(stall, request.send()).await {
            Err(_) => return Err(Trouble::passing(format!("{place} did not answer in {} s", stall.as_secs()))),
            Ok(Err(error)) if error.is_builder() => {
                return Err(Trouble::BadToken("the resume token cannot be sent in a header".to_owned()));
            }
            Ok(Err(error)) => {
                return Err(Trouble::passing(format!("cannot reach {place} ({})", root_cause(&error))));
            }
            Ok(Ok(response)) => response,
        };
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        if response.status().as_u16() != 200 {
            return Err(refusal(address, response, last_event_id.is_some()).await);
        }
        if !content_type.to_ascii_lowercase().starts_with("text/event-stream") {
            let kind = if content_type.is_empty() { "no content type" } else { content_type };
            let sentence = format!("{place} answered with {kind} instead of text/event-stream");
            return Err(Trouble::passing(sentence));
        }
        let limit = usize::try_from(max_event_bytes).unwrap_or(usize::MAX);
        let decoder = Decoder::new(limit);
        Ok(Stream { response, decoder, place, stall, max_event_bytes, decoded: Vec::new() })
    }

    /// The next events.
    pub(super) async fn next(&mut self) -> Result<Vec<Item>, Trouble> {
        loop {
            let place = &self.place;
            let chunk = match timeout(self.stall, self.response.chunk()).await {
                Err(_) => {
                    let stall = self.stall.as_secs_f32();
                    return Err(Trouble::passing(format!("{place} sent nothing for {stall} s")));
                }
                Ok(Err(error)) => {
                    return Err(Trouble::passing(format!("the connection to {place} broke ({})", root_cause(&error))));
                }
                Ok(Ok(None)) => return Err(Trouble::passing(format!("{place} ended the stream"))),
                Ok(Ok(Some(chunk))) => chunk,
            };
            self.decoder.push(&chunk, &mut self.decoded);
            if !self.decoded.is_empty() {
                return Ok(self.decoded.drain(..).map(|decoded| item(decoded, self.max_event_bytes)).collect());
            }
        }
    }
}

fn item(decoded: Decoded, max_event_bytes: u64) -> Item {
    let parsed = match decoded {
        Decoded::Frame(frame) => wikipedia::parse(frame.data, frame.id),
        Decoded::TooLarge => Err(Malformed::TooLarge(max_event_bytes)),
    };
    Item::from(parsed)
}

impl From<Result<Parsed, Malformed>> for Item {
    fn from(parsed: Result<Parsed, Malformed>) -> Item {
        match parsed {
            Ok(Parsed::Event(event)) => Item::Event(event),
            Ok(Parsed::Skipped { name, place }) => Item::Skipped { name, place },
            Err(malformed) => Item::Malformed(malformed),
        }
    }
}

/// What an answer says that is not the stream.
async fn refusal(address: &Address, mut response: Response, is_resuming: bool) -> Trouble {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    // What does not come at once is not worth waiting for.
    while let Ok(Ok(Some(chunk))) = timeout(Duration::from_secs(1), response.chunk()).await {
        body.extend_from_slice(&chunk[..chunk.len().min(MAX_BODY_BYTES)]);
        if body.len() >= MAX_BODY_BYTES {
            break;
        }
    }
    Answer {
        place: &address.place(),
        path: address.url.path(),
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or_default(),
        retry_after: retry_after.as_deref(),
        body: &String::from_utf8_lossy(&body),
        is_resuming,
    }
    .trouble()
}
