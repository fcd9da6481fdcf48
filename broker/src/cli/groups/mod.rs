//! `cutaway groups`: what consumer groups there are, how far they have come, and how to change that.
//!
//! Each group is looked after by one node of a cluster, its coordinator, which is asked for everything but the list
//! ([`mod@coordinator`]).

mod change;
mod describe;
pub(super) mod find;
mod list;
mod options;
mod reset;

use std::process::ExitCode;

use super::client::Client;
use super::converse_until_interrupt;
use options::GroupsCommand;
pub(crate) use options::GroupsOptions;

/// How this program calls itself to brokers.
const CLIENT_ID: &str = "cutaway-groups";

/// Runs one of the commands; without one, groups are listed.
pub(crate) fn run(options: GroupsOptions) -> anyhow::Result<ExitCode> {
    let GroupsOptions { broker, json, command } = options;
    converse_until_interrupt(async {
        let mut client = Client::connect(&broker, CLIENT_ID).await?;
        match command.unwrap_or(GroupsCommand::List) {
            GroupsCommand::List => list::run(&mut client, json).await,
            GroupsCommand::Describe(options) => describe::run(&mut client, &options, json).await,
            GroupsCommand::ResetOffsets(options) => reset::run(&mut client, &options, json).await,
            GroupsCommand::Delete(options) => change::delete(&mut client, &options, json).await,
            GroupsCommand::DeleteOffsets(options) => change::delete_offsets(&mut client, &options, json).await,
        }
    })
}

/// Tells of each group that something failed with, and turns them into an exit code.
fn outcome(failures: &[anyhow::Error]) -> ExitCode {
    failures.iter().for_each(super::tell_error);
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
