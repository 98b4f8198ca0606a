//! The start of a run: everything that stands in the way is named at once.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Applied, Fleet, Installed};
use crate::fact::Fact;
use crate::node::{Duty, Node, NodeId};
use crate::observed::{Footing, Observed};
use crate::path::OffPath;
use crate::policy::Policy;
use crate::progress::Progress;
use crate::run::{Lock, ManagerStep, Outcome, Package, Run};
use crate::starts::{DUPLICATE_OVER, Duplicate, SWITCH_OFF};
use crate::time::{Span, Time};
use crate::version::{Release, Sha256, Version};

/// What stands in the way of a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "blocker", rename_all = "snake_case")]
pub enum Blocker {
    /// A run is under way (R10).
    RunUnderWay {
        /// How long it has been under way.
        since: Span,
        /// When it stops at the latest.
        ends_in: Span,
        /// Whether the Management Node itself is done; a reboot would help then.
        manager_is_done: bool,
    },
    /// The version path (R15).
    OffPath {
        /// What is wrong with it.
        why: OffPath,
    },
    /// The platform runs the package's version, but it came from another package.
    OtherPackage {
        /// The version.
        version: Version,
        /// The package that it came from.
        installed: Sha256,
    },
    /// Every node and the Management Node run this release already.
    NothingToDo {
        /// The release.
        release: Release,
    },
    /// An always-on node cannot be contacted (R17).
    Unreachable {
        /// The node's name.
        node: String,
    },
    /// An always-on node runs another version than the one that is upgraded from (R17).
    OtherVersion {
        /// The node's name.
        node: String,
        /// What it runs.
        runs: Version,
        /// What it should run.
        expected: Version,
    },
    /// The Management Node would not start again.
    ManagerStartFault {
        /// Why.
        why: String,
    },
    /// An always-on node would not start again.
    StartFault {
        /// The node's name.
        node: String,
        /// Why.
        why: String,
    },
    /// Two machines report as this node.
    Duplicate {
        /// The node's name.
        node: String,
        /// The two.
        two: Duplicate,
    },
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunUnderWay { since, ends_in, manager_is_done } => {
                write!(
                    f,
                    "an upgrade has been under way for {since}; it ends by itself in {ends_in} at the latest; "
                )?;
                f.write_str(match manager_is_done {
                    true => "to start another before that, reboot the Management Node",
                    false => "the Management Node itself is being upgraded, do not reboot it",
                })
            }
            Self::OffPath { why } => write!(f, "{why}"),
            Self::OtherPackage { version, installed } => write!(
                f,
                "this platform runs {version} from another package ({}); upload that one to repeat the upgrade",
                &alloc::format!("{installed}")[..12]
            ),
            Self::NothingToDo { release } => {
                write!(f, "{release} is installed already; nothing is to be done")
            }
            Self::Unreachable { node } => write!(
                f,
                "{node} cannot be contacted; power it on, check its network, or remove it from the platform"
            ),
            Self::OtherVersion { node, runs, expected } => write!(
                f,
                "{node} runs {runs}, but this platform is upgraded from {expected}; upgrade or redeploy that node first"
            ),
            Self::ManagerStartFault { why } => {
                write!(
                    f,
                    "a restart of the Management Node would fail: {why}; it is checked again every minute"
                )
            }
            Self::StartFault { node, why } => {
                write!(f, "a restart of {node} would fail: {why}; it is checked again every minute")
            }
            Self::Duplicate { node, two } => write!(
                f,
                "{node}: {two}; {SWITCH_OFF}; it is one machine again when no other was heard for {DUPLICATE_OVER}"
            ),
        }
    }
}

/// What does not stand in the way, but should be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub enum Warning {
    /// A repeat goes on without a node that cannot be contacted (R9, R11).
    Unreachable {
        /// The node's name.
        node: String,
    },
    /// The run goes on without a node that would not start again.
    StartFault {
        /// The node's name.
        node: String,
        /// Why.
        why: String,
    },
    /// A repeat goes on without a node as which two machines report.
    Duplicate {
        /// The node's name.
        node: String,
        /// The two.
        two: Duplicate,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { node } => {
                write!(f, "{node} cannot be contacted and is not upgraded unless it turns up")
            }
            Self::StartFault { node, why } => {
                write!(
                    f,
                    "{node} is not upgraded and stays in service, for a restart of it would fail: {why}"
                )
            }
            Self::Duplicate { node, two } => {
                write!(f, "{node} is not upgraded and stays in service: {two}; {SWITCH_OFF}")
            }
        }
    }
}

/// What would come of a start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartCheck {
    /// All that stands in the way.
    pub blockers: Vec<Blocker>,
    /// All that should be known.
    pub warnings: Vec<Warning>,
}

