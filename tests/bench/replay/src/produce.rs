//! The replay producer: one batch, encoded once, appended again and again over one connection with several requests
//! in flight. What it costs to make records is thus left out of the measurement.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::batch;
use crate::wire::{Answer, Connection, Request, RequestKind};

/// What to append, and how.
#[derive(Args)]
pub(crate) struct Plan {
    address: SocketAddr,
    topic: String,
    /// How much to append in all, in MB (1 000 000 bytes).
    #[arg(long)]
    megabytes: usize,
    /// The largest size of a batch.
    #[arg(long)]
    batch_bytes: usize,
    /// The size of a record's value.
    #[arg(long, default_value_t = 1000)]
    record_bytes: usize,
    /// How many requests may wait for their answers.
    #[arg(long, default_value_t = 5)]
    in_flight: usize,
}

/// Appends it all and answers MB/s, counted from the first request to the last answer.
pub(crate) fn run(plan: &Plan) -> Result<f64> {
    let batch = batch::encode(plan.batch_bytes, plan.record_bytes);
    let frame = request(&plan.topic, &batch);
    let requests = (plan.megabytes * 1_000_000).div_ceil(batch.len());
    let mut connection = Connection::open(plan.address)?;

    let began = Instant::now();
    let mut answered = 0;
    for sent in 0..requests {
        if sent - answered == plan.in_flight {
            accepted(connection.receive()?)?;
            answered += 1;
        }
        connection.send(&frame)?;
    }
    for _ in answered..requests {
        accepted(connection.receive()?)?;
    }
    Ok((requests * batch.len()) as f64 / 1e6 / began.elapsed().as_secs_f64())
}

/// A Produce request of one batch with acks=all.
pub(crate) fn request(topic: &str, batch: &[u8]) -> Vec<u8> {
    let (no_transactional_id, acks, timeout_ms) = (-1, -1, 30_000);
    let request = Request::new(RequestKind::Produce).int16(no_transactional_id).int16(acks).int32(timeout_ms);
    request.only_partition(topic).records(batch).finish()
}

/// The base offset the broker gave the batch.
pub(crate) fn accepted(mut answer: Answer<'_>) -> Result<i64> {
    answer.only_partition()?;
    answer.no_error()?;
    answer.int64()
}
