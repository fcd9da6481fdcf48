//! A group with many members, and how long it takes until all of them have their parts when one more comes.
//!
//! A member hears of a rebalance with its next heartbeat, so the slowest needs a whole interval for that, whatever the broker
//! does. What is measured is the time beyond it.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::groups::{heartbeat, ready};
use crate::wire::{Connection, Request, RequestKind};

/// REBALANCE_IN_PROGRESS.
const REBALANCE: i16 = 27;

/// Who is in the group.
#[derive(Args)]
pub(crate) struct Plan {
    address: SocketAddr,
    #[arg(long, default_value_t = 100)]
    members: usize,
    #[arg(long, default_value_t = 500)]
    heartbeat_ms: u64,
}

/// A member that lives in a thread of its own.
struct Member {
    connection: Connection,
    group: String,
    id: String,
    generation: i32,
}

/// Answers by how many milliseconds the rebalance outlasted one heartbeat interval.
pub(crate) fn run(plan: &Plan) -> Result<f64> {
    ready(plan.address)?;
    // Members of an earlier run may still be waited for in theirs.
    let group = format!("bench-rebalance-{}", std::process::id());
    let group = group.as_str();
    let interval = Duration::from_millis(plan.heartbeat_ms);
    let all_are_there = Barrier::new(plan.members + 1);
    let (began, ends) = thread::scope(|scope| {
        let members: Vec<_> = (0..plan.members)
            .map(|number| {
                let all_are_there = &all_are_there;
                scope.spawn(move || {
                    let settled = settle(plan.address, group, interval);
                    all_are_there.wait();
                    // Their heartbeats are spread over the interval.
                    thread::sleep(interval.mul_f64(number as f64 / plan.members as f64));
                    live_through_one_rebalance(settled?, interval)
                })
            })
            .collect();
        all_are_there.wait();
        // All of them live, at some place in their interval.
        thread::sleep(interval * 2);
        let began = Instant::now();
        let last = Member::open(plan.address, group).and_then(|mut one| one.join_and_sync().map(|_| Instant::now()));
        let ends = members.into_iter().map(|member| member.join().expect("a member does not panic"));
        (began, ends.chain([last]).collect::<Result<Vec<Instant>>>())
    });
    let end = ends?.into_iter().max().context("there are members")?;
    Ok((end.duration_since(began).as_secs_f64() - interval.as_secs_f64()) * 1e3)
}

/// Joins, and again as others come, until the group has been at rest for a while.
fn settle(address: SocketAddr, group: &str, interval: Duration) -> Result<Member> {
    let mut member = Member::open(address, group)?;
    member.join_and_sync()?;
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < interval * 6 {
        thread::sleep(interval / 4);
        if !member.is_alive()? {
            member.join_and_sync()?;
            quiet_since = Instant::now();
        }
    }
    Ok(member)
}

fn live_through_one_rebalance(mut member: Member, interval: Duration) -> Result<Instant> {
    while member.is_alive()? {
        thread::sleep(interval);
    }
    member.join_and_sync()?;
    Ok(Instant::now())
}

impl Member {
    fn open(address: SocketAddr, group: &str) -> Result<Member> {
        Ok(Member { connection: Connection::open(address)?, group: group.to_owned(), id: String::new(), generation: 0 })
    }

    fn is_alive(&mut self) -> Result<bool> {
        match self.connection.ask(&heartbeat(&self.group, self.generation, &self.id))?.int16()? {
            0 => Ok(true),
            REBALANCE => Ok(false),
            code => bail!("a heartbeat is answered with error code {code}"),
        }
    }

    /// Until it has its part in a generation.
    fn join_and_sync(&mut self) -> Result<()> {
        loop {
            let session_ms = 60_000;
            let join = Request::new(RequestKind::JoinGroup).string(&self.group).int32(session_ms).string(&self.id);
            let join = join.string("consumer").int32(1).string("range").records(&[0; 32]).finish();
            let mut answer = self.connection.ask(&join)?;
            answer.no_error()?;
            self.generation = answer.int32()?;
            let (_protocol, leader) = (answer.string()?, answer.string()?.to_vec());
            let own = answer.string()?.to_vec();
            let mut ids = Vec::new();
            for _ in 0..answer.int32()? {
                ids.push(String::from_utf8(answer.string()?.to_vec())?);
                let size = usize::try_from(answer.int32()?)?;
                answer.bytes(size)?;
            }
            self.id = String::from_utf8(own.clone())?;
            let mut sync =
                Request::new(RequestKind::SyncGroup).string(&self.group).int32(self.generation).string(&self.id);
            sync = sync.int32(if leader == own { i32::try_from(ids.len())? } else { 0 });
            for id in ids.iter().filter(|_| leader == own) {
                sync = sync.string(id).records(&[1; 32]);
            }
            match self.connection.ask(&sync.finish())?.int16()? {
                0 => return Ok(()),
                REBALANCE => {}
                code => bail!("a sync is answered with error code {code}"),
            }
        }
    }
}
