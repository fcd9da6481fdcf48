//! A connection to a WebSocket that sends one event a frame.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, RETRY_AFTER, USER_AGENT};
use tokio_tungstenite::tungstenite::http::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::answer::{Answer, Trouble, root_cause};
use super::{Address, BATCH_EVENTS, Item};
use crate::event::{Malformed, bluesky};
use crate::talk::excerpt;

/// How long a host may take to accept a connection and answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// A WebSocket that is being read.
#[derive(Debug)]
pub(super) struct Socket {
    frames: WebSocketStream<MaybeTlsStream<TcpStream>>,
    place: String,
    stall: Duration,
    max_event_bytes: u64,
    /// What ended the connection, while the events before it are handed on.
    trouble: Option<Trouble>,
}

impl Socket {
    /// Asks for the stream, from that time on if there is one.
    pub(super) async fn connect(
        address: &Address,
        (stall, max_event_bytes): (Duration, u64),
        cursor: Option<&str>,
    ) -> Result<Socket, Trouble> {
        let place = address.place();
        let request = request(address, cursor)?;
        let limit = usize::try_from(max_event_bytes).unwrap_or(usize::MAX);
        let config = WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
        let connecting = connect_async_with_config(request, Some(config), true);
        match timeout(CONNECT_PATIENCE, connecting).await {
            Err(_) => {
                let patience = CONNECT_PATIENCE.as_secs();
                Err(Trouble::passing(format!("{place} did not answer in {patience} s")))
            }
            Ok(Err(Error::Http(response))) => Err(refusal(address, &response, cursor.is_some())),
            Ok(Err(error @ Error::Io(_))) => {
                Err(Trouble::passing(format!("cannot reach {place} ({})", root_cause(&error))))
            }
            Ok(Err(error)) => {
                let cause = root_cause(&error);
                Err(Trouble::passing(format!("{place} does not answer as a WebSocket server ({cause})")))
            }
            Ok(Ok((frames, _))) => Ok(Socket { frames, place, stall, max_event_bytes, trouble: None }),
        }
    }

    /// The next events.
    pub(super) async fn next(&mut self) -> Result<Vec<Item>, Trouble> {
        if let Some(trouble) = self.trouble.take() {
            return Err(trouble);
        }
        let mut items = Vec::new();
        let first = self.frame().await?;
        self.take(first, &mut items)?;
        // What is there already comes along; what ends the connection waits until it is handed on.
        while items.len() < BATCH_EVENTS {
            let Some(frame) = self.frames.next().now_or_never() else { break };
            let taken = self.judge(frame).and_then(|frame| self.take(frame, &mut items));
            if let Err(trouble) = taken {
                self.trouble = Some(trouble);
                break;
            }
        }
        Ok(items)
    }

    /// The next frame. When nothing came for half of the patience, a ping asks for a sign of life.
    async fn frame(&mut self) -> Result<Message, Trouble> {
        let half = self.stall / 2;
        if let Ok(frame) = timeout(half, self.frames.next()).await {
            return self.judge(frame);
        }
        // A connection that takes no ping is found out below.
        let _ = timeout(half, self.frames.send(Message::Ping(Bytes::new()))).await;
        match timeout(half, self.frames.next()).await {
            Ok(frame) => self.judge(frame),
            Err(_) => {
                let (place, stall) = (&self.place, self.stall.as_secs_f32());
                Err(Trouble::passing(format!("{place} sent nothing for {stall} s and answered no ping")))
            }
        }
    }

