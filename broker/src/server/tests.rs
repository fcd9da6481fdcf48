//! Real sockets on the loopback, the real handlers behind them.

mod panics;
mod patience;

use std::net::SocketAddr;

use bytes::Bytes;
use kafka_protocol::messages::{ApiVersionsRequest, FetchRequest, FetchResponse, ProduceRequest};
use kafka_protocol::protocol::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::*;
use crate::config::{BrokerConfig, Listener};
use crate::handlers::tests::{ask, core_in_folder, create, decode_answer, fetch, produce, records, request_bytes};

const API_VERSIONS: i16 = 18;
const METADATA: i16 = 3;

/// A server on a port of its own, in a folder of its own.
struct Running {
    server: Server,
    address: SocketAddr,
    core: Arc<Core>,
    _folder: tempfile::TempDir,
}

fn serve(change: impl FnOnce(&mut BrokerConfig)) -> Running {
    serve_with(Patience::default(), change)
}

fn serve_with(patience: Patience, change: impl FnOnce(&mut BrokerConfig)) -> Running {
    let (core, folder) = core_in_folder(change);
    let addresses = Addresses::take(&[listener("PLAINTEXT", 0)]).expect("a free port");
    let mut server = Server::listen(addresses, Arc::clone(&core)).expect("it is ours");
    Arc::get_mut(&mut server.shared).expect("nobody is served yet").patience = patience;
    server.serve().expect("a runtime");
    let address = server.addresses()[0].1;
    Running { server, address, core, _folder: folder }
}

fn listener(name: &str, port: u16) -> Listener {
    let host = "127.0.0.1".to_owned();
    Listener { node: 1, name: name.into(), advertised_host: host.clone(), host, port, advertised_port: 0 }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the server listens")
    }
}

