//! Plain clients: an HTTP request whose answer is read as it comes, and a WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use event_simulator::{Settings, Simulator};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Services with a beginning and a seed of their own.
pub(crate) async fn start(settings: Settings) -> Simulator {
    // 2026-06-01T00:00:00Z
    let settings = Settings { from_us: 1_780_272_000_000_000, ..settings };
    Simulator::start(settings).await.expect("the services start")
}

/// An answer that is being read.
pub(crate) struct Answer {
    stream: TcpStream,
    /// Status line and headers.
    pub(crate) head: String,
    raw: Vec<u8>,
    /// The body so far, taken out of its chunks.
    pub(crate) body: Vec<u8>,
    /// The sizes of the chunks.
    pub(crate) chunks: Vec<usize>,
    /// Whether the body ended as a body ends.
    pub(crate) is_whole: bool,
}

impl Answer {
    /// Asks for a path, with a name of ones own and more headers, and reads the head of the answer.
    pub(crate) async fn to(address: SocketAddr, path: &str, headers: &str) -> Answer {
        Answer::to_agent(address, path, &format!("User-Agent: test/1 (a@example.org)\r\n{headers}")).await
    }

    /// The same without a name.
    pub(crate) async fn to_agent(address: SocketAddr, path: &str, headers: &str) -> Answer {
        let mut stream = TcpStream::connect(address).await.expect("the service listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.expect("the service reads");
        let mut answer = Answer {
            stream,
            head: String::new(),
            raw: Vec::new(),
            body: Vec::new(),
            chunks: Vec::new(),
            is_whole: false,
        };
        loop {
            if let Some(end) = answer.raw.windows(4).position(|window| window == b"\r\n\r\n") {
                answer.head = String::from_utf8_lossy(&answer.raw[..end]).to_lowercase();
                answer.raw.drain(..end + 4);
                answer.take_chunks();
                return answer;
            }
            assert!(answer.receive().await, "no head: {:?}", answer.raw);
        }
    }

    /// Reads until the body holds so many blank lines, or is over; whether it goes on.
    pub(crate) async fn read_events(&mut self, count: usize) -> bool {
        let (mut seen, mut found) = (0, 0);
        loop {
            while let Some(end) = self.body[seen..].windows(2).position(|window| window == b"\n\n") {
                (seen, found) = (seen + end + 2, found + 1);
            }
            if found >= count {
                return true;
            }
            if !self.receive().await {
                return false;
            }
            self.take_chunks();
        }
    }

    /// Reads to the end.
    pub(crate) async fn read_all(&mut self) {
        while self.receive().await {
            self.take_chunks();
        }
    }

    /// The events in the body: their ids, their data.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let text = String::from_utf8_lossy(&self.body);
        let (first, rest) = text.split_once("\n\n").expect("a first frame");
        assert_eq!(first, ":ok");
        let whole = rest.split_inclusive("\n\n").filter_map(|frame| frame.strip_suffix("\n\n"));
        whole.map(event).collect()
    }

    async fn receive(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.raw)).await.expect("something comes");
        read.is_ok_and(|count| count > 0)
    }

    fn take_chunks(&mut self) {
        if !self.head.contains("transfer-encoding: chunked") {
            self.body.append(&mut self.raw);
            return;
        }
        while let Some(end) = self.raw.windows(2).position(|window| window == b"\r\n") {
            let size = usize::from_str_radix(&String::from_utf8_lossy(&self.raw[..end]), 16).expect("a chunk's size");
            if self.raw.len() < end + 2 + size + 2 {
                return;
            }
            self.is_whole = size == 0;
            self.chunks.push(size);
            self.body.extend_from_slice(&self.raw[end + 2..end + 2 + size]);
            self.raw.drain(..end + 2 + size + 2);
        }
    }
}

/// A frame with exactly the lines that it has to have.
fn event(frame: &str) -> (String, Value) {
    let lines: Vec<&str> = frame.split('\n').collect();
    let [event, id, data] = lines[..] else { panic!("{frame}") };
    assert_eq!(event, "event: message");
    let id = id.strip_prefix("id: ").expect("an id");
    let data = data.strip_prefix("data: ").expect("data");
    (id.to_owned(), serde_json::from_str(data).expect("the data is JSON"))
}

/// A WebSocket.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Opens one; an answer that is no WebSocket is an error with its status and text.
    pub(crate) async fn open(address: SocketAddr, path: &str) -> Result<Socket, (u16, String)> {
        let stream = TcpStream::connect(address).await.expect("the service listens");
        match client_async(format!("ws://{address}{path}"), stream).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tungstenite::Error::Http(answer)) => {
                let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                Err((answer.status().as_u16(), body))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The next message; `None` when there are no more.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        let message = timeout(PATIENCE, self.0.next()).await.expect("something comes");
        message?.ok()
    }

    /// The next so many events.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            match self.next().await {
                Some(Message::Text(text)) => events.push(serde_json::from_str(&text).expect("an event is JSON")),
                Some(Message::Ping(_)) => {}
                other => panic!("{other:?} after {} events", events.len()),
            }
        }
        events
    }

    /// The close code at the end; `None` if there is an end without one.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            if let Message::Close(frame) = self.next().await? {
                return frame.map(|frame| frame.code.into());
            }
        }
    }

    /// Sends a text.
    pub(crate) async fn say(&mut self, text: &str) {
        futures_util::SinkExt::send(&mut self.0, Message::text(text)).await.expect("the service reads");
    }
}