    fn judge(&self, frame: Option<Result<Message, Error>>) -> Result<Message, Trouble> {
        let place = &self.place;
        match frame {
            Some(Ok(frame)) => Ok(frame),
            None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => {
                Err(Trouble::passing(format!("{place} ended the stream")))
            }
            Some(Err(Error::Utf8(_))) => Err(Trouble::Poison(Malformed::NotText(0))),
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                Err(Trouble::Poison(Malformed::TooLarge(self.max_event_bytes)))
            }
            Some(Err(error)) => {
                Err(Trouble::passing(format!("the connection to {place} broke ({})", root_cause(&error))))
            }
        }
    }

    fn take(&self, frame: Message, items: &mut Vec<Item>) -> Result<(), Trouble> {
        match frame {
            Message::Text(text) => items.push(Item::from(bluesky::parse(Vec::from(Bytes::from(text))))),
            Message::Binary(_) => {
                let why = "it came in a binary frame (compressed, which was not asked for)".to_owned();
                items.push(Item::Malformed(Malformed::NotAnEvent(why)));
            }
            Message::Close(close) => return Err(Trouble::passing(closed(&self.place, close.as_ref()))),
            // The library answers pings by itself.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }
}

fn request(address: &Address, cursor: Option<&str>) -> Result<Request<()>, Trouble> {
    let mut url = address.url.clone();
    if let Some(cursor) = cursor {
        // The address may bring a cursor for the beginning; ours says where we are now.
        let others: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "cursor").collect();
        url.query_pairs_mut().clear().extend_pairs(others).append_pair("cursor", cursor);
    }
    let unusable = |error: Error| Trouble::Final(format!("{url} cannot be asked for ({error}); check --source"));
    let mut request = url.as_str().into_client_request().map_err(unusable)?;
    if let Ok(user_agent) = HeaderValue::from_str(&address.user_agent) {
        request.headers_mut().insert(USER_AGENT, user_agent);
    }
    Ok(request)
}

/// What an answer says that opens no WebSocket.
fn refusal(address: &Address, response: &Response<Option<Vec<u8>>>, is_resuming: bool) -> Trouble {
    let body = response.body().as_deref().unwrap_or_default();
    Answer {
        place: &address.place(),
        path: address.url.path(),
        status: response.status().as_u16(),
        reason: response.status().canonical_reason().unwrap_or_default(),
        retry_after: response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()),
        body: &String::from_utf8_lossy(body),
        is_resuming,
    }
    .trouble()
}

/// A sentence about a close frame: its code, what that means, and the server's own words.
fn closed(place: &str, close: Option<&CloseFrame>) -> String {
    let Some(close) = close else {
        return format!("{place} closed the connection without saying why");
    };
    let code = u16::from(close.code);
    let meaning = match code {
        1000 => "normal end",
        1001 => "it is going away",
        1002 => "protocol error",
        1003 => "it does not take such data",
        1007 => "malformed data",
        1008 => "policy: we may be too slow, or asked for something invalid",
        1009 => "message too big",
        1011 => "internal error",
        1012 => "it restarts",
        1013 => "try again later",
        _ => "a code without a common meaning",
    };
    match excerpt(&close.reason) {
        words if words.is_empty() => format!("{place} closed the connection with {code} ({meaning})"),
        words => format!("{place} closed the connection with {code} ({meaning}), \"{words}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_is_told_with_its_meaning() {
        let close = CloseFrame { code: 1008.into(), reason: "ConsumerTooSlow".into() };
        let told = closed("h", Some(&close));
        assert_eq!(
            told,
            "h closed the connection with 1008 (policy: we may be too slow, or asked for something invalid), \
             \"ConsumerTooSlow\""
        );
    }

    #[test]
    fn our_cursor_takes_the_place_of_the_addresses() {
        let url = "ws://h/subscribe?cursor=5&wantedCollections=a".parse().unwrap();
        let address = Address { url, user_agent: "me".to_owned() };
        let asked = request(&address, Some("77")).unwrap();
        assert_eq!(asked.uri().to_string(), "ws://h/subscribe?wantedCollections=a&cursor=77");
        let first = request(&address, None).unwrap();
        assert_eq!(first.uri().to_string(), "ws://h/subscribe?cursor=5&wantedCollections=a");
    }
}
