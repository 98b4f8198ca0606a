//! Which of the held packages are needed, for what, and which are removed when a new one is kept.
//!
//! Pure. It relies on the state of the platform and never removes anything itself.

use std::collections::BTreeMap;
use std::fmt;

use fleet::desired::RunId;
use fleet::platform::Fleet;
use fleet::version::{Release, Sha256};

/// How many packages that are not needed and are newer than the platform are kept: the longest version
/// path has three steps (R15), and an operator may upload all of them before the first is started.
pub const AHEAD: usize = 3;

/// What a package is needed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The run in progress installs it.
    RunUnderWay(RunId),
    /// A node is being upgraded to it.
    Assigned(String),
    /// The platform runs it: a repeat takes the nodes that are left (R9), and a node that is brought back
    /// is upgraded with it.
    Installed(Release),
    /// The platform ran it before: it is the way back.
    Before(Release),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunUnderWay(run) => write!(f, "run {run} in progress installs it"),
            Self::Assigned(node) => write!(f, "{node} is being upgraded to it"),
            Self::Installed(release) => {
                write!(f, "the platform runs {release}, and a node that is brought back is upgraded with it")
            }
            Self::Before(release) => write!(f, "the platform ran {release} before, and a restore needs it"),
        }
    }
}

impl Need {
    /// What has to happen before it is not needed any more.
    pub fn until(&self) -> &'static str {
        match self {
            Self::RunUnderWay(_) => "wait until the run has ended",
            Self::Assigned(_) => "wait until the node has taken or refused it",
            Self::Installed(_) | Self::Before(_) => {
                "it is removed by itself when the platform has been upgraded further and a new package is uploaded"
            }
        }
    }
}

/// A held package. It has no release when its signature can no longer be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its manifest, which names it.
    pub manifest: Sha256,
    /// Its release.
    pub release: Option<Release>,
}

/// What the platform needs packages for, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    run: Option<(Sha256, RunId)>,
    assigned: BTreeMap<Sha256, String>,
    installed: Option<Sha256>,
    running: Release,
    before: Option<Release>,
}

impl Needs {
    /// The needs of a platform.
    pub fn of(fleet: &Fleet) -> Self {
        let platform = &fleet.platform;
        let on_the_way = fleet.nodes().iter().filter_map(|(_, node)| {
            let assigned = node.assigned?;
            Some((assigned.manifest, node.name.clone()))
        });
        Self {
            run: platform.run.as_ref().map(|run| (run.package.manifest, run.id)),
            assigned: on_the_way.collect(),
            installed: platform.installed.map(|installed| installed.manifest),
            running: platform.release,
            before: platform.installed.map(|installed| installed.source),
        }
    }

    /// What a package is needed for, if for anything.
    pub fn need(&self, held: Held) -> Option<Need> {
        if let Some((manifest, run)) = self.run
            && manifest == held.manifest
        {
            return Some(Need::RunUnderWay(run));
        }
        if let Some(node) = self.assigned.get(&held.manifest) {
            return Some(Need::Assigned(node.clone()));
        }
        if self.installed == Some(held.manifest) || held.release == Some(self.running) {
            return Some(Need::Installed(self.running));
        }
        let before = self.before.filter(|before| held.release == Some(*before));
        before.map(Need::Before)
    }

    /// Which of the held packages are removed when `kept` has just been admitted. They are given with the one
    /// that was uploaded last first. A package that can no longer be verified can never be used, and is
    /// removed too.
    pub fn unneeded(&self, held: &[Held], kept: Sha256) -> Vec<Sha256> {
        let mut ahead = 0;
        let goes = |package: &&Held| {
            if package.manifest == kept || self.need(**package).is_some() {
                return false;
            }
            let is_ahead = package.release.is_some_and(|release| release > self.running);
            ahead += usize::from(is_ahead);
            !is_ahead || ahead > AHEAD
        };
        held.iter().filter(goes).map(|package| package.manifest).collect()
    }
}

#[cfg(test)]
mod tests {
    use fleet::path::{Path, Step};
    use fleet::platform::Event;
    use fleet::policy::Policy;
    use fleet::run::Package;
    use fleet::time::Time;
    use fleet::version::{Build, Version};

    use super::*;

    fn release(minor: u16) -> Release {
        Release { version: Version::new(34, minor), build: Build(34_000 + u32::from(minor)) }
    }

    fn held(minor: u16) -> Held {
        Held { manifest: manifest(minor), release: Some(release(minor)) }
    }

    fn manifest(minor: u16) -> Sha256 {
        Sha256([u8::try_from(minor).unwrap(); 32])
    }

    /// A platform that was upgraded from 34.4 to 34.5.
    fn upgraded() -> Fleet {
        let mut fleet = Fleet::new(release(4), Policy::standard());
        start(&mut fleet, 5);
        fleet.apply(Time(0), Event::ManagerStaged);
        fleet.apply(Time(0), Event::ManagerStarted { release: release(5), fell_back: None, wall: None });
        assert!(fleet.platform.run.is_none());
        fleet
    }

    fn start(fleet: &mut Fleet, minor: u16) {
        let from = fleet.platform.release.version;
        let path = Path(vec![Step { to: release(minor).version, from, reason: "none".into() }]);
        let package = Package { release: release(minor), manifest: manifest(minor), path };
        fleet.start(package, Policy::standard(), Time(0)).unwrap();
    }

    #[test]
    fn installed_release_the_one_before_and_the_run_under_way_are_needed() {
        let mut fleet = upgraded();
        let needs = Needs::of(&fleet);
        assert_eq!(needs.need(held(5)), Some(Need::Installed(release(5))));
        assert_eq!(needs.need(held(4)), Some(Need::Before(release(4))));
        assert_eq!(needs.need(held(3)), None);
        assert_eq!(needs.need(held(6)), None);
        start(&mut fleet, 6);
        let needs = Needs::of(&fleet);
        assert_eq!(needs.need(held(6)), Some(Need::RunUnderWay(RunId(2))));
        assert_eq!(needs.need(held(5)), Some(Need::Installed(release(5))));
    }

    #[test]
    fn older_packages_are_removed_when_a_new_one_is_kept_and_later_steps_stay() {
        let needs = Needs::of(&upgraded());
        let unverifiable = Held { manifest: Sha256([99; 32]), release: None };
        let all = [held(6), held(3), held(5), held(4), held(2), unverifiable];
        assert_eq!(needs.unneeded(&all, manifest(6)), [manifest(3), manifest(2), Sha256([99; 32])]);
        let ahead = [held(9), held(8), held(7), held(6), held(10)];
        assert_eq!(needs.unneeded(&ahead, manifest(9)), [manifest(10)]);
    }

    #[test]
    fn package_that_was_just_uploaded_stays_however_old_it_is() {
        let needs = Needs::of(&upgraded());
        assert_eq!(needs.unneeded(&[held(1), held(2)], manifest(1)), [manifest(2)]);
    }

    #[test]
    fn package_of_the_installed_release_is_needed_when_its_key_is_no_longer_trusted() {
        let needs = Needs::of(&upgraded());
        let unverifiable = Held { release: None, ..held(5) };
        assert_eq!(needs.unneeded(&[unverifiable], manifest(6)), []);
    }
}
