//! A run: one upgrade of the platform from Start to its end, with its package, its lock and its outcome. The state
//! of each node in it is in [`crate::progress`], how it goes on in [`crate::platform`].

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::desired::{Assignment, RunId};
use crate::path::{OffPath, Path};
use crate::policy::Policy;
use crate::time::Time;
use crate::version::{Release, Sha256, Version};

/// A verified upgrade package, as far as a run needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The release that it brings.
    pub release: Release,
    /// Its name: the hash of its manifest.
    pub manifest: Sha256,
    /// The versions that it may be installed on (R15).
    pub path: Path,
}

impl Package {
    /// Checks that the package may be installed on this release (R15).
    ///
    /// # Errors
    /// Why it may not.
    pub fn admits(&self, from: Release) -> Result<(), OffPath> {
        self.path.admits_release(from, self.release)
    }
}

/// Whether another run may be started (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// Not while this run is under way.
    Held,
    /// Somebody has restarted the Management Node: a new start ends this run and begins another.
    Lifted,
}

/// Where the Management Node is with its own upgrade (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagerStep {
    /// The package is unpacked into its inactive slot.
    Staging {
        /// Since when.
        since: Time,
    },
    /// It selects the new slot, restarts, migrates its store and confirms itself.
    Installing {
        /// Since when.
        since: Time,
    },
    /// It runs the new release; the nodes are next.
    Confirmed {
        /// Since when.
        at: Time,
    },
}

/// Identifies a run uniquely, also among runs that a restored Management Node does not know. Such a Management Node
/// issues the number of a lost run again, and a node that could not take the release in that run would not try it
/// in the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunTag(pub u32);

impl RunTag {
    /// The tag of a run that starts now in this epoch. If the clock was set back before a restore, two histories can
    /// have the same epoch until the nodes have reported; the millisecond distinguishes them.
    pub(crate) fn of(now: Time, epoch: u32) -> Self {
        let milliseconds = now.0.wrapping_add(epoch.into());
        Self(u32::try_from(milliseconds & u64::from(u32::MAX)).unwrap_or_default())
    }
}

fn name(id: RunId, tag: Option<RunTag>) -> RunId {
    tag.map_or(id, |RunTag(tag)| RunId(tag))
}

/// What the operator orders a run to do, for the history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Order {
    /// The account that ordered it.
    pub by: String,
    /// Why, if that was said.
    pub why: String,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { by, why } if why.is_empty() => write!(f, "by {by}"),
            Self { by, why } => write!(f, "by {by}: {why}"),
        }
    }
}

/// A run that takes no further node until the operator lets it go on. Its limit is not moved by that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Time,
    /// The order.
    pub order: Order,
}

/// A run under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// What it brings.
    pub package: Package,
    /// What the platform ran before.
    pub source: Release,
    /// How it treats the nodes.
    pub policy: Policy,
    /// When Start was pressed.
    pub started_at: Time,
    /// Whether another may be started.
    pub lock: Lock,
    /// The Management Node's own upgrade.
    pub manager: ManagerStep,
    /// Since when the run waits only for absent nodes.
    pub idle_since: Option<Time>,
    /// Since when a node that could be taken waits for one before it in the queue although a place is free. It is
    /// kept until a node is taken in its turn: nodes that have blocked others for a drain limit block no further
    /// ones (decision 25).
    #[serde(default)]
    pub held_up_since: Option<Time>,
    /// Whether it takes no further node for now.
    #[serde(default)]
    pub paused: Option<Pause>,
    /// Its name in messages to the nodes; none if a Management Node of release 34 has started it, which used the
    /// number.
    #[serde(default)]
    pub tag: Option<RunTag>,
    /// The versions that the nodes ran when it was started. Nodes that it does not upgrade stay on one of these.
    #[serde(default)]
    pub sources: BTreeSet<Version>,
    /// How many nodes ran its release when it was started.
    #[serde(default)]
    pub on_target: u32,
}

