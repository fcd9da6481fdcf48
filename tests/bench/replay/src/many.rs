//! Many topics: how long they take to be made, and how long a broker takes to tell of them all.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::wire::{Connection, Request, RequestKind};

const PATIENCE: Duration = Duration::from_secs(60);
/// How often the broker is asked for all of it; the median counts.
const QUESTIONS: usize = 9;

/// What to create.
#[derive(Args)]
pub(crate) struct Plan {
    address: SocketAddr,
    #[arg(long, default_value_t = 1000)]
    topics: usize,
    /// Of each topic.
    #[arg(long, default_value_t = 10)]
    partitions: i32,
    /// How many topics one request asks for; Kafka refuses 10 000 partitions in one.
    #[arg(long, default_value_t = 500)]
    a_request: usize,
}

/// Creates them over one connection, then asks for them all. Answers `<seconds to create> <milliseconds of Metadata>`.
pub(crate) fn run(plan: &Plan) -> Result<String> {
    let names: Vec<String> = (0..plan.topics).map(|number| format!("many-{number:06}")).collect();
    let mut connection = Connection::open(plan.address)?;
    let began = Instant::now();
    for names in names.chunks(plan.a_request.max(1)) {
        create(&mut connection, names, plan.partitions)?;
    }
    let created = began.elapsed();

    let wanted = plan.topics * usize::try_from(plan.partitions)?;
    let began = Instant::now();
    // A broker may answer before all its parts know.
    while ask_for_all(&mut connection)? < wanted {
        ensure!(began.elapsed() < PATIENCE, "the topics were created, but the broker does not tell of all partitions");
        thread::sleep(Duration::from_millis(100));
    }
    let mut took = Vec::new();
    for _ in 0..QUESTIONS {
        let began = Instant::now();
        ask_for_all(&mut connection)?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(format!("{:.3} {:.2}", created.as_secs_f64(), took[QUESTIONS / 2].as_secs_f64() * 1e3))
}

fn create(connection: &mut Connection, names: &[String], partitions: i32) -> Result<()> {
    let replication_factor = 1;
    let mut request = Request::new(RequestKind::CreateTopics).int32(i32::try_from(names.len())?);
    for name in names {
        // Neither assignments nor configs.
        request = request.string(name).int32(partitions).int16(replication_factor).int32(0).int32(0);
    }
    let request = request.int32(60_000).int8(0);
    let mut answer = connection.ask(&request.finish())?;
    let (_throttle_time_ms, count) = (answer.int32()?, answer.int32()?);
    for _ in 0..count {
        let name = String::from_utf8_lossy(answer.string()?).into_owned();
        answer.no_error().with_context(|| format!("cannot create topic {name}"))?;
        let _message = answer.string()?;
    }
    Ok(())
}

/// How many partitions the broker tells of that have a leader.
fn ask_for_all(connection: &mut Connection) -> Result<usize> {
    let every_topic = -1;
    let mut answer = connection.ask(&Request::new(RequestKind::Metadata).int32(every_topic).finish())?;
    for _ in 0..answer.int32()? {
        let (_id, _host, _port, _rack) = (answer.int32()?, answer.string()?, answer.int32()?, answer.string()?);
    }
    let _controller = answer.int32()?;
    let mut with_leader = 0;
    for _ in 0..answer.int32()? {
        answer.int16()?;
        let (_name, _is_internal) = (answer.string()?, answer.bytes(1)?);
        for _ in 0..answer.int32()? {
            let (code, _index, _leader) = (answer.int16()?, answer.int32()?, answer.int32()?);
            let replicas = answer.int32()?;
            (0..replicas).try_for_each(|_| answer.int32().map(drop))?;
            let in_sync = answer.int32()?;
            (0..in_sync).try_for_each(|_| answer.int32().map(drop))?;
            with_leader += usize::from(code == 0);
        }
    }
    Ok(with_leader)
}
