//! How long one record takes when nothing else is going on: to be acknowledged, and to reach a fetch that waits.
//!
//! One request at a time (a closed loop): the figures say nothing about a queue that builds up under a fixed rate.

use std::fmt;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;

use crate::wire::Connection;
use crate::{batch, fetch, produce, topic};

/// How long a fetch is given to reach the broker and start waiting, before the record is sent.
const UNTIL_PARKED: Duration = Duration::from_micros(200);
const RECORD_BYTES: usize = 100;

/// How many records to send.
#[derive(Args)]
pub(crate) struct Plan {
    address: SocketAddr,
    topic: String,
    /// Records sent before counting begins.
    #[arg(long, default_value_t = 2000)]
    warm_up: usize,
    /// Records counted.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
}

/// What half and what 99 of 100 records stay below.
pub(crate) struct Percentiles {
    p50: Duration,
    p99: Duration,
}

impl fmt::Display for Percentiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.4} {:.4}", self.p50.as_secs_f64() * 1e3, self.p99.as_secs_f64() * 1e3)
    }
}

/// From sending one record to its acknowledgement.
pub(crate) fn produce(plan: &Plan) -> Result<Percentiles> {
    let frame = produce::request(&plan.topic, &batch::encode(0, RECORD_BYTES));
    let mut connection = Connection::open(plan.address)?;
    repeat(plan, || {
        let began = Instant::now();
        produce::accepted(connection.ask(&frame)?)?;
        Ok(began.elapsed())
    })
}

/// From sending one record to having it in the answer of a fetch that was waiting on another connection.
pub(crate) fn delivery(plan: &Plan) -> Result<Percentiles> {
    let frame = produce::request(&plan.topic, &batch::encode(0, RECORD_BYTES));
    let mut producer = Connection::open(plan.address)?;
    let mut consumer = Connection::open(plan.address)?;
    let mut offset = topic::end_offset(&mut consumer, &plan.topic)?;
    repeat(plan, || {
        consumer.send(&fetch::request(&plan.topic, offset, 1024 * 1024))?;
        thread::sleep(UNTIL_PARKED);
        let began = Instant::now();
        producer.send(&frame)?;
        let arrived = batch::whole_batches(fetch::records(consumer.receive()?)?).map(|(next, _)| next);
        let took = began.elapsed();
        let appended_at = produce::accepted(producer.receive()?)?;
        ensure!(appended_at == offset, "the record was appended at {appended_at}, it should be at {offset}");
        offset += 1;
        ensure!(arrived == Some(offset), "the fetch did not bring the record at {appended_at}");
        Ok(took)
    })
}

fn repeat(plan: &Plan, mut once: impl FnMut() -> Result<Duration>) -> Result<Percentiles> {
    for _ in 0..plan.warm_up {
        once()?;
    }
    let mut times = (0..plan.count).map(|_| once()).collect::<Result<Vec<_>>>()?;
    ensure!(!times.is_empty(), "--count must be at least 1");
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    Ok(Percentiles { p50: at(50), p99: at(99) })
}
