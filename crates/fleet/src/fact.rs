//! The facts: domain events that [`crate::platform`] returns. They are the only source of the log, the history and
//! what the pages show. They are stored, so names of variants and fields never change; their texts may.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::desired::RunId;
use crate::node::{Duty, NodeId, Power};
use crate::observed::Calls;
use crate::progress::Failure;
use crate::run::{Order, Outcome};
use crate::starts::{Duplicate, SWITCH_OFF};
use crate::time::{Offset, Span, Time};
use crate::version::Release;
use crate::wall::Gap;

/// Something that has happened on the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// Start was pressed.
    RunStarted {
        /// The run.
        run: RunId,
        /// What the platform ran.
        source: Release,
        /// What the run brings.
        target: Release,
        /// When it stops at the latest (R8).
        limit: Time,
    },
    /// The release is staged in the Management Node's inactive slot; it restarts now (R1).
    ManagerInstalling {
        /// What it restarts into.
        release: Release,
    },
    /// The Management Node runs the new release; the nodes are next.
    ManagerUpgraded {
        /// What it runs.
        release: Release,
    },
    /// The Management Node was restarted by somebody while a run was under way (R10).
    LockLifted {
        /// The run.
        run: RunId,
    },
    /// No further node is taken until the run is resumed.
    RunPaused {
        /// The run.
        run: RunId,
        /// The order.
        order: Order,
    },
    /// A paused run goes on.
    RunResumed {
        /// The run.
        run: RunId,
        /// The order.
        order: Order,
    },
    /// The run has ended.
    RunEnded {
        /// The run.
        run: RunId,
        /// How.
        outcome: Outcome,
    },
    /// A run that had stopped by itself after too many failures is over: the operator has started another.
    FailureStopOver {
        /// The run that had stopped.
        run: RunId,
    },
    /// A node has accepted a later generation than the manager has stored: the manager was restored to an earlier
    /// state.
    EpochRaised {
        /// The epoch from now on.
        epoch: u32,
    },
    /// A restart of the Management Node would fail; it goes on running with what it has read.
    ManagerStartFault {
        /// Why.
        why: String,
    },
    /// A restart of the Management Node would succeed again.
    ManagerStartFaultOver,
    /// The Management Node's wall clock differs from the time that has passed. Times that are shown follow the wall
    /// clock; limits do not.
    ClockStepped {
        /// How far it differs.
        by: Offset,
        /// Whether the machine was off in between.
        gap: Gap,
    },
    /// The Management Node's wall clock has not stepped for a while.
    ClockSteady,
    /// Something happened to a node.
    Node {
        /// The node.
        node: NodeId,
        /// Its name at that time.
        name: String,
        /// What happened.
        what: NodeFact,
    },
}

