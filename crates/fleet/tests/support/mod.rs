//! Helpers for the tests of the platform's state machine: releases, packages, and reports of nodes.

use fleet::node::NodeId;
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::path::{Path, Step};
use fleet::platform::{Applied, Event, Fleet};
use fleet::progress::Progress;
use fleet::run::Package;
use fleet::time::Time;
use fleet::version::{Build, Release, Sha256, Version};

pub(crate) const NODE: NodeId = NodeId(1);

pub(crate) fn release(minor: u16) -> Release {
    Release { version: Version::new(34, minor), build: Build(1) }
}

/// The package of 34.1, 34.2 and so on, for every platform from 34 on.
pub(crate) fn package(minor: u8) -> Package {
    let release = release(minor.into());
    let step = Step { to: release.version, from: Version::new(34, 0), reason: "a test".into() };
    Package { release, manifest: Sha256([minor; 32]), path: Path(vec![step]) }
}

/// What a node reports of itself, beside that it has staged 34.1.
pub(crate) struct NodeState {
    pub(crate) runs: u16,
    pub(crate) release_state: ReleaseState,
    pub(crate) admission: Admission,
    pub(crate) calls: Calls,
}

/// A node reports that for its current desired state.
pub(crate) fn report(fleet: &mut Fleet, id: NodeId, at: u64, state: NodeState) -> Applied {
    let NodeState { runs, release_state, admission, calls } = state;
    let generation = fleet.wanted(id).unwrap().generation;
    let staging = Staging::Staged { manifest: Sha256([1; 32]) };
    let (at, release) = (Time(at), release(runs));
    let (unfit, start_fault, process) = (None, None, None);
    let observed = Observed {
        at,
        generation,
        release,
        release_state,
        admission,
        calls,
        staging,
        unfit,
        start_fault,
        process,
    };
    fleet.apply(at, Event::Report { id, observed })
}

pub(crate) fn progress(fleet: &Fleet) -> &Progress {
    &fleet.nodes().get(NODE).unwrap().progress
}
