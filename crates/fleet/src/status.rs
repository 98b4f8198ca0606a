//! What a person is shown of a node: one of the eight statuses, letter by letter, and what it waits for. Computed
//! from the state alone; decides nothing of a run.

use alloc::string::{String, ToString};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::node::{Contact, Duty, Node, NodeId};
use crate::observed::{Calls, Staging};
use crate::platform::Fleet;
use crate::progress::{Attempt, Ending, Failure, Phase, Progress};
use crate::run::{ManagerStep, Order, Pause, Run};
use crate::starts::{Duplicate, SWITCH_OFF};
use crate::time::{Span, Time};

/// The upgrade status of a node, in the operator's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Before a node is upgraded, and after it has rebooted.
    #[serde(rename = "IDLE")]
    NoUpgradeInProgress,
    /// In the queue.
    #[serde(rename = "PENDING")]
    UpgradePending,
    /// Put into maintenance mode.
    Preparing,
    /// In maintenance mode, its calls are ending.
    #[serde(rename = "WAITING_FOR_CALLS")]
    WaitingForCallsToClear,
    /// Not all calls cleared; it is tried again.
    #[serde(rename = "TIMEOUT")]
    TimeoutWaitingForCallsToClear,
    /// The new software is being installed.
    #[serde(rename = "UPGRADING")]
    UpgradeInProgress,
    /// Installed, and restarting.
    Rebooting,
    /// It cannot be contacted.
    #[serde(rename = "UNREACHABLE")]
    CouldNotCommunicate,
}

impl Status {
    /// All eight.
    pub const ALL: [Self; 8] = [
        Self::NoUpgradeInProgress,
        Self::UpgradePending,
        Self::Preparing,
        Self::WaitingForCallsToClear,
        Self::TimeoutWaitingForCallsToClear,
        Self::UpgradeInProgress,
        Self::Rebooting,
        Self::CouldNotCommunicate,
    ];

    /// The token of the management API's `upgrade_status`.
    pub fn token(self) -> &'static str {
        match self {
            Self::NoUpgradeInProgress => "IDLE",
            Self::UpgradePending => "PENDING",
            Self::Preparing => "PREPARING",
            Self::WaitingForCallsToClear => "WAITING_FOR_CALLS",
            Self::TimeoutWaitingForCallsToClear => "TIMEOUT",
            Self::UpgradeInProgress => "UPGRADING",
            Self::Rebooting => "REBOOTING",
            Self::CouldNotCommunicate => "UNREACHABLE",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoUpgradeInProgress => "No upgrade in progress",
            Self::UpgradePending => "Upgrade pending",
            Self::Preparing => "Preparing to upgrade",
            Self::WaitingForCallsToClear => "Waiting for calls to clear",
            Self::TimeoutWaitingForCallsToClear => "Timeout waiting for calls to clear",
            Self::UpgradeInProgress => "Upgrade in progress",
            Self::Rebooting => "Rebooting",
            Self::CouldNotCommunicate => "Could not communicate with conferencing node",
        })
    }
}

