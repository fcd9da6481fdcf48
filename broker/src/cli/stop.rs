//! `cutaway stop`: asks the broker on a data folder to stop, and waits until it has let go of the folder.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use cutaway::clock::Clock;
use cutaway::config::limits::STOP_TIMEOUT_MS;
use cutaway::storage::disk::Disk;
use cutaway::topics::LOCK_FILE;

use super::arguments::FolderOptions;
use super::{banner, control, converse};

/// How often the lock is looked at; nothing tells when it becomes free.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Stops the running broker; fails when there is none.
pub(crate) fn run(options: &FolderOptions) -> anyhow::Result<ExitCode> {
    let folder = options.data_folder()?;
    let shown = banner::shell_word(&folder);
    let clock = Clock::system();
    let stopped = converse(async {
        if !control::stop(&folder).await? {
            bail!("no broker is running on {shown}");
        }
        tokio::select! {
            () = wait_until_released(&folder, &clock) => Ok(()),
            () = clock.sleep(Duration::from_millis(STOP_TIMEOUT_MS)) => {
                bail!("the broker on {shown} was asked to stop, but it still holds its folder")
            }
        }
    })?;
    stopped?;
    anstream::eprintln!("the broker on {shown} has stopped");
    Ok(ExitCode::SUCCESS)
}

/// Waits until nobody holds the folder, or there is no folder any more (`--temp`): of one that is being removed the lock
/// may go first.
pub(crate) async fn wait_until_released(folder: &Path, clock: &Clock) {
    let disk = Disk::default();
    let lock = folder.join(LOCK_FILE);
    let is_held = || {
        if disk.exists(&lock) {
            match disk.try_lock_existing(&lock) {
                Ok(free) => return free.is_none(),
                // Unless it went just now, nobody can hold what cannot be locked.
                Err(_) if disk.exists(&lock) => return false,
                Err(_) => {}
            }
        }
        disk.exists(folder)
    };
    while is_held() {
        clock.sleep(LOOK_AGAIN).await;
    }
}
