//! The replay consumer: reads a partition from front to back over one connection, looks only at batch headers, and
//! asks for the next piece when it has the last one, as a consumer of one partition does.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::batch;
use crate::topic;
use crate::wire::{Answer, Connection, Request, RequestKind};

/// What to read.
#[derive(Args)]
pub(crate) struct Plan {
    address: SocketAddr,
    topic: String,
    /// How often the partition is read.
    #[arg(long, default_value_t = 1)]
    times: usize,
    /// The most a single answer may carry; 1 MiB is what Kafka's clients ask for.
    #[arg(long, default_value_t = 1024 * 1024)]
    answer_bytes: i32,
}

/// Reads it all and answers MB/s of whole batches.
pub(crate) fn run(plan: &Plan) -> Result<f64> {
    let mut connection = Connection::open(plan.address)?;
    let end = topic::end_offset(&mut connection, &plan.topic)?;
    ensure!(end > 0, "topic {} is empty, so there is nothing to measure", plan.topic);
    let began = Instant::now();
    let mut total = 0;
    for _ in 0..plan.times {
        let mut offset = 0;
        while offset < end {
            let answer = connection.ask(&request(&plan.topic, offset, plan.answer_bytes))?;
            let (next, bytes) = batch::whole_batches(records(answer)?)
                .with_context(|| format!("no whole batch came at offset {offset}, before the end {end}"))?;
            (offset, total) = (next, total + bytes);
        }
    }
    Ok(total as f64 / 1e6 / began.elapsed().as_secs_f64())
}

/// A Fetch request of one partition, outside any session, which waits up to half a second for a first byte.
pub(crate) fn request(topic: &str, offset: i64, answer_bytes: i32) -> Vec<u8> {
    let (replica_id, max_wait_ms, min_bytes, isolation_level) = (-1, 500, 1, 0);
    let (session_id, session_epoch) = (0, -1);
    let (current_leader_epoch, log_start_offset) = (-1, -1);
    Request::new(RequestKind::Fetch)
        .int32(replica_id)
        .int32(max_wait_ms)
        .int32(min_bytes)
        .int32(answer_bytes)
        .int8(isolation_level)
        .int32(session_id)
        .int32(session_epoch)
        .only_partition(topic)
        .int32(current_leader_epoch)
        .int64(offset)
        .int64(log_start_offset)
        .int32(answer_bytes)
        .int32(0) // forgotten topics
        .string("") // rack
        .finish()
}

/// The record bytes of an answer to [`request`].
pub(crate) fn records(mut answer: Answer<'_>) -> Result<&[u8]> {
    let _throttle_time_ms = answer.int32()?;
    answer.no_error()?;
    let _session_id = answer.int32()?;
    answer.only_partition()?;
    answer.no_error()?;
    let (_high_watermark, _last_stable_offset, _log_start_offset) = (answer.int64()?, answer.int64()?, answer.int64()?);
    let aborted_transactions = answer.int32()?;
    ensure!(aborted_transactions <= 0, "the answer lists aborted transactions, and there were none");
    let _preferred_read_replica = answer.int32()?;
    let length = answer.int32()?;
    answer.bytes(usize::try_from(length).unwrap_or(0))
}
