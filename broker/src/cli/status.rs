//! `cutaway status`: the broker that runs on a data folder.

use std::process::ExitCode;

use anyhow::bail;

use super::arguments::StatusOptions;
use super::banner::{self, Tools};
use super::{control, converse};

/// Shows the running broker; fails when there is none.
pub(crate) fn run(options: &StatusOptions) -> anyhow::Result<ExitCode> {
    let folder = options.folder.data_folder()?;
    let Some(status) = converse(control::status(&folder))?? else {
        let tools = Tools::find(false);
        let (own, folder) = (banner::shell_word(&tools.own_path), banner::shell_word(&folder));
        bail!("no broker is running on {folder}; start one with: {own} --data {folder}");
    };
    if options.json {
        anstream::println!("{}", serde_json::to_string(&status)?);
        return Ok(ExitCode::SUCCESS);
    }
    anstream::print!("{}", banner::render(&status, "serves", &Tools::find(false)));
    anstream::println!("  {}", banner::detail("process", format_args!("{}, since {}", status.pid, status.started_at)));
    for finding in &status.recovery {
        anstream::println!("  {}", banner::detail("recovered", finding));
    }
    Ok(ExitCode::SUCCESS)
}