/// Why a node does not advance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// The Management Node is upgraded first (R1).
    Manager,
    /// The release is not staged on it yet (G7).
    Staging {
        /// How much of the package has arrived.
        percent: u8,
    },
    /// It is in the queue.
    Queue {
        /// The places that are taken.
        taken: u32,
        /// The places that there are.
        places: u32,
    },
    /// It is in the queue, and no other node is taken before one that was taken first is upgraded (G8).
    FirstNodes {
        /// How many nodes are under way.
        under_way: u32,
    },
    /// It is in the queue, and every place is held by a node that cannot be contacted.
    LostNodes {
        /// How many they are.
        nodes: u32,
    },
    /// It is in the queue, and the operator has paused the run.
    Paused {
        /// The order.
        order: Order,
    },
    /// It stays in service for a while after a drain that timed out.
    Rest {
        /// How long still.
        ends_in: Span,
    },
    /// A bursting node that is powered off is started when all always-on nodes were upgraded or tried (R7).
    AlwaysOnNodes,
    /// A bursting node is starting up.
    StartUp {
        /// How long it may still take.
        limit_in: Span,
    },
    /// It has not reported yet that it refuses calls.
    Answer {
        /// How long ago it was asked.
        since: Span,
    },
    /// Its calls.
    Calls {
        /// How many.
        calls: Calls,
        /// How long the oldest has lasted.
        oldest: Option<Span>,
        /// How long until it goes back to service.
        limit_in: Span,
    },
    /// Its restart into the new release.
    Restart {
        /// For how long it has been away.
        since: Span,
        /// Whether that is longer than usual (R27).
        stuck: bool,
    },
    /// Its report that it is back in service.
    Return {
        /// How long ago it was asked.
        since: Span,
    },
    /// Its next report.
    Contact {
        /// For how long it has been silent; none if it has never reported.
        silent: Option<Span>,
    },
    /// The operator, to switch off one of the two machines that report as this node.
    Duplicate {
        /// The two.
        two: Duplicate,
    },
    /// The operator, to take it out of maintenance mode (R12).
    Operator {
        /// The reason that was given.
        reason: String,
    },
    /// Nothing: it has left the run.
    Failed {
        /// What happened.
        why: Failure,
        /// The same in words.
        text: String,
    },
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manager => f.write_str("waiting for the Management Node to be upgraded"),
            Self::Staging { percent: 100 } => f.write_str("the package has arrived and is unpacked"),
            Self::Staging { percent } => write!(f, "the package is on its way, {percent}% fetched"),
            Self::Queue { taken, places } => write!(f, "in the queue, {taken} of {places} places are taken"),
            Self::FirstNodes { under_way } => write!(
                f,
                "in the queue until more of the nodes that go first are upgraded, {under_way} of them under way"
            ),
            Self::LostNodes { nodes } => write!(
                f,
                "in the queue, all {nodes} places are held by nodes that cannot be contacted; power them on or \
                 remove them"
            ),
            Self::Paused { order } => write!(f, "in the queue, the run is paused {order}"),
            Self::Rest { ends_in } => write!(f, "tried again in {ends_in} at the earliest"),
            Self::AlwaysOnNodes => f.write_str("at rest, started after the always-on nodes"),
            Self::StartUp { limit_in } => write!(f, "starting up, given up in {limit_in}"),
            Self::Answer { since } => write!(f, "asked {since} ago to refuse new calls"),
            Self::Calls { calls, oldest, limit_in } => {
                write!(f, "waiting for {calls}")?;
                if let Some(oldest) = oldest {
                    write!(f, ", oldest {oldest}")?;
                }
                write!(f, ", drain limit in {limit_in}")
            }
            Self::Restart { since, stuck: false } => write!(f, "away for {since}"),
            Self::Restart { since, stuck: true } => write!(
                f,
                "away for {since}, longer than usual; look at its console, do not reboot it, and contact support"
            ),
            Self::Return { since } => write!(f, "asked {since} ago to take calls again"),
            Self::Contact { silent: Some(silent) } => {
                write!(f, "silent for {silent}; check its power and its network")
            }
            Self::Contact { silent: None } => f.write_str("never heard; power it on and enrol it"),
            Self::Duplicate { two } => write!(f, "{two}; {SWITCH_OFF}"),
            Self::Operator { reason } if reason.is_empty() => {
                f.write_str("in maintenance mode by the operator")
            }
            Self::Operator { reason } => write!(f, "in maintenance mode by the operator: {reason}"),
            Self::Failed { why: _, text } => write!(f, "not upgraded: {text}"),
        }
    }
}

impl Fleet {
    /// The status of a node.
    pub fn status(&self, id: NodeId) -> Option<Status> {
        self.nodes().get(id).map(status_of)
    }

    /// Why a node does not advance, if it is to.
    pub fn waits(&self, id: NodeId, now: Time) -> Option<Waits> {
        self.nodes().get(id).and_then(|node| self.waits_of(node, now))
    }

    /// The status of the Management Node itself (R22).
    pub fn manager_status(&self) -> Status {
        match self.platform.run.as_ref().map(|run| run.manager) {
            Some(ManagerStep::Staging { .. } | ManagerStep::Installing { .. }) => Status::UpgradeInProgress,
            Some(ManagerStep::Confirmed { .. }) | None => Status::NoUpgradeInProgress,
        }
    }

    fn waits_of(&self, node: &Node, now: Time) -> Option<Waits> {
        if let Some(two) = node.duplicate() {
            return Some(Waits::Duplicate { two: *two });
        }
        if status_of(node) == Status::Rebooting {
            return Some(self.waits_for_restart(node, now));
        }
        if let Some(why) = failure(node) {
            return Some(Waits::Failed { why: why.clone(), text: why.to_string() });
        }
        if status_of(node) == Status::CouldNotCommunicate {
            return Some(silence(node, now));
        }
        match &node.progress {
            Progress::Pending { rests_until, .. } => Some(self.waits_in_queue(node, *rests_until, now)),
            Progress::Attempt(attempt) => Some(self.waits_in_attempt(node, attempt, now)),
            Progress::Idle | Progress::Upgraded { .. } | Progress::Failed { .. } => {
                node.operator_maintenance.clone().map(|reason| Waits::Operator { reason })
            }
        }
    }

    fn waits_in_attempt(&self, node: &Node, attempt: &Attempt, now: Time) -> Waits {
        let since = now.since(attempt.since);
        match attempt.phase {
            Phase::Starting { until } => Waits::StartUp { limit_in: now.until(until) },
            Phase::Preparing { .. } => Waits::Answer { since },
            Phase::Draining { until } => calls_left(node, until, now),
            Phase::Installing { .. } | Phase::Rebooting { .. } => self.waits_for_restart(node, now),
            Phase::Releasing { .. } => Waits::Return { since },
        }
    }

    /// A restored manager does not know since when a node restarts, and counts from the node's report of it.
    fn waits_for_restart(&self, node: &Node, now: Time) -> Waits {
        let since = now.since(node.progress.since().unwrap_or(node.reported_at));
        Waits::Restart { since, stuck: since >= self.stuck_after() }
    }

