//! `cutaway-bench` measures a broker from outside, over the wire and nothing else, so that it treats every broker alike.
//! `tests/bench/run` calls it; what it measures, and why so, stands in `docs/performance.md`.
//!
//! It is not a Kafka client: it knows a few requests at one version each, talks to one broker, and stops at the first
//! error it is answered.

mod batch;
mod fetch;
mod groups;
mod latency;
mod many;
mod produce;
mod rebalance;
mod start;
mod table;
mod topic;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures a Kafka broker from outside, with frames made beforehand", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print a TCP port of 127.0.0.1 that is free now.
    FreePort,
    /// Start a broker, print its process id and the milliseconds until its first answer, then wait for its end.
    Start {
        /// Where the broker will listen.
        #[arg(long)]
        address: SocketAddr,
        /// Where its output goes.
        #[arg(long)]
        log: PathBuf,
        /// The broker's command line.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Create a topic of one partition and wait until it can be read.
    CreateTopic { address: SocketAddr, topic: String },
    /// Create many topics over one connection and ask for them all; print seconds, and milliseconds of Metadata.
    ManyTopics(many::Plan),
    /// Append the same batch again and again, acks=all, and print MB/s.
    Produce(produce::Plan),
    /// Read a partition from its first record to its end, and print MB/s.
    Fetch(fetch::Plan),
    /// Append one record at a time, acks=all, and print p50 and p99 in milliseconds.
    ProduceLatency(latency::Plan),
    /// Append one record at a time while a fetch waits for it, and print p50 and p99 of the fetch's answer.
    DeliveryLatency(latency::Plan),
    /// Commit offsets over several connections, and print how many in a second.
    GroupCommits(groups::Commits),
    /// Let members join groups and send heartbeats; print `joined` when all have.
    GroupMembers(groups::Members),
    /// Wait until a broker has read all its groups.
    GroupsReady { address: SocketAddr },
    /// Let one more member join a large group; print by how many milliseconds that outlasts a heartbeat interval.
    GroupRebalance(rebalance::Plan),
    /// Compare the two sides of a file of results (side, row, metric, value; tabs between).
    Table {
        results: PathBuf,
        /// As a Markdown table.
        #[arg(long)]
        markdown: bool,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::FreePort => println!("{}", start::free_port()?),
        Command::Start { address, log, command } => start::run(address, &log, &command)?,
        Command::CreateTopic { address, topic } => topic::create(address, &topic)?,
        Command::ManyTopics(plan) => println!("{}", many::run(&plan)?),
        Command::Produce(plan) => println!("{:.1}", produce::run(&plan)?),
        Command::Fetch(plan) => println!("{:.1}", fetch::run(&plan)?),
        Command::ProduceLatency(plan) => println!("{}", latency::produce(&plan)?),
        Command::DeliveryLatency(plan) => println!("{}", latency::delivery(&plan)?),
        Command::GroupCommits(plan) => println!("{:.0}", groups::commits(&plan)?),
        Command::GroupMembers(plan) => groups::members(&plan)?,
        Command::GroupsReady { address } => groups::ready(address)?,
        Command::GroupRebalance(plan) => println!("{:.1}", rebalance::run(&plan)?),
        Command::Table { results, markdown } => print!("{}", table::compare(&results, markdown)?),
    }
    Ok(())
}
