//! One connection to a broker: which versions it speaks, and requests with their answers, one at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use cutaway::clock::Clock;
use cutaway::config::limits::{CLIENT_ANSWER_MAX_BYTES, CLIENT_CONNECT_TIMEOUT_MS};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::failure::{Failure, Speaker, check};
use super::{Versions, text};

/// Bytes of the length in front of a frame.
const LENGTH_BYTES: usize = 4;

/// The version of ApiVersions that is tried first; a broker that does not know it answers in version 0.
const API_VERSIONS: i16 = 3;

/// UNSUPPORTED_VERSION.
const UNSUPPORTED: i16 = 35;

/// A connection whose broker has said what it speaks.
#[derive(Debug)]
pub(crate) struct Connection {
    address: String,
    client_id: String,
    clock: Clock,
    stream: TcpStream,
    /// API → oldest and newest version.
    apis: BTreeMap<i16, (i16, i16)>,
    last_id: i32,
}

impl Connection {
    /// Connects, and asks for the versions.
    pub(crate) async fn open(address: &str, client_id: &str, clock: &Clock) -> Result<Connection, Failure> {
        let limit = Duration::from_millis(CLIENT_CONNECT_TIMEOUT_MS);
        let unreachable = |reason: String| Failure::Unreachable { address: address.to_owned(), reason };
        let stream = tokio::select! {
            stream = TcpStream::connect(address) => stream.map_err(|error| unreachable(plain(&error)))?,
            () = clock.sleep(limit) => return Err(unreachable(format!("no answer in {} s", limit.as_secs()))),
        };
        // Requests are written whole; a socket that would not take the option works as well.
        let _ = stream.set_nodelay(true);
        let mut connection = Connection {
            address: address.to_owned(),
            client_id: client_id.to_owned(),
            clock: clock.clone(),
            stream,
            apis: BTreeMap::new(),
            last_id: 0,
        };
        connection.negotiate(limit).await?;
        Ok(connection)
    }

    /// Sends a request in the newest version that both sides know, and waits for its answer.
    pub(crate) async fn ask<R: Request>(
        &mut self,
        versions: Versions,
        request: &R,
        limit: Duration,
    ) -> Result<R::Response, Failure> {
        let version = self.version::<R>(versions)?;
        let mut body = self.exchange(version, request, limit).await?;
        R::Response::decode(&mut body, version)
            .map_err(|error| Failure::malformed(api_name(R::KEY), &error.to_string()))
    }

    /// Sends a request that is not answered.
    pub(crate) async fn tell<R: Request>(&mut self, versions: Versions, request: &R) -> Result<(), Failure> {
        let version = self.version::<R>(versions)?;
        let frame = self.frame(version, request)?;
        self.stream.write_all(&frame).await.map_err(|_| self.closed(R::KEY))
    }

    /// Whether the broker has an API.
    pub(crate) fn offers(&self, api: i16) -> bool {
        self.apis.contains_key(&api)
    }

    /// The newest version that the broker, the message crate and the caller know.
    fn version<R: Request>(&self, ours: Versions) -> Result<i16, Failure> {
        let (address, api) = (self.address.clone(), api_name(R::KEY));
        let Some((oldest, newest)) = self.apis.get(&R::KEY) else { return Err(Failure::Missing { address, api }) };
        let version = R::VERSIONS.max.min(*ours.end()).min(*newest);
        if version < R::VERSIONS.min.max(*ours.start()).max(*oldest) {
            return Err(Failure::NoCommonVersion { address, api, oldest: *oldest, newest: *newest });
        }
        Ok(version)
    }