fn frame(api_key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend(api_key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(correlation_id.to_be_bytes());
    request.extend([0, 4]);
    request.extend(b"test");
    request.extend(body);
    let length = i32::try_from(request.len()).expect("small");
    [length.to_be_bytes().as_slice(), &request].concat()
}

/// The next answer, without its length: a correlation id and a body.
async fn answer(client: &mut TcpStream) -> (i32, Vec<u8>) {
    let length = client.read_u32().await.expect("an answer");
    let mut answer = vec![0; length as usize];
    client.read_exact(&mut answer).await.expect("a whole answer");
    let body = answer.split_off(4);
    (i32::from_be_bytes(answer.try_into().expect("four bytes")), body)
}

/// The connection ends without another byte; a reset is an end as well.
async fn expect_closed(client: &mut TcpStream) {
    let mut rest = Vec::new();
    match client.read_to_end(&mut rest).await {
        Ok(_) => assert!(rest.is_empty(), "{rest:?}"),
        Err(failure) => assert_eq!(failure.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

async fn expect_alive(running: &Running) {
    let mut client = running.connect().await;
    client.write_all(&frame(API_VERSIONS, 0, 1, &[])).await.expect("sent");
    assert_eq!(answer(&mut client).await.0, 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let running = serve(|_| {});
    let mut client = running.connect().await;
    let requests: Vec<u8> = (0..500).flat_map(|id| frame(API_VERSIONS, 0, id, &[])).collect();
    client.write_all(&requests).await.expect("sent");
    for id in 0..500 {
        let (answered, body) = answer(&mut client).await;
        assert_eq!((answered, &body[..2]), (id, &[0, 0][..]));
    }
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let running = serve(|_| {});
    let mut client = running.connect().await;
    client.set_nodelay(true).expect("set");
    for byte in frame(API_VERSIONS, 0, 7, &[]) {
        client.write_all(&[byte]).await.expect("sent");
        tokio::task::yield_now().await;
    }
    assert_eq!(answer(&mut client).await.0, 7);
}

#[tokio::test]
async fn an_api_versions_request_of_the_future_is_answered_and_the_connection_goes_on() {
    let running = serve(|_| {});
    let mut client = running.connect().await;
    client.write_all(&frame(API_VERSIONS, 99, 1, b"whatever")).await.expect("sent");
    let (id, body) = answer(&mut client).await;
    // Error 35, one element: key 18, versions 0 to 4.
    assert_eq!((id, body), (1, vec![0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]));
    client.write_all(&frame(API_VERSIONS, 2, 2, &[])).await.expect("sent");
    assert_eq!(answer(&mut client).await.0, 2);
}

#[tokio::test]
async fn what_kafka_closes_is_closed() {
    let running = serve(|_| {});
    let hostile: Vec<(&str, Vec<u8>)> = vec![
        ("length 0", vec![0, 0, 0, 0]),
        ("length -1", vec![0xff; 4]),
        ("length 2 GiB", vec![0x7f, 0xff, 0xff, 0xff]),
        ("a large Metadata", [&[1, 0xff, 0xff, 0xff][..], &METADATA.to_be_bytes()].concat()),
        ("TLS", vec![0x16, 3, 1, 2, 0, 1, 0, 1]),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("half a header", vec![0, 0, 0, 3, 0, 18, 0]),
        ("an unknown API", frame(999, 0, 1, &[])),
        ("a version of the future", frame(METADATA, 99, 1, &[])),
        ("Produce 0, which is advertised", frame(0, 0, 1, &[0; 10])),
        ("a body that ends early", frame(METADATA, 1, 1, &[0, 0, 0, 1, 0, 9])),
    ];
    for (what, bytes) in hostile {
        let mut client = running.connect().await;
        client.write_all(&bytes).await.expect(what);
        expect_closed(&mut client).await;
    }
    expect_alive(&running).await;
}

#[tokio::test]
async fn answers_before_a_bad_frame_are_written() {
    let running = serve(|_| {});
    let mut client = running.connect().await;
    let bytes = [frame(API_VERSIONS, 0, 1, &[]), vec![0xff; 4]].concat();
    client.write_all(&bytes).await.expect("sent");
    assert_eq!(answer(&mut client).await.0, 1);
    expect_closed(&mut client).await;
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let running = serve(|config| config.connections_max_idle_ms = 1);
    expect_closed(&mut running.connect().await).await;
}

#[tokio::test]
async fn beyond_max_connections_clients_wait_until_others_leave() {
    let running = serve(|config| config.max_connections = 1);
    let mut first = running.connect().await;
    let mut second = running.connect().await;
    second.write_all(&frame(API_VERSIONS, 0, 2, &[])).await.expect("sent");
    first.write_all(&frame(API_VERSIONS, 0, 1, &[])).await.expect("sent");
    assert_eq!(answer(&mut first).await.0, 1);
    let early = second.try_read(&mut [0]).expect_err("the second client was served beside the first");
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    assert_eq!(answer(&mut second).await.0, 2);
}

#[tokio::test]
async fn a_listener_to_which_nobody_comes_takes_no_connection_from_another() {
    let (core, _folder) = core_in_folder(|config| config.max_connections = 1);
    let listeners = [listener("FIRST", 0), listener("SECOND", 0)];
    let addresses = Addresses::take(&listeners).expect("free ports");
    let server = Server::listen(addresses, Arc::clone(&core)).expect("they are ours");
    server.serve().expect("a runtime");
    let addresses = server.addresses();
    for (name, address) in [&addresses[1], &addresses[0], &addresses[1]] {
        let mut client = TcpStream::connect(*address).await.expect("the server listens");
        client.write_all(&frame(API_VERSIONS, 0, 1, &[])).await.expect("sent");
        tokio::select! {
            (id, _) = answer(&mut client) => assert_eq!(id, 1),
            () = core.clock().sleep(Duration::from_secs(20)) => panic!("{name} does not serve"),
        }
    }
}

#[tokio::test]
async fn a_stop_closes_connections_and_the_port() {
    let running = serve(|_| {});
    let mut idle = running.connect().await;
    idle.write_all(&frame(API_VERSIONS, 0, 1, &[])).await.expect("sent");
    answer(&mut idle).await;
    let mut half_sent = running.connect().await;
    half_sent.write_all(&[0, 0]).await.expect("sent");
    running.server.shutdown(Duration::from_secs(60)).await;
    expect_closed(&mut idle).await;
    expect_closed(&mut half_sent).await;
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let running = serve(|_| {});
    let taken = listener("OTHER", running.address.port());
    let sentence = Addresses::take(&[taken]).expect_err("the port is taken").to_string();
    assert!(
        sentence.starts_with(&format!("cannot listen on OTHER://127.0.0.1:{}", running.address.port())),
        "{sentence}"
    );
    // A listener that does not serve yet, as one of another kind, says nothing.
    assert!(!sentence.contains("Kafka"), "{sentence}");
}

/// Writes requests as frames, all in one go.
async fn send(client: &mut TcpStream, requests: &[Bytes]) {
    let mut bytes = Vec::new();
    for request in requests {
        bytes.extend(u32::try_from(request.len()).expect("small").to_be_bytes());
        bytes.extend(request);
    }
    client.write_all(&bytes).await.expect("sent");
}

/// The next answer, which must have this correlation id.
async fn expect_answer<R: Request>(client: &mut TcpStream, version: i16, correlation_id: i32) -> R::Response {
    let length = client.read_u32().await.expect("an answer");
    let mut bytes = vec![0; length as usize];
    client.read_exact(&mut bytes).await.expect("a whole answer");
    let (answered, response) = decode_answer::<R>(bytes.into(), version);
    assert_eq!(answered, correlation_id);
    response
}

fn fetched(response: &FetchResponse) -> &[u8] {
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    partition.records.as_deref().expect("records are never null")
}

const FETCH: i16 = 17;
const A_MINUTE_MS: i32 = 60_000;

/// Three requests in one write, the second of which waits for records of a topic that has none.
async fn park_a_fetch(running: &Running) -> (TcpStream, Uuid) {
    let id = create(&running.core, "quiet").await;
    let mut client = running.connect().await;
    let requests = [
        request_bytes(&ApiVersionsRequest::default(), 2, 1),
        request_bytes(&fetch("quiet", id, FETCH, 0, A_MINUTE_MS), FETCH, 2),
        request_bytes(&ApiVersionsRequest::default(), 2, 3),
    ];
    send(&mut client, &requests).await;
    expect_answer::<ApiVersionsRequest>(&mut client, 2, 1).await;
    (client, id)
}

#[tokio::test]
async fn a_parked_fetch_holds_back_the_answers_behind_it_and_none_before() {
    let running = serve(|_| {});
    let (mut client, id) = park_a_fetch(&running).await;
    // Whoever is served meanwhile gives a wrong answer the time to come.
    expect_alive(&running).await;
    let early = client.try_read(&mut [0]).expect_err("something was answered out of order");
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    let batch = records(&[b"news"]);
    ask(&running.core, &produce("quiet", id, 13, Some(batch.clone())), 13).await;
    let response = expect_answer::<FetchRequest>(&mut client, FETCH, 2).await;
    assert_eq!(fetched(&response)[16..], batch[16..]);
    expect_answer::<ApiVersionsRequest>(&mut client, 2, 3).await;
}

#[tokio::test]
async fn a_large_fetch_that_waits_keeps_nothing_of_the_budget() {
    let running = serve(|config| config.queued_max_request_bytes = 150_000);
    let id = create(&running.core, "quiet").await;
    let mut request = fetch("quiet", id, FETCH, 0, A_MINUTE_MS);
    // Partitions that do not exist wait with the one that does, and make the frame a large one.
    let partitions = &mut request.topics[0].partitions;
    partitions.extend((1..4000).map(|index| partitions[0].clone().with_partition(index)).collect::<Vec<_>>());
    let bytes = request_bytes(&request, FETCH, 2);
    assert!(bytes.len() > 75_000, "{} bytes are no half of the budget", bytes.len());
    let mut parked = running.connect().await;
    send(&mut parked, &[request_bytes(&ApiVersionsRequest::default(), 2, 1), bytes]).await;
    expect_answer::<ApiVersionsRequest>(&mut parked, 2, 1).await;
    let mut other = running.connect().await;
    let large = create(&running.core, "large").await;
    let produce = request_bytes(&produce("large", large, 12, Some(records(&[&[7; 120_000]]))), 12, 3);
    let served = async {
        send(&mut other, &[produce]).await;
        expect_answer::<ProduceRequest>(&mut other, 12, 3).await;
    };
    tokio::select! {
        () = served => {}
        () = running.core.clock().sleep(Duration::from_secs(20)) => panic!("the parked fetch keeps the budget"),
    }
}

#[tokio::test]
async fn a_stop_answers_what_is_parked() {
    let running = serve(|_| {});
    let (mut client, _) = park_a_fetch(&running).await;
    let stop = running.server.shutdown(Duration::from_secs(60));
    let parked = async {
        let response = expect_answer::<FetchRequest>(&mut client, FETCH, 2).await;
        assert_eq!(fetched(&response), b"");
        expect_answer::<ApiVersionsRequest>(&mut client, 2, 3).await;
        expect_closed(&mut client).await;
    };
    tokio::join!(stop, parked);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_parked_fetch_with_it() {
    let running = serve(|config| config.max_connections = 1);
    let (client, _) = park_a_fetch(&running).await;
    drop(client);
    // The only slot is free long before the minute has passed.
    let alive = expect_alive(&running);
    tokio::select! {
        () = alive => {}
        () = running.core.clock().sleep(Duration::from_secs(20)) => panic!("the fetch is still parked"),
    }
}

#[tokio::test]
async fn records_of_many_megabytes_arrive_as_they_were_sent() {
    let running = serve(|_| {});
    let id = create(&running.core, "large").await;
    let mut client = running.connect().await;
    let batch = records(&[&[7_u8; 1_000_000]]);
    let mut expected = Vec::new();
    for offset in 0..12_u64 {
        send(&mut client, &[request_bytes(&produce("large", id, 12, Some(batch.clone())), 12, 5)]).await;
        expect_answer::<ProduceRequest>(&mut client, 12, 5).await;
        expected.extend(offset.to_be_bytes());
        expected.extend(&batch[8..]);
    }
    let mut request = fetch("large", id, 12, 0, 0);
    request.topics[0].partitions[0].partition_max_bytes = i32::MAX;
    // A small answer before and behind, in the same write.
    let around = request_bytes(&ApiVersionsRequest::default(), 2, 1);
    send(&mut client, &[around.clone(), request_bytes(&request, 12, 6), around]).await;
    expect_answer::<ApiVersionsRequest>(&mut client, 2, 1).await;
    let response = expect_answer::<FetchRequest>(&mut client, 12, 6).await;
    expect_answer::<ApiVersionsRequest>(&mut client, 2, 1).await;
    // The leader epoch (bytes 12 to 15) is the broker's.
    let mut received = fetched(&response).to_vec();
    for copy in received.chunks_mut(batch.len()) {
        copy[12..16].copy_from_slice(&batch[12..16]);
    }
    assert!(received == expected, "{} bytes came of {}", received.len(), expected.len());
}

#[tokio::test]
async fn acks_0_is_answered_by_nothing_and_an_error_by_the_end() {
    let running = serve(|_| {});
    let id = create(&running.core, "silent").await;
    let mut client = running.connect().await;
    let good = produce("silent", id, 9, Some(records(&[b"a"]))).with_acks(0);
    let requests = [request_bytes(&good, 9, 1), request_bytes(&ApiVersionsRequest::default(), 2, 2)];
    send(&mut client, &requests).await;
    expect_answer::<ApiVersionsRequest>(&mut client, 2, 2).await;
    let bad = produce("silent", id, 9, Some(Bytes::from_static(b"no batch"))).with_acks(0);
    send(&mut client, &[request_bytes(&bad, 9, 3)]).await;
    expect_closed(&mut client).await;
}
