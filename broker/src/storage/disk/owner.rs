//! Whose a folder is.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Disk;

impl Disk {
    /// Whether a path is a folder that belongs to the user of this process; a link to one is none, because others may
    /// have put it there.
    pub fn is_own_dir(&self, path: &Path) -> bool {
        let own = rustix::process::geteuid().as_raw();
        std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_and_a_file_are_no_folders_of_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        std::os::unix::fs::symlink(folder.path(), &link).expect("a link");
        std::fs::write(&file, "x").expect("a file");
        let disk = Disk::default();
        assert!(disk.is_own_dir(folder.path()));
        assert!(!disk.is_own_dir(&link) && !disk.is_own_dir(&file) && !disk.is_own_dir(&folder.path().join("none")));
    }
}