    async fn negotiate(&mut self, limit: Duration) -> Result<(), Failure> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(text("cutaway"))
            .with_client_software_version(text(env!("CARGO_PKG_VERSION")));
        let mut body = self.exchange(API_VERSIONS, &request, limit).await?;
        let mut version = API_VERSIONS;
        if body.get(..2).is_some_and(|code| code == UNSUPPORTED.to_be_bytes()) {
            version = 0;
            body = self.exchange(version, &ApiVersionsRequest::default(), limit).await?;
        }
        let answer = ApiVersionsResponse::decode(&mut body, version)
            .map_err(|error| Failure::malformed("ApiVersions", &error.to_string()))?;
        check("the broker does not tell which versions it speaks", answer.error_code, None)?;
        let told = answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
        self.apis = told.collect();
        Ok(())
    }

    /// One request and the body of its answer. After a failure the connection is of no use.
    async fn exchange<R: Request>(&mut self, version: i16, request: &R, limit: Duration) -> Result<Bytes, Failure> {
        let frame = self.frame(version, request)?;
        let clock = self.clock.clone();
        let answer = tokio::select! {
            answer = self.send_and_receive(R::KEY, &frame) => answer?,
            () = clock.sleep(limit) => {
                let (address, api) = (self.address.clone(), api_name(R::KEY));
                return Err(Failure::Silent { address, api, limit, is_first: self.apis.is_empty() });
            }
        };
        let mut body = answer;
        ResponseHeader::decode(&mut body, R::Response::header_version(version))
            .map_err(|error| Failure::malformed(api_name(R::KEY), &error.to_string()))?;
        Ok(body)
    }

    async fn send_and_receive(&mut self, api: i16, frame: &[u8]) -> Result<Bytes, Failure> {
        self.stream.write_all(frame).await.map_err(|_| self.closed(api))?;
        let mut start = [0; 2 * LENGTH_BYTES];
        let mut filled = 0;
        while filled < start.len() {
            match self.stream.read(&mut start[filled..]).await {
                // What is no Kafka may say less than a frame before it hangs up.
                Ok(0) | Err(_) => return Err(self.foreign(&start[..filled]).unwrap_or_else(|| self.closed(api))),
                Ok(count) => filled += count,
            }
        }
        let mut fields = &start[..];
        let (size, id) = (fields.get_i32(), fields.get_i32());
        let size = usize::try_from(size).ok().filter(|size| (LENGTH_BYTES..=CLIENT_ANSWER_MAX_BYTES).contains(size));
        let Some(size) = size.filter(|_| id == self.last_id) else {
            return Err(self.foreign(&start).unwrap_or_else(|| Failure::NotKafka { address: self.address.clone() }));
        };
        // The buffer grows with what arrives.
        let mut answer = Vec::from(id.to_be_bytes());
        let mut rest = (&mut self.stream).take((size - LENGTH_BYTES) as u64);
        let read = rest.read_to_end(&mut answer).await;
        if read.is_err() || answer.len() < size {
            return Err(self.closed(api));
        }
        Ok(Bytes::from(answer))
    }

    fn frame<R: Request>(&mut self, version: i16, request: &R) -> Result<BytesMut, Failure> {
        self.last_id = self.last_id.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.last_id)
            .with_client_id(Some(text(&self.client_id)));
        let mut frame = BytesMut::zeroed(LENGTH_BYTES);
        let encoded = header.encode(&mut frame, R::header_version(version));
        let encoded = encoded.and_then(|()| request.encode(&mut frame, version));
        encoded.map_err(|error| Failure::Unsayable { api: api_name(R::KEY), reason: error.to_string() })?;
        let size = i32::try_from(frame.len() - LENGTH_BYTES);
        let size = size.map_err(|_| Failure::Unsayable { api: api_name(R::KEY), reason: "it is too long".into() })?;
        frame[..LENGTH_BYTES].copy_from_slice(&size.to_be_bytes());
        Ok(frame)
    }

    fn closed(&self, api: i16) -> Failure {
        Failure::Closed { address: self.address.clone(), api: api_name(api), is_first: self.apis.is_empty() }
    }

    /// Who else than a Kafka broker begins an answer like this.
    fn foreign(&self, start: &[u8]) -> Option<Failure> {
        let speaker = Speaker::of(start).filter(|_| self.apis.is_empty())?;
        Some(Failure::Foreign { address: self.address.clone(), speaker })
    }
}

/// Kafka's name of an API.
fn api_name(api: i16) -> String {
    ApiKey::try_from(api).map_or_else(|()| format!("API {api}"), |api| format!("{api:?}"))
}

/// An error of the operating system without its number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    match text.strip_prefix("failed to lookup address information: ") {
        Some(_) => "there is no host of that name".to_owned(),
        None => text.to_lowercase(),
    }
}
