//! Waiting for what comes a little later: asked again and again, and not for ever.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

/// What has not come by then does not come; generous, for machines that do many things at once.
const LIMIT: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Looks until it is so; an error that says what was waited for, if that never comes.
pub fn until(what: &str, mut is_so: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !is_so()? {
        if Instant::now() > deadline {
            bail!("waited {LIMIT:?} in vain: {what}");
        }
        thread::park_timeout(PAUSE);
    }
    Ok(())
}
