//! The start of a run and the check before it: all blockers and warnings are returned at once. A start that is
//! refused changes nothing. Relies on `mixture`, `start_fault` and `duplicate` for checks of their own concepts.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{Applied, Fleet};
use crate::fact::Fact;
use crate::node::NodeId;
use crate::path::OffPath;
use crate::policy::Policy;
use crate::progress::{AttemptResult, Progress};
use crate::run::{Lock, ManagerStep, Outcome, Package, Run, RunTag};
use crate::starts::{DUPLICATE_OVER, Duplicate, SWITCH_OFF};
use crate::time::{Offset, Span, Time};
use crate::version::{Release, Sha256, Version};

/// What keeps a run from being started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// A run is under way (R10).
    RunUnderWay {
        /// How long it has been under way.
        since: Span,
        /// When it stops at the latest.
        ends_in: Span,
        /// Whether the Management Node itself is done; then a reboot lifts the lock.
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
    /// The package cannot be installed on what an always-on node runs (R15, R17).
    NodeOffPath {
        /// The node's name.
        node: String,
        /// What it runs.
        runs: Version,
        /// What the package brings.
        brings: Version,
        /// What is wrong with it.
        why: OffPath,
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
            Self::NodeOffPath { node, runs, brings, why } => node_off_path(f, node, (*runs, *brings), why),
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

/// Says which node cannot be upgraded, from what to what, and what to do.
fn node_off_path(
    f: &mut fmt::Formatter<'_>,
    node: &str,
    (runs, brings): (Version, Version),
    why: &OffPath,
) -> fmt::Result {
    match why {
        OffPath::StepSkipped { steps, .. } => {
            write!(f, "{node} runs {runs}, and {brings} cannot be installed on that")?;
            if let Some(step) = steps.last() {
                write!(f, " ({brings} needs {} or later: {})", step.from, step.reason)?;
            }
            write!(
                f,
                "; redeploy {node} with the release of the Management Node, or remove it from the platform"
            )
        }
        OffPath::TooOld { oldest, .. } => write!(
            f,
            "{node} runs {runs}, and {brings} cannot be installed on anything before {oldest}; redeploy {node} with \
             the release of the Management Node, or remove it from the platform"
        ),
        OffPath::Older { .. } => write!(
            f,
            "{node} runs {runs}, which is newer than {brings}; start a package of {runs} or later, or redeploy {node} \
             with the release of the Management Node"
        ),
        OffPath::OlderBuild { from, to } => write!(
            f,
            "{node} runs {from}, which is a later build than {to}; start the package of that build or a later \
             release, or redeploy {node} with the release of the Management Node"
        ),
    }
}

/// What does not block a start, but should be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A repeat goes on without a node that cannot be contacted (R9, R11).
    Unreachable {
        /// The node's name.
        node: String,
    },
    /// An always-on node runs another version than the Management Node, and no run has left it so (R17). The
    /// package may be installed on it: it is upgraded with the others.
    OtherVersion {
        /// The node's name.
        node: String,
        /// What it runs.
        runs: Version,
        /// What the Management Node runs.
        expected: Version,
    },
    /// The run goes on without a node that would not start again.
    StartFault {
        /// The node's name.
        node: String,
        /// Why.
        why: String,
    },
    /// A node's wall clock differs from the Management Node's. Their logs cannot be put in order, and the validity of
    /// certificates depends on clocks.
    ClockOff {
        /// The node's name.
        node: String,
        /// How far it is ahead of the Management Node's.
        ahead: Offset,
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
                write!(f, "{node} cannot be contacted and is not upgraded unless that changes")
            }
            Self::OtherVersion { node, runs, expected } => write!(
                f,
                "{node} runs {runs} and the Management Node {expected}, which no upgrade of this platform explains; \
                 {node} is upgraded from {runs} with the others"
            ),
            Self::StartFault { node, why } => {
                write!(
                    f,
                    "{node} is not upgraded and stays in service, for a restart of it would fail: {why}"
                )
            }
            Self::ClockOff { node, ahead } => write!(
                f,
                "the clock of {node} is {ahead:#} the Management Node's; compare both with the true time, and \
                 check time synchronisation"
            ),
            Self::Duplicate { node, two } => {
                write!(
                    f,
                    "{node} is not upgraded by this run: {two}; {SWITCH_OFF}; then leave the right one on until it was \
                     heard alone for {DUPLICATE_OVER}"
                )
            }
        }
    }
}

/// The result of a check before a start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartCheck {
    /// All that block it.
    pub blockers: Vec<Blocker>,
    /// All that should be known.
    pub warnings: Vec<Warning>,
}

impl Fleet {
    /// All blockers and warnings of a start of this package now. Nothing changes.
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
            if let Some(ahead) = node.clock_off {
                check.warnings.push(Warning::ClockOff { node: node.name.clone(), ahead });
            }
        }
        self.check_restarts(package, &mut check);
        self.check_duplicates(package, &mut check);
        check
    }

    /// Starts a run, unless something blocks it.
    ///
    /// # Errors
    /// All blockers; nothing has changed then.
    pub fn start(&mut self, package: Package, policy: Policy, now: Time) -> Result<Applied, Vec<Blocker>> {
        let check = self.check_start(&package, now);
        if !check.blockers.is_empty() {
            return Err(check.blockers);
        }
        let (source, sources) = (self.source_of(&package), self.versions());
        let on_target = self.nodes.iter().filter(|(_, node)| node.is_on(package.release)).count();
        let mut facts = Vec::new();
        self.lower_stop(&mut facts);
        self.end(now, Outcome::Replaced, &mut facts);
        self.next_epoch();
        let run = Run {
            id: self.next_run(),
            tag: Some(RunTag::of(now, self.platform.epoch)),
            source,
            policy,
            started_at: now,
            lock: Lock::Held,
            manager: ManagerStep::Staging { since: now },
            idle_since: None,
            held_up_since: None,
            paused: None,
            sources,
            on_target: u32::try_from(on_target).unwrap_or(u32::MAX),
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

    /// Puts a node into the queue, unless it is on the new release (R9) or still out of service on
    /// behalf of an earlier run.
    fn enqueue(&mut self, id: NodeId, target: Release) {
        self.nodes.edit(id, |node| {
            node.failed_before = node.result.take() == Some(AttemptResult::Failed);
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
