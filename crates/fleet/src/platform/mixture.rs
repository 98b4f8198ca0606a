//! From which releases a platform may be upgraded (R15, R17, R20): that of the Management Node, and those of nodes
//! that differ from it. Relies on [`crate::path`]; starts nothing itself.
//!
//! Nodes differ if a run has not upgraded all of them, if a machine was restored or redeployed, or if the Management
//! Node was restored from before a run. A start goes on from each of these: a node on the package's release is left
//! alone, and any other is taken if the package may be installed on what it runs. A version that no run explains is
//! a warning; one that the package cannot be installed on is a blocker.

use alloc::collections::BTreeSet;

use super::{Blocker, Fleet, Installed, StartCheck, Warning};
use crate::node::{Duty, Node};
use crate::observed::{Observed, ReleaseState};
use crate::progress::Failure;
use crate::run::Package;
use crate::version::{Release, Version};

impl Fleet {
    /// Whether the package may be installed on the Management Node, and whether there is anything to do.
    pub(super) fn check_release(&self, package: &Package, check: &mut StartCheck) {
        let running = self.platform.release;
        if let Err(why) = package.admits(running) {
            check.blockers.push(Blocker::OffPath { why });
        } else if running == package.release && !self.repeats(package) {
            // Two packages of one build: a node that runs it could have it from either.
            let installed = self.installed().map_or(package.manifest, |installed| installed.manifest);
            check.blockers.push(Blocker::OtherPackage { version: running.version, installed });
        } else if running == package.release && self.nodes.iter().all(|(_, node)| node.is_on(running)) {
            check.blockers.push(Blocker::NothingToDo { release: running });
        }
    }

    /// R17: every always-on node is reachable, except on a repeat (R9, R11), and runs a release that the package may
    /// be installed on.
    pub(super) fn check_node(&self, package: &Package, node: &Node, check: &mut StartCheck) {
        if node.duty == Duty::Bursting {
            return;
        }
        let name = || node.name.clone();
        match &node.observed {
            _ if node.contact.is_lost() && self.repeats(package) => {
                check.warnings.push(Warning::Unreachable { node: name() });
            }
            _ if node.contact.is_lost() => check.blockers.push(Blocker::Unreachable { node: name() }),
            Some(observed) if !node.runs(package.release) => {
                self.check_version(package, node, self.proven(observed), check);
            }
            Some(_) | None => {}
        }
    }

    fn check_version(&self, package: &Package, node: &Node, runs: Release, check: &mut StartCheck) {
        // The Management Node's own release is checked once, in `check_release`.
        if runs == self.platform.release {
            return;
        }
        let (node, expected) = (node.name.clone(), self.platform.release.version);
        if let Err(why) = package.admits(runs) {
            let brings = package.release.version;
            check.blockers.push(Blocker::NodeOffPath { node, runs: runs.version, brings, why });
        } else if !self.explains(runs.version) {
            check.warnings.push(Warning::OtherVersion { node, runs: runs.version, expected });
        }
    }

    /// Why the run under way leaves a node alone: its confirmed release is one that the package may not be installed
    /// on. Only a node whose release was not known at the start can report such a release.
    pub(super) fn off_path(&self, node: &Node) -> Option<Failure> {
        let (run, observed) = (self.platform.run.as_ref()?, node.observed.as_ref()?);
        let of_another_run = node.assigned.is_some_and(|assigned| assigned.run != run.name());
        if of_another_run || observed.release_state != ReleaseState::Confirmed {
            return None;
        }
        let (runs, brings) = (observed.release, run.package.release);
        run.package.admits(runs).is_err().then_some(Failure::OffPath { runs, brings })
    }

    /// Whether a run of this platform explains that a node runs this version. The last run may have left nodes on any
    /// version that it began with.
    fn explains(&self, version: Version) -> bool {
        let of = |source: Release, target: Release| [source.version, target.version].contains(&version);
        let run = self.platform.run.as_ref();
        let last = self.platform.last_run.as_ref();
        version == self.platform.release.version
            || self.installed().is_some_and(|installed| installed.source.version == version)
            || run.is_some_and(|run| of(run.source, run.package.release) || run.sources.contains(&version))
            || last
                .is_some_and(|last| of(last.source, last.package.release) || last.sources.contains(&version))
    }

    /// The package that brought the Management Node to its release; none if it was deployed with it.
    fn installed(&self) -> Option<Installed> {
        let running = self.platform.release;
        self.platform.installed.filter(|installed| installed.release.is_none_or(|brought| brought == running))
    }

    /// Whether the Management Node runs this package's release already: a start of it takes the nodes that are left
    /// (R9). If the platform was deployed with its release, no package is known, and only the release is compared.
    pub(super) fn repeats(&self, package: &Package) -> bool {
        self.platform.release == package.release
            && self.installed().is_none_or(|installed| installed.manifest == package.manifest)
    }

    /// The release that the platform is upgraded from: on a repeat, the one before the upgrade that is repeated; if
    /// that is not known, the oldest that a node runs.
    pub(super) fn source_of(&self, package: &Package) -> Release {
        let running = self.platform.release;
        if !self.repeats(package) {
            return running;
        }
        let oldest = || {
            self.nodes.iter().filter_map(|(_, node)| node.observed.as_ref()).map(|said| said.release).min()
        };
        match self.installed() {
            Some(installed) => installed.source,
            None => oldest().map_or(running, |oldest| oldest.min(running)),
        }
    }

    /// Every version that a node is known to run.
    pub(super) fn versions(&self) -> BTreeSet<Version> {
        let observed = self.nodes.iter().filter_map(|(_, node)| node.observed.as_ref());
        observed.map(|observed| self.proven(observed).version).collect()
    }

    /// The release that a node will not leave by itself. One that has not confirmed itself may still fall back to the
    /// release that the run before was to upgrade.
    fn proven(&self, observed: &Observed) -> Release {
        match (observed.release_state, self.platform.installed) {
            (ReleaseState::Trying, Some(installed)) => installed.source,
            (ReleaseState::Trying, None) | (ReleaseState::Confirmed | ReleaseState::Leaving, _) => {
                observed.release
            }
        }
    }
}
