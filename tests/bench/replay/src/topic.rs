//! A topic of one partition, which a run has to itself.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::wire::{Connection, Request, RequestKind};

const PATIENCE: Duration = Duration::from_secs(10);

/// Creates the topic and comes back when its partition can be read: a broker may answer before its parts all know.
pub(crate) fn create(address: SocketAddr, topic: &str) -> Result<()> {
    let (partitions, replication_factor) = (1, 1);
    let request = Request::new(RequestKind::CreateTopics)
        .int32(1)
        .string(topic)
        .int32(partitions)
        .int16(replication_factor)
        .int32(0) // assignments
        .int32(0) // configs
        .int32(10_000) // timeout in milliseconds
        .int8(0); // not only validated
    let mut connection = Connection::open(address)?;
    let mut answer = connection.ask(&request.finish())?;
    let (_throttle_time_ms, topics) = (answer.int32()?, answer.int32()?);
    ensure!(topics == 1, "the broker answered about {topics} topics, 1 was to be created");
    answer.string()?;
    answer.no_error().with_context(|| format!("cannot create topic {topic}"))?;

    let began = Instant::now();
    while let Err(error) = end_offset(&mut connection, topic) {
        ensure!(began.elapsed() < PATIENCE, "topic {topic} was created but cannot be read: {error:#}");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The offset after the partition's last record.
pub(crate) fn end_offset(connection: &mut Connection, topic: &str) -> Result<i64> {
    let (replica_id, latest) = (-1, -1);
    let request = Request::new(RequestKind::ListOffsets).int32(replica_id).only_partition(topic).int64(latest);
    let mut answer = connection.ask(&request.finish())?;
    answer.only_partition()?;
    answer.no_error()?;
    let _timestamp = answer.int64()?;
    answer.int64()
}
