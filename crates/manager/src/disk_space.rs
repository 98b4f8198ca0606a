//! Checks whether the disk of the Management Node has room for a release: fetched from its package, unpacked, and with a
//! copy of the store. A staging that fails for want of it ends a run that has begun; the check before a start finds it.

use std::fmt;
use std::fs;

use fleet::version::Sha256;
use package::{Payload, Role};
use slots::{Machine, free_space, size_of_folder};

use crate::layout::Layout;
use crate::packages::HeldPackage;

/// What a staging must leave free, in bytes: for the log and for what the store grows by during a run.
const RESERVE: u64 = 64 << 20;

/// What a release needs of the disk, and what there is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DiskSpace {
    /// The compressed payload, which is taken out of the package first.
    payload: u64,
    /// The release, unpacked, with a copy of the store.
    installed: u64,
    /// What the inactive slot gives back before.
    given_back: u64,
    /// What is free.
    free: u64,
}

/// The disk is too small for a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// The bytes that are free.
    pub(crate) free: u64,
    /// The bytes that are needed.
    pub(crate) needed: u64,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
        write!(
            f,
            "the disk of the Management Node has {} MB free and the release needs {}; make room on it, for example by \
             deleting packages that are not needed",
            megabytes(self.free),
            megabytes(self.needed)
        )
    }
}

impl DiskSpace {
    /// What is lacking, if anything is.
    fn lacking(self) -> Option<Lacking> {
        let Self { payload, installed, given_back, free } = self;
        let needed = payload.saturating_add(RESERVE);
        let needed = needed.saturating_add(installed.saturating_sub(given_back));
        (free < needed).then_some(Lacking { free, needed })
    }
}

/// What is lacking for the release of a package on this machine, if anything is. A release that is staged already needs
/// nothing more. What cannot be found out is left to the staging.
pub(crate) fn lacking(layout: &Layout, held: &HeldPackage) -> Option<Lacking> {
    let machine = Machine::open(layout.root());
    let confirmed = machine.record().ok()?.confirmed;
    let other = confirmed.other();
    if is_staged(&machine, other, held.verified.hash()) {
        return None;
    }
    let Payload { size, unpacked_size, .. } = held.verified.payload(Role::Manager);
    let store = fs::metadata(layout.store(confirmed)).map_or(0, |file| file.len());
    let space = DiskSpace {
        payload: *size,
        installed: unpacked_size.saturating_add(store),
        given_back: size_of_folder(&machine.slot_dir(other)),
        free: free_space(layout.root()).ok()?,
    };
    space.lacking()
}

fn is_staged(machine: &Machine, slot: slots::Slot, manifest: Sha256) -> bool {
    let found = machine.release(slot).ok().flatten();
    found.is_some_and(|found| found.manifest == manifest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: DiskSpace = DiskSpace { payload: 10, installed: 100, given_back: 40, free: 70 + RESERVE };

    #[test]
    fn release_that_would_use_the_reserve_is_named_with_figures() {
        assert_eq!(SPACE.lacking(), None);
        let lacking = DiskSpace { free: SPACE.free - 1, ..SPACE }.lacking().unwrap();
        assert_eq!(lacking, Lacking { free: 69 + RESERVE, needed: 70 + RESERVE });
        assert!(lacking.to_string().contains("has 68 MB free and the release needs 68"), "{lacking}");
        assert!(DiskSpace { given_back: 39, ..SPACE }.lacking().is_some());
        assert_eq!(DiskSpace { given_back: 1_000, free: 10 + RESERVE, ..SPACE }.lacking(), None);
        assert!(DiskSpace { installed: u64::MAX, ..SPACE }.lacking().is_some());
    }
}