/// Something that has happened to one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeFact {
    /// It was registered.
    Added,
    /// It was removed.
    Removed,
    /// The operator gave it another name.
    Renamed {
        /// Its name from now on.
        to: String,
    },
    /// The operator changed when it is powered on (R7).
    DutyChanged(Duty),
    /// The operator put it into maintenance mode (R12).
    OperatorMaintenanceOn {
        /// The reason that was given.
        reason: String,
    },
    /// The operator took it out of maintenance mode.
    OperatorMaintenanceOff,
    /// It reports that it is not fit to take calls.
    Unfit {
        /// Why.
        why: String,
    },
    /// It is fit again.
    Fit,
    /// A restart of its machine would fail; it stays in service with what it has read.
    StartFault {
        /// Why.
        why: String,
    },
    /// A restart of its machine would succeed again.
    StartFaultOver,
    /// Its machine was brought back on another version, and takes no calls until it is upgraded.
    OutOfDate {
        /// Why, with both versions.
        why: String,
    },
    /// It runs the version of the Management Node again.
    OutOfDateOver,
    /// Two processes report as this node at the same time: its machine was copied, or its key was stolen.
    Duplicated(Duplicate),
    /// Only one has been heard for long enough, or the node was enrolled anew, which shuts the other out.
    DuplicateOver,
    /// It has reported for the first time.
    ContactMade {
        /// What it runs.
        release: Release,
    },
    /// It cannot be contacted (R11, R26).
    ContactLost,
    /// It can be contacted again.
    ContactRestored {
        /// How long it could not.
        after: Span,
    },
    /// Its machine is to run, or may rest (R7): whoever powers bursting nodes does it.
    Power(Power),
    /// It runs another release than the one that the run under way brings, and joins its queue.
    Queued,
    /// The release lies verified in its inactive slot (G7).
    Staged {
        /// The release.
        release: Release,
    },
    /// Its wall clock differs from the Management Node's, or by another amount than before.
    ClockOff {
        /// How far it is ahead of the Management Node's.
        ahead: Offset,
    },
    /// Its wall clock agrees with the Management Node's again.
    ClockRight,
    /// It was asked to enter maintenance mode for the run.
    Preparing,
    /// It refuses new calls and waits for those that it has.
    Draining {
        /// The calls.
        calls: Calls,
    },
    /// Its calls had not cleared at the drain limit (R5).
    DrainTimedOut {
        /// The calls that were left.
        calls: Calls,
    },
    /// Its calls have cleared; it was asked to select the new slot.
    Installing,
    /// It restarts.
    Rebooting,
    /// It is back in service on the new release.
    Upgraded {
        /// The release.
        release: Release,
        /// From the end of its last call until it took calls again.
        away: Span,
    },
    /// It has left the run's maintenance mode, on the release that it had.
    Returned,
    /// It stopped reporting during its attempt, and the run no longer waits for it. It keeps its place until it
    /// reports again (R27).
    GivenUp {
        /// What happened.
        why: Failure,
    },
    /// It has left the run without the new release.
    Failed {
        /// What happened.
        why: Failure,
    },
}

impl Fact {
    /// The node that it concerns, and what happened to it; none for a fact about the whole platform.
    pub fn of_node(&self) -> Option<(NodeId, &NodeFact)> {
        match self {
            Self::Node { node, name: _, what } => Some((*node, what)),
            Self::RunStarted { .. }
            | Self::ManagerInstalling { .. }
            | Self::ManagerUpgraded { .. }
            | Self::LockLifted { .. }
            | Self::RunPaused { .. }
            | Self::RunResumed { .. }
            | Self::RunEnded { .. }
            | Self::FailureStopOver { .. }
            | Self::EpochRaised { .. }
            | Self::ManagerStartFault { .. }
            | Self::ManagerStartFaultOver
            | Self::ClockStepped { .. }
            | Self::ClockSteady => None,
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunStarted { run, source, target, limit: _ } => {
                write!(f, "run {run} started: from {source} to {target}")
            }
            Self::ManagerInstalling { release } => {
                write!(f, "Management Node: restarting into {release}")
            }
            Self::ManagerUpgraded { release } => {
                write!(f, "Management Node: runs {release}, the Conferencing Nodes are next")
            }
            Self::LockLifted { run } => {
                write!(f, "run {run}: the Management Node was restarted, so another run may be started now")
            }
            Self::RunPaused { run, order } => {
                write!(
                    f,
                    "run {run}: paused {order}; nodes under way finish, no other is taken until it is resumed"
                )
            }
            Self::RunResumed { run, order } => write!(f, "run {run}: resumed {order}"),
            Self::RunEnded { run, outcome } => write!(f, "run {run}: {outcome}"),
            Self::FailureStopOver { run } => {
                write!(f, "run {run}: its stop after too many failures is over, another run is started")
            }
            Self::EpochRaised { epoch } => {
                write!(
                    f,
                    "a node has accepted more than the Management Node has stored; desired states are issued anew, \
                     epoch {epoch}"
                )
            }
            Self::ManagerStartFault { why } => {
                write!(f, "Management Node: a restart would fail: {why}")
            }
            Self::ManagerStartFaultOver => f.write_str("Management Node: a restart would succeed again"),
            Self::ClockStepped { by, gap: Gap::Counted } => write!(
                f,
                "Management Node: its wall clock was set and is now {by:#} where it was; times are shown by it, \
                 and no limit moves; check its time synchronisation"
            ),
            Self::ClockStepped { by, gap: Gap::Estimated } => write!(
                f,
                "Management Node: after its machine was off, its wall clock is {by:#} the expected time; times are \
                 shown by it, and no limit moves by that"
            ),
            Self::ClockSteady => f.write_str("Management Node: its wall clock has been steady for an hour"),
            Self::Node { node: _, name, what } => write!(f, "{name}: {what}"),
        }
    }
}

