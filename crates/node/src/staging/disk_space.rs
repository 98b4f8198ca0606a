//! Checks whether a release fits on the disk. A node that filled its disk by staging could not store its state any
//! more, and would take no calls. It only computes; [`super::fetch`] asks before it fetches.

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
}
