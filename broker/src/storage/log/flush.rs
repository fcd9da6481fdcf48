//! One flush of one log: a list of files to make durable, which needs no lock while it runs.

use std::path::PathBuf;

use crate::storage::Result;
use crate::storage::checkpoint::identity::PARTITION_METADATA_FILE;
use crate::storage::disk::{Disk, DiskFile};

/// One flush of one log: the files that were dirty when it began, and its folder if a segment was made in it.
#[derive(Debug)]
pub struct Flush {
    files: Vec<DiskFile>,
    folder: Option<(Disk, PathBuf)>,
    end_offset: i64,
}

impl Flush {
    pub(in crate::storage) fn new(files: Vec<DiskFile>, folder: Option<(Disk, PathBuf)>, end_offset: i64) -> Flush {
        Flush { files, folder, end_offset }
    }

    /// fdatasync of each file; blocks. Returns the offset below which everything is on disk now.
    pub fn run(self) -> Result<i64> {
        for file in &self.files {
            file.sync()?;
        }
        if let Some((disk, folder)) = &self.folder {
            // Written when the folder was made, and of no worth to anybody before there are records.
            disk.open_later(&folder.join(PARTITION_METADATA_FILE)).sync()?;
            disk.sync_dir(folder)?;
        }
        Ok(self.end_offset)
    }
}
