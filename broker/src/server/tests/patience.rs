//! Clients that keep the broker waiting: for how long, and at whose cost.

use super::*;
use crate::journal::{Event, News, Subscription};
use crate::server::frames::UNBUDGETED_BYTES;

/// What comes first in a frame that announces `length` bytes, and `count` bytes of a Produce.
fn beginning(length: u32, count: usize) -> Vec<u8> {
    // Produce is API 0, and what follows is not looked at before it is whole.
    [&length.to_be_bytes()[..], &vec![0; count]].concat()
}

/// Why the next client is refused.
async fn next_refusal(live: &mut Subscription) -> String {
    loop {
        match live.next().await {
            News::Happened(entry) => {
                if let Event::RequestRefused { why, .. } = &entry.event {
                    return why.clone();
                }
            }
            News::Missed(count) => panic!("missed {count} events"),
        }
    }
}

fn is_open(client: &TcpStream) -> bool {
    matches!(client.try_read(&mut [0]), Err(failure) if failure.kind() == std::io::ErrorKind::WouldBlock)
}

/// A Produce that is answered, from a client of its own.
async fn produce_once(running: &Running, id: Uuid, bytes: usize) {
    let mut client = running.connect().await;
    let request = request_bytes(&produce("honest", id, 12, Some(records(&[&vec![7; bytes]]))), 12, 3);
    send(&mut client, &[request]).await;
    let response = expect_answer::<ProduceRequest>(&mut client, 12, 3).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
}

/// The budget was once reserved by the length that a client announced.
#[tokio::test]
async fn clients_that_announce_much_and_fall_silent_hold_up_nobody() {
    const ANNOUNCED: u32 = 100 * 1024 * 1024;
    let running = serve(|_| {});
    let id = create(&running.core, "honest").await;
    let mut liars = Vec::new();
    for sent in [10, UNBUDGETED_BYTES + 1, 300_000] {
        let mut liar = running.connect().await;
        liar.write_all(&beginning(ANNOUNCED, sent)).await.expect("sent");
        liars.push(liar);
    }
    produce_once(&running, id, 1_000_000).await;
    assert!(liars.iter().all(is_open), "the honest client had to wait until the others were thrown out");
}

#[tokio::test]
async fn a_client_that_falls_silent_with_the_last_of_the_budget_is_closed_for_those_who_wait() {
    const TOTAL: u32 = 1024 * 1024;
    let patience = Patience { growth: Duration::from_millis(20), ..Patience::default() };
    let running = serve_with(patience, |config| {
        config.queued_max_request_bytes = TOTAL.into();
        config.socket_request_max_bytes = TOTAL.cast_signed();
    });
    let id = create(&running.core, "honest").await;
    let (_, mut live) = running.core.journal().subscribe();
    let mut liars = Vec::new();
    for _ in 0..4 {
        let mut liar = running.connect().await;
        liar.write_all(&beginning(TOTAL, UNBUDGETED_BYTES + 1)).await.expect("sent");
        liars.push(liar);
    }
    produce_once(&running, id, 300_000).await;
    for _ in 1..liars.len() {
        let why = next_refusal(&mut live).await;
        assert!(why.contains("queued.max.request.bytes"), "{why}");
    }
}

#[tokio::test]
async fn many_honest_producers_share_a_small_budget() {
    let running = serve(|config| {
        config.queued_max_request_bytes = 4 * 1024 * 1024;
        config.socket_request_max_bytes = 2 * 1024 * 1024;
    });
    let id = create(&running.core, "honest").await;
    let running = Arc::new(running);
    let mut producers = JoinSet::new();
    for _ in 0..60 {
        let running = Arc::clone(&running);
        producers.spawn(async move { produce_once(&running, id, 1_000_000).await });
    }
    while let Some(produced) = producers.join_next().await {
        produced.expect("no panic");
    }
}

#[tokio::test]
async fn a_frame_that_began_must_be_whole_in_time_however_busily_its_client_dribbles() {
    let patience = Patience { frame: Duration::from_millis(20), ..Patience::default() };
    let running = serve_with(patience, |_| {});
    let (_, mut live) = running.core.journal().subscribe();
    let mut silent = running.connect().await;
    silent.write_all(&beginning(60_000, 10)).await.expect("sent");
    assert_eq!(next_refusal(&mut live).await, "a request that began was not complete after 20ms");
    expect_closed(&mut silent).await;
    let mut dribbling = running.connect().await;
    dribbling.write_all(&beginning(60_000, 10)).await.expect("sent");
    let dribble = async {
        while dribbling.write_all(&[0]).await.is_ok() {
            tokio::task::yield_now().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = dribble => {}
        why = next_refusal(&mut live) => assert_eq!(why, "a request that began was not complete after 20ms"),
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answers_is_given_up() {
    let patience = Patience { answer: Duration::from_millis(20), ..Patience::default() };
    let running = serve_with(patience, |_| {});
    let id = create(&running.core, "large").await;
    for _ in 0..8 {
        ask(&running.core, &produce("large", id, 12, Some(records(&[&[7_u8; 1_000_000]]))), 12).await;
    }
    let (_, mut live) = running.core.journal().subscribe();
    let mut request = fetch("large", id, 12, 0, 0);
    request.topics[0].partitions[0].partition_max_bytes = i32::MAX;
    let mut client = running.connect().await;
    // More than the kernel's buffers on both sides hold.
    send(&mut client, &vec![request_bytes(&request, 12, 6); 10]).await;
    assert_eq!(next_refusal(&mut live).await, "it took no byte of its answers for 20ms");
    drop(client);
    expect_alive(&running).await;
}
