//! Consumer groups: how many offsets are committed in a second, and many members that only say that they live.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::wire::{Answer, Connection, Request, RequestKind};

const PATIENCE: Duration = Duration::from_secs(30);

/// What to commit.
#[derive(Args)]
pub(crate) struct Commits {
    address: SocketAddr,
    /// Offsets are committed for its only partition.
    topic: String,
    /// Each commits for groups of its own.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// For so many, in turn.
    #[arg(long, default_value_t = 1)]
    groups: usize,
    /// Commits of each.
    #[arg(long, default_value_t = 25_000)]
    count: i64,
    /// How many requests of each may wait for their answers.
    #[arg(long, default_value_t = 20)]
    in_flight: i64,
}

/// How many members there are, each alone in its group, and for how long.
#[derive(Args)]
pub(crate) struct Members {
    address: SocketAddr,
    #[arg(long, default_value_t = 1000)]
    members: usize,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Between two heartbeats of a member.
    #[arg(long, default_value_t = 3)]
    heartbeat_seconds: u64,
}

/// Commits on all connections at once; answers commits per second.
pub(crate) fn commits(plan: &Commits) -> Result<f64> {
    let groups = |connection: usize| -> Vec<String> {
        (0..plan.groups).map(|number| format!("bench-commits-{connection}-{number}")).collect()
    };
    let groups: Vec<Vec<String>> = (0..plan.connections).map(groups).collect();
    ready(plan.address)?;
    let began = Instant::now();
    thread::scope(|scope| {
        let working: Vec<_> = groups.iter().map(|groups| scope.spawn(move || commit_all(plan, groups))).collect();
        working.into_iter().try_for_each(|one| one.join().expect("it does not panic"))
    })?;
    let all = plan.count as f64 * plan.connections as f64;
    Ok(all / began.elapsed().as_secs_f64())
}

fn commit_all(plan: &Commits, groups: &[String]) -> Result<()> {
    let mut connection = Connection::open(plan.address)?;
    let mut answered = 0;
    for (sent, group) in (0..plan.count).zip(groups.iter().cycle()) {
        if sent - answered == plan.in_flight {
            committed(connection.receive()?)?;
            answered += 1;
        }
        connection.send(&commit(group, &plan.topic, sent))?;
    }
    (answered..plan.count).try_for_each(|_| committed(connection.receive()?))
}

/// Waits until a broker has read all its groups: until it knows of groups in every partition that nobody is in them.
pub(crate) fn ready(address: SocketAddr) -> Result<()> {
    // So many names fall into all of Kafka's fifty partitions.
    for number in 0..400 {
        let group = format!("bench-{number}");
        let unknown = |mut answer: Answer<'_>| {
            let code = answer.int16()?;
            ensure!(code == 25, "error code {code}");
            Ok(())
        };
        until_ready(address, || Ok(heartbeat(&group, 1, "nobody")), unknown)?;
    }
    Ok(())
}

/// OffsetCommit without membership.
fn commit(group: &str, topic: &str, offset: i64) -> Vec<u8> {
    let (no_generation, no_member, default_retention) = (-1, "", -1);
    let request = Request::new(RequestKind::OffsetCommit).string(group).int32(no_generation).string(no_member);
    request.int64(default_retention).only_partition(topic).int64(offset).string("").finish()
}

fn committed(mut answer: Answer<'_>) -> Result<()> {
    answer.only_partition()?;
    answer.no_error()
}

/// Lets members join and live; says on a line of its own when all have joined.
pub(crate) fn members(plan: &Members) -> Result<()> {
    ready(plan.address)?;
    let mut members = join_all(plan.address, plan.members)?;
    println!("joined");
    let began = Instant::now();
    let pause = Duration::from_secs(plan.heartbeat_seconds).div_f64(members.len().max(1) as f64);
    while began.elapsed() < Duration::from_secs(plan.seconds) {
        for (connection, frame) in &mut members {
            connection.ask(frame)?.no_error()?;
            thread::sleep(pause);
        }
    }
    Ok(())
}

/// Members that have got their parts, and their heartbeats. All join at once: a broker may let each wait for others.
fn join_all(address: SocketAddr, count: usize) -> Result<Vec<(Connection, Vec<u8>)>> {
    let group = |number: usize| format!("bench-members-{number}");
    let mut connections = (0..count).map(|_| Connection::open(address)).collect::<Result<Vec<_>>>()?;
    for (number, connection) in connections.iter_mut().enumerate() {
        connection.send(&join(&group(number)))?;
    }
    let mut members = Vec::with_capacity(count);
    for (number, mut connection) in connections.into_iter().enumerate() {
        let mut answer = connection.receive()?;
        answer.no_error()?;
        let generation = answer.int32()?;
        let (_protocol, _leader) = (answer.string()?, answer.string()?);
        let id = String::from_utf8(answer.string()?.to_vec())?;
        connection.ask(&sync(&group(number), generation, &id))?.no_error()?;
        members.push((connection, heartbeat(&group(number), generation, &id)));
    }
    Ok(members)
}

fn join(group: &str) -> Vec<u8> {
    let (session_ms, no_member) = (60_000, "");
    let request = Request::new(RequestKind::JoinGroup).string(group).int32(session_ms).string(no_member);
    let request = request.string("consumer");
    request.int32(1).string("range").records(&[0; 32]).finish()
}

/// Nobody gets anything: what is in an assignment costs a broker nothing more.
fn sync(group: &str, generation: i32, member: &str) -> Vec<u8> {
    Request::new(RequestKind::SyncGroup).string(group).int32(generation).string(member).int32(0).finish()
}

pub(crate) fn heartbeat(group: &str, generation: i32, member: &str) -> Vec<u8> {
    Request::new(RequestKind::Heartbeat).string(group).int32(generation).string(member).finish()
}

/// Asks for the coordinator, and then until it answers as it should: a broker makes and reads its topic of groups first.
pub(crate) fn until_ready(
    address: SocketAddr,
    question: impl Fn() -> Result<Vec<u8>>,
    judge: impl Fn(Answer<'_>) -> Result<()>,
) -> Result<()> {
    let mut connection = Connection::open(address)?;
    let began = Instant::now();
    loop {
        connection.ask(&Request::new(RequestKind::FindCoordinator).string("bench").finish())?;
        match judge(connection.ask(&question()?)?) {
            Ok(()) => return Ok(()),
            Err(error) if began.elapsed() > PATIENCE => return Err(error).context("groups cannot be used"),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}
