//! A service that does what a script says: one step per connection, the last one again and again.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::locked;

/// What happens on one connection, after the request was read.
pub(crate) type Step = Box<dyn Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync>;

/// A service on a free port.
pub(crate) struct Service {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Service {
    pub(crate) fn start(steps: Vec<Step>) -> anyhow::Result<Service> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Service { url, requests: serve(listener, steps) })
    }

    /// At an address that was free a moment ago.
    pub(crate) fn start_at(address: &str, steps: Vec<Step>) -> anyhow::Result<Service> {
        let listener = TcpListener::bind(address)?;
        Ok(Service { url: format!("http://{address}"), requests: serve(listener, steps) })
    }

    /// The heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        locked(&self.requests).clone()
    }

    /// A header of a request, by its number and lower-case name.
    pub(crate) fn header(&self, request: usize, name: &str) -> Option<String> {
        let requests = self.requests();
        let lines = requests.get(request)?.lines().map(str::to_owned).collect::<Vec<_>>();
        let found = lines.iter().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        found.split_once(':').map(|(_, value)| value.trim().to_owned())
    }
}

/// The connections are served in turn, each on a thread of its own; all of it ends with the process.
fn serve(listener: TcpListener, steps: Vec<Step>) -> Arc<Mutex<Vec<String>>> {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    thread::spawn(move || {
        let steps: Vec<_> = steps.into_iter().map(Arc::new).collect();
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let step = steps[number.min(steps.len() - 1)].clone();
            let seen = seen.clone();
            thread::spawn(move || {
                let head = read_head(&mut stream);
                locked(&seen).push(head.clone());
                let _ = step(&head, &mut stream);
            });
        }
    });
    requests
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Answers with a status, headers and a text, and ends.
pub(crate) fn answer(status: &'static str, headers: &'static str, body: &'static str) -> Step {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}");
    // In one piece: of an answer that is no WebSocket the client sees what comes with its head.
    Box::new(move |_, stream| stream.write_all(text.as_bytes()))
}

/// Sends a stream of server-sent events and ends the connection.
pub(crate) fn events(body: impl Into<Vec<u8>>) -> Step {
    let body = body.into();
    Box::new(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n:ok\n\n")?;
        stream.write_all(&body)
    })
}

/// Sends a stream of server-sent events and says nothing more.
pub(crate) fn events_and_silence(body: impl Into<Vec<u8>>) -> Step {
    let sending = events(body);
    Box::new(move |head, stream| {
        sending(head, stream)?;
        thread::sleep(Duration::from_secs(60));
        Ok(())
    })
}

/// An edit with this number, as Wikimedia frames it.
pub(crate) fn edit(number: u64, kind: &str) -> String {
    let meta =
        format!(r#""meta":{{"id":"uuid-{number}","domain":"en.wikipedia.org","topic":"eqiad.r","offset":{number}}}"#);
    frame(number, &format!(r#"{{"$schema":"s",{meta},"id":{number},"type":"{kind}","title":"Größe 東京"}}"#))
}

/// An event with any text; the time in its id is 1763769600000 and `number` milliseconds.
pub(crate) fn frame(number: u64, data: &str) -> String {
    let timestamp = 1_763_769_600_000 + number;
    let id = format!(r#"[{{"topic":"eqiad.r","partition":0,"timestamp":{timestamp}}}]"#);
    format!("event: message\nid: {id}\ndata: {data}\n\n")
}