    fn waits_for_place(&self, run: &Run) -> Waits {
        let places = run.policy.nodes_at_once;
        let holders = self.nodes().places();
        if self.waits_for_first_nodes(run) {
            return Waits::FirstNodes { under_way: u32::try_from(self.under_way()).unwrap_or(u32::MAX) };
        }
        let taken = u32::try_from(holders.len()).unwrap_or(u32::MAX);
        let lost = |id: &NodeId| self.nodes().get(*id).is_some_and(|node| node.contact.is_lost());
        if taken >= places && holders.iter().all(lost) {
            return Waits::LostNodes { nodes: taken };
        }
        Waits::Queue { taken, places }
    }

    fn stuck_after(&self) -> Span {
        self.platform.run.as_ref().map_or(&self.platform.policy, |run| &run.policy).stuck_after
    }

    fn waits_in_queue(&self, node: &Node, rests_until: Option<Time>, now: Time) -> Waits {
        let Some(run) = self.platform.run.as_ref().filter(|run| run.manager_is_done()) else {
            return Waits::Manager;
        };
        if let Some(Pause { since: _, order }) = &run.paused {
            return Waits::Paused { order: order.clone() };
        }
        if let Some(until) = rests_until {
            return Waits::Rest { ends_in: now.until(until) };
        }
        if node.duty == Duty::Bursting && node.contact.is_lost() {
            return Waits::AlwaysOnNodes;
        }
        if node.has_staged() {
            return self.waits_for_place(run);
        }
        Waits::Staging { percent: node.observed.as_ref().map_or(0, |observed| percent(&observed.staging)) }
    }
}

/// Why a node has left its run, or will as soon as it reports that it is back.
fn failure(node: &Node) -> Option<&Failure> {
    match &node.progress {
        Progress::Failed { why, .. } => Some(why),
        Progress::Attempt(Attempt { phase: Phase::Releasing { ending: Ending::Failed(why) }, .. }) => {
            Some(why)
        }
        Progress::Attempt(_) | Progress::Idle | Progress::Pending { .. } | Progress::Upgraded { .. } => None,
    }
}

fn percent(staging: &Staging) -> u8 {
    match staging {
        Staging::Fetching { percent, .. } => *percent,
        Staging::Nothing | Staging::Staged { .. } | Staging::Rejected { .. } => 0,
    }
}

fn silence(node: &Node, now: Time) -> Waits {
    let silent = match node.contact {
        Contact::Lost { since } | Contact::Silent { since, .. } => Some(now.since(since)),
        Contact::Never | Contact::Heard => None,
    };
    Waits::Contact { silent }
}

/// The calls that a draining node waits for. The oldest has grown older since it was reported.
fn calls_left(node: &Node, until: Time, now: Time) -> Waits {
    let calls = node.observed.as_ref().map_or(Calls::Unknown, |observed| observed.calls);
    let calls = calls.older_by(now.since(node.reported_at));
    let oldest = match calls {
        Calls::Known { oldest, .. } => oldest,
        Calls::Unknown => None,
    };
    Waits::Calls { calls, oldest, limit_in: now.until(until) }
}

fn status_of(node: &Node) -> Status {
    let lost = node.contact.is_lost();
    // The run no longer waits for it, has ended, or is unknown to this restored manager; it restarts all the same.
    if !lost && node.restarts() && !node.progress.holds_maintenance() {
        return Status::Rebooting;
    }
    match &node.progress {
        Progress::Idle | Progress::Upgraded { .. } => Status::NoUpgradeInProgress,
        Progress::Failed { why: Failure::Unreachable | Failure::Lost, .. } if lost => {
            Status::CouldNotCommunicate
        }
        Progress::Failed { .. } => Status::NoUpgradeInProgress,
        Progress::Pending { .. } if lost && node.duty == Duty::Bursting => Status::UpgradePending,
        Progress::Pending { .. } if lost => Status::CouldNotCommunicate,
        Progress::Pending { tried: 0, .. } => Status::UpgradePending,
        Progress::Pending { .. } => Status::TimeoutWaitingForCallsToClear,
        Progress::Attempt(attempt) => status_in(&attempt.phase, lost),
    }
}

fn status_in(phase: &Phase, lost: bool) -> Status {
    match phase {
        Phase::Starting { .. } => Status::UpgradePending,
        Phase::Preparing { .. }
        | Phase::Draining { .. }
        | Phase::Installing { .. }
        | Phase::Rebooting { .. }
        | Phase::Releasing { .. }
            if lost =>
        {
            Status::CouldNotCommunicate
        }
        Phase::Preparing { .. } => Status::Preparing,
        Phase::Draining { .. } => Status::WaitingForCallsToClear,
        Phase::Installing { .. } => Status::UpgradeInProgress,
        Phase::Rebooting { .. } => Status::Rebooting,
        Phase::Releasing { ending: Ending::TimedOut } => Status::TimeoutWaitingForCallsToClear,
        Phase::Releasing { ending: Ending::Upgraded | Ending::Failed(_) | Ending::Stopped } => {
            Status::NoUpgradeInProgress
        }
    }
}