impl Fleet {
    /// What a start of this package would meet now. Nothing changes.
    pub fn check_start(&self, package: &Package, now: Time) -> StartCheck {
        let mut check = StartCheck::default();
        if let Some(run) = &self.platform.run
            && run.lock == Lock::Held
        {
            let (since, ends_in) = (now.since(run.started_at), now.until(run.limit()));
            let manager_is_done = run.manager_is_done();
            check.blockers.push(Blocker::RunUnderWay { since, ends_in, manager_is_done });
        }
        self.check_release(package, &mut check);
        for (_, node) in self.nodes.iter() {
            self.check_node(package, node, &mut check);
        }
        self.check_restarts(package, &mut check);
        self.check_duplicates(package, &mut check);
        check
    }

    fn check_release(&self, package: &Package, check: &mut StartCheck) {
        let running = self.platform.release;
        if let Err(why) = package.path.admits(running.version) {
            check.blockers.push(Blocker::OffPath { why });
        } else if running.version == package.release.version {
            match self.platform.installed {
                Some(installed) if installed.manifest == package.manifest => {}
                Some(Installed { manifest: installed, .. }) => {
                    check.blockers.push(Blocker::OtherPackage { version: running.version, installed })
                }
                None => check.blockers.push(Blocker::NothingToDo { release: running }),
            }
        }
        let all_upgraded = || self.nodes.iter().all(|(_, node)| node.is_on(package.release));
        if running == package.release && check.blockers.is_empty() && all_upgraded() {
            check.blockers.push(Blocker::NothingToDo { release: running });
        }
    }

    /// R17: every always-on node is reachable and on the version that is upgraded from. On a repeat it
    /// may be on the new one, too, and one that cannot be contacted is no hindrance (R9, R24).
    fn check_node(&self, package: &Package, node: &Node, check: &mut StartCheck) {
        let repeat = self.repeated(package);
        if node.duty == Duty::Bursting {
            return;
        }
        let name = || node.name.clone();
        match (&node.observed, repeat) {
            (Some(_), Some(_)) | (None, Some(_)) if node.contact.is_lost() => {
                check.warnings.push(Warning::Unreachable { node: name() });
            }
            (_, None) if node.contact.is_lost() => {
                check.blockers.push(Blocker::Unreachable { node: name() });
            }
            (Some(observed), _) => {
                let expected = repeat.map_or(self.platform.release, |installed| installed.source);
                let target = repeat.map(|_| package.release.version);
                let runs = proven(observed, self.platform.installed);
                if runs != expected.version && Some(runs) != target {
                    check.blockers.push(Blocker::OtherVersion {
                        node: name(),
                        runs,
                        expected: expected.version,
                    });
                }
            }
            (None, _) => {}
        }
    }

    /// What the platform was brought to its release by, when it is this package: a start of it takes what
    /// is left (R9).
    pub(super) fn repeated(&self, package: &Package) -> Option<Installed> {
        self.platform.installed.filter(|installed| installed.manifest == package.manifest)
    }

    /// Starts a run, unless something stands in its way.
    ///
    /// # Errors
    /// All that stands in the way, at once; then nothing has changed.
    pub fn start(&mut self, package: Package, policy: Policy, now: Time) -> Result<Applied, Vec<Blocker>> {
        let check = self.check_start(&package, now);
        if !check.blockers.is_empty() {
            return Err(check.blockers);
        }
        let source = self.source_of(&package);
        let mut facts = Vec::new();
        self.end(now, Outcome::Replaced, &mut facts);
        let run = Run {
            id: self.next_run(),
            source,
            policy,
            started_at: now,
            lock: Lock::Held,
            manager: ManagerStep::Staging { since: now },
            idle_since: None,
            package,
        };
        facts.push(Fact::RunStarted { run: run.id, source, target: run.package.release, limit: run.limit() });
        let target = run.package.release;
        self.platform.run = Some(run);
        for id in self.nodes.ids() {
            self.enqueue(id, target);
        }
        if self.platform.release == target {
            self.manager_confirmed(now, &mut facts);
        }
        self.go_on(now, &mut facts);
        Ok(self.applied(facts))
    }

    /// What the platform is upgraded from: on a repeat, what it was upgraded from before.
    fn source_of(&self, package: &Package) -> Release {
        self.repeated(package).map_or(self.platform.release, |installed| installed.source)
    }

    /// Puts a node into the queue, unless it is on the new release (R9) or still out of service on
    /// behalf of an earlier run.
    fn enqueue(&mut self, id: NodeId, target: Release) {
        self.nodes.edit(id, |node| {
            if node.progress.holds_place() {
                return;
            }
            node.assigned = None;
            node.cleared_at = None;
            node.progress = if node.is_on(target) {
                Progress::Idle
            } else {
                Progress::Pending { tried: 0, rests_until: None }
            };
        });
    }
}

/// The version that a node runs and will not leave by itself. A release that has not confirmed itself
/// may still fall back to what the run before was to upgrade.
fn proven(observed: &Observed, installed: Option<Installed>) -> Version {
    match (observed.footing, installed) {
        (Footing::Trying, Some(installed)) => installed.source.version,
        (Footing::Trying, None) | (Footing::Confirmed | Footing::Leaving, _) => observed.release.version,
    }
}