impl fmt::Display for NodeFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => f.write_str("registered"),
            Self::Removed => f.write_str("removed"),
            Self::Renamed { to } => write!(f, "renamed to {to}"),
            Self::DutyChanged(Duty::AlwaysOn) => f.write_str("always on from now on"),
            Self::DutyChanged(Duty::Bursting) => f.write_str("a bursting node from now on"),
            Self::OperatorMaintenanceOn { reason } if reason.is_empty() => {
                f.write_str("put into maintenance mode by the operator")
            }
            Self::OperatorMaintenanceOn { reason } => {
                write!(f, "put into maintenance mode by the operator: {reason}")
            }
            Self::OperatorMaintenanceOff => f.write_str("taken out of maintenance mode by the operator"),
            Self::Unfit { why } => write!(f, "not fit to take calls: {why}"),
            Self::Fit => f.write_str("fit to take calls again"),
            Self::StartFault { why } => write!(f, "a restart would fail: {why}"),
            Self::StartFaultOver => f.write_str("a restart would succeed again"),
            Self::OutOfDate { why } => write!(f, "out of service until it is upgraded: {why}"),
            Self::OutOfDateOver => f.write_str("runs the version of the Management Node again"),
            Self::Duplicated(duplicate) => write!(f, "{duplicate}; {SWITCH_OFF}"),
            Self::DuplicateOver => f.write_str("one machine reports as this node again"),
            Self::ContactMade { release } => write!(f, "in touch for the first time, on {release}"),
            Self::ContactLost => f.write_str("could not communicate with conferencing node"),
            Self::ContactRestored { after } => write!(f, "in touch again after {after}"),
            Self::Power(Power::On) => f.write_str("to be powered on for its upgrade"),
            Self::Power(Power::Rest) => f.write_str("no longer needed, it may be powered off"),
            Self::Queued => f.write_str("joins the run, it is on another release"),
            Self::Staged { release } => write!(f, "{release} is staged"),
            Self::ClockOff { ahead } => write!(
                f,
                "its clock is {ahead:#} the Management Node's; compare both with the true time, and check \
                 time synchronisation"
            ),
            Self::ClockRight => f.write_str("its clock is the Management Node's again"),
            Self::Preparing => f.write_str("preparing to upgrade"),
            Self::Draining { calls } if calls.cleared() => f.write_str("in maintenance mode, without calls"),
            Self::Draining { calls } => write!(f, "in maintenance mode, waiting for {calls} to clear"),
            Self::DrainTimedOut { calls } => {
                write!(
                    f,
                    "timeout waiting for calls to clear, {calls} left; back to service, tried again later"
                )
            }
            Self::Installing => f.write_str("calls have cleared, upgrade in progress"),
            Self::Rebooting => f.write_str("rebooting"),
            Self::Upgraded { release, away } => write!(f, "upgraded to {release}, away for {away}"),
            Self::Returned => f.write_str("out of the run's maintenance mode, on the release it had"),
            Self::GivenUp { why } => write!(f, "given up: {why}"),
            Self::Failed { why } => write!(f, "not upgraded: {why}"),
        }
    }
}