impl Run {
    /// When the run stops, complete or not (R8).
    pub fn limit(&self) -> Time {
        self.started_at + self.policy.run_limit
    }

    /// Its name in messages to the nodes. No other run that they may have stored has this name.
    pub fn name(&self) -> RunId {
        name(self.id, self.tag)
    }

    /// What it brings to each node.
    pub fn assignment(&self) -> Assignment {
        Assignment { run: self.name(), release: self.package.release, manifest: self.package.manifest }
    }

    /// Whether it can be stopped now: not while the Management Node restarts into the release, which then runs without a
    /// run that says so.
    pub fn can_be_stopped(&self) -> bool {
        match self.manager {
            ManagerStep::Staging { .. } | ManagerStep::Confirmed { .. } => true,
            ManagerStep::Installing { .. } => false,
        }
    }

    /// Whether the nodes may be asked for anything (R1).
    pub fn manager_is_done(&self) -> bool {
        match self.manager {
            ManagerStep::Confirmed { .. } => true,
            ManagerStep::Staging { .. } | ManagerStep::Installing { .. } => false,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every node is on the new release (R23).
    Complete,
    /// Nothing is left to do, and some nodes are not on the new release; a repeat takes them (R24).
    Incomplete,
    /// The overall limit came first (R8).
    LimitReached,
    /// Too many of the nodes that were taken did not take the release, so no more were taken (G8).
    TooManyFailures {
        /// How many did not.
        failed: u32,
        /// How many attempts had ended, with or without the release.
        ended: u32,
    },
    /// The operator stopped it.
    Stopped {
        /// The order.
        order: Order,
    },
    /// The release could not be staged or selected on the Management Node; nothing was changed.
    ManagerRejected {
        /// What happened.
        why: String,
    },
    /// The new release did not start on the Management Node; no node was asked for anything.
    ManagerFellBack {
        /// What happened.
        why: String,
    },
    /// Another run was started in its place (R10).
    Replaced,
    /// The core found that an invariant is violated and began nothing further.
    Halted {
        /// The invariant.
        why: String,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete, every node is on the new release"),
            Self::Incomplete => f.write_str(
                "ended with nodes that are not upgraded; start the same package again to take only those",
            ),
            Self::LimitReached => f.write_str(
                "stopped at the overall limit; every node keeps the release it has; start the same package again \
                 to take the rest",
            ),
            Self::TooManyFailures { failed, ended } => write!(
                f,
                "stopped by itself, because the release failed on {failed} of {ended} nodes; every node keeps the \
                 release it has; see why it failed, then start the same package again to go on with the rest, or a \
                 later one"
            ),
            Self::Stopped { order } => write!(
                f,
                "stopped {order}; every node keeps the release it has; start the same package again to take the rest"
            ),
            Self::ManagerRejected { why } => {
                write!(f, "the Management Node did not take the release, and nothing was touched: {why}")
            }
            Self::ManagerFellBack { why } => {
                write!(f, "the Management Node went back to its old release and no node was touched: {why}")
            }
            Self::Replaced => f.write_str("ended, because another run was started in its place"),
            Self::Halted { why } => write!(f, "halted, calls are untouched; contact support: {why}"),
        }
    }
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRun {
    /// Its number.
    pub id: RunId,
    /// What it brought.
    pub package: Package,
    /// What the platform ran before.
    pub source: Release,
    /// When it was started.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Time,
    /// How it ended.
    pub outcome: Outcome,
    /// Its name in messages to the nodes.
    #[serde(default)]
    pub tag: Option<RunTag>,
    /// The versions that the nodes ran when it was started.
    #[serde(default)]
    pub sources: BTreeSet<Version>,
}

impl EndedRun {
    /// Its name in messages to the nodes.
    pub fn name(&self) -> RunId {
        name(self.id, self.tag)
    }
}
