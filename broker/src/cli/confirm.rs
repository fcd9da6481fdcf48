//! Asks before something is destroyed.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, bail};

/// Asks on a terminal; elsewhere nobody could answer, and `deed` ("would move …") is refused.
pub(crate) fn confirm(question: &str, deed: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("this would {deed}; add --yes to do it without being asked");
    }
    anstream::eprint!("{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("the answer cannot be read")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
