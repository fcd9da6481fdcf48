//! `cutaway completions`: what lets a shell complete commands and options.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::arguments::Arguments;
use super::output::written;

/// For which shell.
#[derive(Args, Clone, Debug)]
pub(crate) struct CompletionsOptions {
    /// The shell; its manual says where it looks for completions.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints them.
pub(crate) fn run(options: &CompletionsOptions) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "cutaway", &mut script);
    written(std::io::Write::write_all(&mut std::io::stdout(), &script))?;
    Ok(ExitCode::SUCCESS)
}
