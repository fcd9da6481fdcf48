//! How much room the file system of a folder has.

use std::path::Path;

use super::super::{Error, Result};
use super::Disk;

/// Bytes of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// All of them.
    pub total: u64,
    /// Those that a process without privileges may still fill.
    pub usable: u64,
}

impl Disk {
    /// How much room there is where a folder stands.
    pub fn space(&self, path: &Path) -> Result<Space> {
        let found = rustix::fs::statvfs(path).map_err(|errno| Error::io("look at the space of", path)(errno.into()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Space { total: bytes(found.f_blocks), usable: bytes(found.f_bavail) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_not_more_room_than_there_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let space = Disk::default().space(folder.path()).expect("a file system");
        assert!(0 < space.total && space.usable <= space.total, "{space:?}");
        assert!(Disk::default().space(&folder.path().join("nowhere")).is_err());
    }
}
