//! `cutaway reset`: moves the data folder aside. Nothing is deleted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use cutaway::clock::{self, Clock, TimestampMs};
use cutaway::storage::checkpoint::identity::META_PROPERTIES_FILE;
use cutaway::storage::disk::Disk;
use cutaway::storage::metadata::METADATA_FILE;
use cutaway::topics::LOCK_FILE;

use super::arguments::ResetOptions;
use super::banner::shell_word;
use super::confirm::confirm;

/// Moves the folder and prints the command that brings it back.
pub(crate) fn run(options: &ResetOptions) -> anyhow::Result<ExitCode> {
    let folder = options.folder.data_folder()?;
    let shown = shell_word(&folder);
    let disk = Disk::default();
    if !disk.is_dir(&folder) {
        anstream::eprintln!("there is no folder {shown}: the next start begins empty");
        return Ok(ExitCode::SUCCESS);
    }
    if ![META_PROPERTIES_FILE, METADATA_FILE].iter().any(|name| disk.exists(&folder.join(name))) {
        bail!("{shown} is no data folder of a broker: it has no {META_PROPERTIES_FILE}; nothing was moved");
    }
    // Held until the folder has moved, so that no broker starts on it meanwhile.
    let lock = disk.try_lock(&folder.join(LOCK_FILE))?;
    if lock.is_none() {
        bail!("a broker is running on {shown}; stop it first: cutaway stop --data {shown}");
    }
    let aside = name_aside(&folder, Clock::system().now_ms())?;
    let to = shell_word(&aside);
    if !options.yes && !confirm(&format!("Move {shown} to {to}?"), &format!("move {shown} to {to}"))? {
        bail!("nothing was moved");
    }
    if disk.exists(&aside) {
        bail!("{} exists already; nothing was moved", shell_word(&aside));
    }
    disk.rename(&folder, &aside)?;
    anstream::eprintln!("moved {shown} aside; this brings it back:");
    anstream::println!("mv {} {shown}", shell_word(&aside));
    Ok(ExitCode::SUCCESS)
}

/// The folder's name with the time: `cutaway-data.2026-11-23T14-05-53Z`.
fn name_aside(folder: &Path, now_ms: TimestampMs) -> anyhow::Result<PathBuf> {
    let whole = std::path::absolute(folder).context("the current folder is not known")?;
    let name = whole.file_name().with_context(|| format!("{} cannot be moved", folder.display()))?;
    let time = clock::rfc3339(now_ms).replace(':', "-");
    let seconds = time.split('.').next().unwrap_or_default();
    let mut aside = name.to_owned();
    aside.push(format!(".{seconds}Z"));
    Ok(folder.parent().unwrap_or(Path::new("")).join(aside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_aside_stands_beside_the_folder() {
        let at = 1_709_251_199_999;
        for (folder, aside) in [
            ("./cutaway-data", "./cutaway-data.2024-02-29T23-59-59Z"),
            ("/x/y/", "/x/y.2024-02-29T23-59-59Z"),
            ("data", "data.2024-02-29T23-59-59Z"),
        ] {
            assert_eq!(name_aside(Path::new(folder), at).expect("a name"), PathBuf::from(aside));
        }
        assert!(name_aside(Path::new("/"), at).is_err());
    }
}
