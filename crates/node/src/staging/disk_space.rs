//! Checks whether a release fits on the disk. A node that filled its disk by staging could not store its state any
//! more, and would take no calls. It only computes; [`super::fetch`] asks before it fetches.

use std::fs;
use std::path::Path;

/// Free disk that a staging must leave to the node's state and the system's log, in bytes: thousands of
/// times what the state needs, and little beside the two releases that a disk must hold.
pub const DISK_RESERVE: u64 = 64 << 20;

/// What a release needs of the disk, and what there is, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct DiskSpace {
    /// What is still to be fetched.
    pub(super) missing: u64,
    /// The release, unpacked.
    pub(super) unpacked: u64,
    /// What the inactive slot gives back before the release is unpacked.
    pub(super) given_back: u64,
    /// What is free.
    pub(super) free: u64,
}

impl DiskSpace {
    /// What is lacking, if anything is, in a sentence for the operator.
    pub(super) fn lacking(self) -> Option<String> {
        let Self { missing, unpacked, given_back, free } = self;
        let fetched = missing.saturating_add(DISK_RESERVE);
        let installed = fetched.saturating_add(unpacked.saturating_sub(given_back));
        (free < installed).then(|| {
            format!(
                "the disk has {} MB free and the release needs {}; make room on the node's disk, then start the \
                 upgrade again",
                megabytes(free),
                megabytes(installed)
            )
        })
    }
}

/// Rounded up, so that what is said to be needed is enough.
fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

/// What is free for the node on the disk of a folder, in bytes.
pub(super) fn free(folder: &Path) -> rustix::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The bytes of all files below a folder. What cannot be looked at gives nothing back.
pub(super) fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(it) if it.is_dir() => size_of(&entry.path()),
        Ok(it) => it.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: DiskSpace =
        DiskSpace { missing: 10, unpacked: 100, given_back: 0, free: 110 + DISK_RESERVE };

    #[test]
    fn release_that_would_use_the_reserve_is_refused_with_figures() {
        assert_eq!(SPACE.lacking(), None);
        let why = DiskSpace { free: SPACE.free - 1, ..SPACE }.lacking().unwrap();
        assert!(why.contains("68 MB free and the release needs 68") && why.contains("make room"), "{why}");
        assert!(DiskSpace { missing: 11, ..SPACE }.lacking().is_some());
    }

    #[test]
    fn release_in_the_inactive_slot_makes_space_for_the_one_that_replaces_it() {
        assert_eq!(DiskSpace { given_back: 100, free: 10 + DISK_RESERVE, ..SPACE }.lacking(), None);
        let larger = DiskSpace { given_back: 1_000, free: 9 + DISK_RESERVE, ..SPACE };
        assert!(larger.lacking().is_some(), "what the slot gives back comes after the fetching");
    }

    #[test]
    fn size_of_a_folder_counts_all_its_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::write(dir.path().join("slot.json"), "1234").unwrap();
        fs::write(dir.path().join("bin/program"), "123456").unwrap();
        assert_eq!(size_of(dir.path()), 10);
        assert_eq!(size_of(&dir.path().join("nowhere")), 0);
        assert!(free(dir.path()).unwrap() > 0);
    }
}
