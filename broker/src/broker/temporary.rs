//! Temporary data folders: one of the broker's own among the system's temporary ones, removed when it stops. What a
//! broker that was killed could not remove, the next one with such a folder does.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::storage::checkpoint::identity::META_PROPERTIES_FILE;
use crate::storage::disk::Disk;
use crate::topics::LOCK_FILE;

const PREFIX: &str = "cutaway-";

/// The digits of a UUID.
const DIGITS: usize = 32;

/// A folder that no one else has; not made yet.
pub fn choose() -> PathBuf {
    std::env::temp_dir().join(format!("{PREFIX}{}", Uuid::new_v4().simple()))
}

/// Removes the folders of brokers that are dead, and returns them. What another user owns, what a living broker holds
/// and what cannot be removed stays without a word: it keeps nobody from starting.
pub fn remove_stale(parent: &Path) -> Vec<PathBuf> {
    let disk = Disk::default();
    let names = disk.list(parent).unwrap_or_default();
    let folders = names.iter().filter(|name| is_temporary(name)).map(|name| parent.join(name));
    folders.filter(|folder| remove_if_dead(&disk, folder)).collect()
}

fn remove_if_dead(disk: &Disk, folder: &Path) -> bool {
    // A broker writes the second file while it holds the lock. Without it, one may be about to take the lock just now.
    let was_used = [LOCK_FILE, META_PROPERTIES_FILE].iter().all(|file| disk.exists(&folder.join(file)));
    if !was_used || !disk.is_own_dir(folder) {
        return false;
    }
    match disk.try_lock_existing(&folder.join(LOCK_FILE)) {
        Ok(Some(_lock)) => disk.remove_dir_all(folder).is_ok(),
        Ok(None) | Err(_) => false,
    }
}

/// Whether [`choose`] makes such names.
fn is_temporary(name: &str) -> bool {
    let digits = name.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_that_a_dead_broker_left_are_removed() {
        let parent = tempfile::tempdir().expect("a folder");
        let name = |digit: &str| format!("{PREFIX}{}", digit.repeat(DIGITS));
        let make = |name: &str, files: &[&str]| {
            let folder = parent.path().join(name);
            std::fs::create_dir(&folder).expect("made");
            files.iter().for_each(|file| std::fs::write(folder.join(file), "").expect("written"));
            folder
        };
        let both = [LOCK_FILE, META_PROPERTIES_FILE];
        let dead = make(&name("a"), &both);
        let alive = make(&name("b"), &both);
        let _lock = Disk::default().try_lock(&alive.join(LOCK_FILE)).expect("a lock").expect("free");
        let about_to_start = make(&name("c"), &[LOCK_FILE]);
        let elsewhere = make("kept", &both);
        let linked = parent.path().join(name("d"));
        std::os::unix::fs::symlink(&elsewhere, &linked).expect("a link");
        let moved_aside = make(&format!("{}.2026-01-01T00-00-00Z", name("e")), &both);

        assert_eq!(remove_stale(parent.path()), std::slice::from_ref(&dead));
        assert!(!dead.exists());
        for kept in [&alive, &about_to_start, &elsewhere, &linked, &moved_aside] {
            assert!(kept.exists(), "{}", kept.display());
        }
    }

    #[test]
    fn names_are_recognised() {
        let name = choose().file_name().expect("a name").to_string_lossy().into_owned();
        assert!(is_temporary(&name), "{name}");
        for other in ["cutaway-", "cutaway-data", "cutaway-0123", ""] {
            assert!(!is_temporary(other), "{other}");
        }
    }
}
