//! Room for a file that grows, asked for before it is needed.
//!
//! A file system that has to find a place for every block that is written spends more on that than on copying the bytes:
//! on ext4 a third of the processor time of a log's writes. So a growing log asks for a mebibyte at a time. The length
//! of the file stays what was written, and what was not used is given back.

use std::os::unix::fs::MetadataExt;

use rustix::fs::FallocateFlags;

use super::DiskFile;

/// What a file system counts and gives away at once; the usual size.
const BLOCK_BYTES: u64 = 4096;

impl DiskFile {
    /// Asks for room from `position` on. No file system owes it: where there is none, or none of it, writing goes on
    /// without, and says itself what is missing.
    pub fn reserve(&self, position: u64, count: u64) {
        if let Ok(file) = self.descriptor() {
            let _ = rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, position, count);
        }
    }

    /// Gives back what was reserved behind the end of the file, also by a broker that was killed.
    pub fn give_back_reserved(&self) {
        let Ok(file) = self.descriptor() else { return };
        let Ok(metadata) = file.metadata() else { return };
        // `st_blocks` counts in units of 512 bytes, whatever the file system's are.
        if metadata.blocks() * 512 > metadata.len().next_multiple_of(BLOCK_BYTES) {
            let _ = file.set_len(metadata.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Disk;
    use super::*;

    #[test]
    fn what_is_reserved_is_no_part_of_the_file_and_is_given_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("grows");
        let file = Disk::default().open(&path, true).expect("made");
        let taken = || std::fs::metadata(&path).expect("it is there").blocks() * 512;
        file.write_at(0, &[&[7; 5000]]).expect("written");
        let before = taken();
        file.reserve(5000, 1 << 20);
        assert_eq!(file.len().expect("a length"), 5000);
        if taken() == before {
            return eprintln!("the file system of {} reserves nothing", path.display());
        }
        assert!(taken() >= 1 << 20, "{} bytes", taken());
        file.give_back_reserved();
        assert!(taken() <= before.next_multiple_of(BLOCK_BYTES), "{} bytes where there were {before}", taken());
        assert_eq!(std::fs::read(&path).expect("read"), [7; 5000]);
    }
}
