//! The record of a Conferencing Node: what the platform knows of it, and what it wants of it as a function of that
//! record. All of it but [`Node::progress`] and what belongs to that outlives a run. How a record changes is in
//! [`crate::platform`].

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::desired::{Assignment, Depth, Desired, Generation, Intent, Owners};
use crate::observed::{Admission, Observed, ReleaseState, Staging};
use crate::progress::{AttemptResult, Phase, Progress};
use crate::starts::{Duplicate, Starts};
use crate::time::{Offset, Span, Time};
use crate::version::{Release, Version};
use crate::wall;

/// How long a node reports an earlier version than it has reached until it is kept out of service. Two running
/// processes name each other in their second requests at the latest, and both send one every ten seconds.
const WENT_BACK_FOR: Span = Span::minutes(1);

/// Identifies a node: the integer id of the management API. Ids are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// When a node is powered on. The order is the order of the queue (R7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// It always runs.
    AlwaysOn,
    /// It is started when the platform needs capacity, and is powered off otherwise.
    Bursting,
}

/// The state of a node's link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// It has never reported.
    #[default]
    Never,
    /// Its link is up.
    Heard,
    /// Its link is down, but not yet for longer than is allowed.
    Silent {
        /// Since when.
        since: Time,
        /// When it counts as not reachable.
        lost_at: Time,
    },
    /// It cannot be contacted (R11).
    Lost {
        /// Since when its link is down.
        since: Time,
    },
}

impl Contact {
    /// Whether the node cannot be contacted.
    pub fn is_lost(self) -> bool {
        match self {
            Self::Never | Self::Lost { .. } => true,
            Self::Heard | Self::Silent { .. } => false,
        }
    }
}

/// Whether the machine of a bursting node is to run (R7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Start it.
    On,
    /// It may be powered off.
    Rest,
}

/// A registered Conferencing Node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name, unique on the platform.
    pub name: String,
    /// When it is powered on.
    pub duty: Duty,
    /// The operator's maintenance mode, with its reason (R12). No run ever ends it.
    pub operator_maintenance: Option<String>,
    /// The generation of what is wanted of it.
    pub generation: Generation,
    /// The state of its link.
    pub contact: Contact,
    /// Its last report.
    pub observed: Option<Observed>,
    /// When that report arrived, by the manager's clock.
    pub reported_at: Time,
    /// The software that a run brings to it.
    pub assigned: Option<Assignment>,
    /// Where it is in the run.
    pub progress: Progress,
    /// A bursting node that the run has started, and that may be powered off afterwards.
    pub woken: bool,
    /// The lease of the run's maintenance mode: how long it stays in it by itself when it is cut off.
    pub hold: Span,
    /// When its last call ended, in the attempt that it is in or that upgraded it.
    pub cleared_at: Option<Time>,
    /// How far its wall clock is ahead of the Management Node's, when that is worth an alarm.
    #[serde(default)]
    pub clock_off: Option<Offset>,
    /// What its attempt in the newest run has shown of the release.
    #[serde(default)]
    pub result: Option<AttemptResult>,
    /// Whether its attempt in the run before failed: it is taken after the others of its rank.
    #[serde(default)]
    pub failed_before: bool,
    /// Why the platform keeps it out of service until it is upgraded: its machine was brought back on another
    /// version (R20, R29).
    #[serde(default)]
    pub out_of_date: Option<String>,
    /// The version that it ran last without having gone back to it.
    #[serde(default)]
    pub reached: Option<Version>,
    /// Since when it reports an earlier version than it has reached.
    #[serde(default)]
    pub went_back_at: Option<Time>,
    /// The processes that report as this node.
    #[serde(default)]
    pub starts: Starts,
}

impl Node {
    /// A node that has not reported yet.
    pub fn new(name: String, duty: Duty) -> Self {
        Self {
            name,
            duty,
            operator_maintenance: None,
            generation: Generation::default(),
            contact: Contact::Never,
            observed: None,
            reported_at: Time::default(),
            assigned: None,
            progress: Progress::Idle,
            woken: false,
            hold: Span::ZERO,
            cleared_at: None,
            clock_off: None,
            result: None,
            failed_before: false,
            out_of_date: None,
            reached: None,
            went_back_at: None,
            starts: Starts::default(),
        }
    }

    /// What is stored of its wall clock after a measurement of how far it is ahead of the Management Node's.
    pub fn clock_judged(&self, measured: Offset) -> Option<Offset> {
        wall::judged(self.clock_off, measured)
    }

    /// The owners of its maintenance mode. The run's ownership follows from the node's progress, so a run that has
    /// ended owns nothing.
    pub fn owners(&self) -> Owners {
        let unfit = self.observed.as_ref().and_then(|observed| observed.unfit.clone());
        Owners {
            operator: self.operator_maintenance.clone(),
            run: self.progress.holds_maintenance().then_some(self.hold),
            platform: unfit.or_else(|| self.out_of_date.clone()),
        }
    }

    /// What is wanted of it: a function of its record alone.
    pub fn intent(&self) -> Intent {
        let depth = match self.progress.phase() {
            Some(Phase::Installing { .. } | Phase::Rebooting { .. }) => Depth::Install,
            Some(
                Phase::Starting { .. }
                | Phase::Preparing { .. }
                | Phase::Draining { .. }
                | Phase::Releasing { .. },
            )
            | None => Depth::Stage,
        };
        let owners = self.owners();
        // A node ignores the platform as an owner. One that is brought back on an older release must stay out of
        // service, and its program may be of release 34, so the reason is sent as the operator's maintenance mode.
        let operator = owners.operator.or_else(|| self.out_of_date.clone());
        let software = self.assigned.map(|assignment| (assignment, depth));
        Intent { owners: Owners { operator, ..owners }, software }
    }

    /// The desired state that is sent to the node.
    pub fn desired(&self) -> Desired {
        Desired { generation: self.generation, intent: self.intent() }
    }

    /// Whether the node reports, for its current desired state, that it takes no calls.
    pub fn refuses_calls(&self) -> bool {
        self.current().is_some_and(|observed| observed.admission == Admission::Refusing)
    }

    /// Whether the node reports, for its current desired state, that it takes calls.
    pub fn admits_calls(&self) -> bool {
        self.current().is_some_and(|observed| observed.admission == Admission::Admitting)
    }

    /// Whether the node reports, for its current desired state, that it is back in service: it takes calls, or an
    /// owner other than the run keeps it in maintenance mode.
    pub fn is_back(&self) -> bool {
        let owners = Owners { run: None, ..self.owners() };
        self.current().is_some_and(|observed| {
            observed.release_state == ReleaseState::Confirmed
                && (observed.admission == Admission::Admitting) == owners.is_empty()
        })
    }

    /// Its last report, if that acknowledges the current desired state.
    pub(crate) fn current(&self) -> Option<&Observed> {
        self.observed.as_ref().filter(|observed| observed.generation == self.generation)
    }

    /// Whether it reports that it runs a release, and that this has confirmed itself.
    pub fn runs(&self, release: Release) -> bool {
        self.observed.as_ref().is_some_and(|observed| {
            observed.release == release && observed.release_state != ReleaseState::Trying
        })
    }

    /// The two processes that report as this node, if there are two: a copied machine, or a stolen key.
    pub fn duplicate(&self) -> Option<&Duplicate> {
        self.starts.duplicate()
    }

    /// Whether it counts as upgraded to a release: it is a single machine and runs that release.
    pub fn is_on(&self, release: Release) -> bool {
        self.duplicate().is_none() && self.runs(release)
    }

    /// Whether it runs the release that it was assigned, confirmed.
    pub fn runs_assigned(&self) -> bool {
        match (&self.observed, &self.assigned) {
            (Some(observed), Some(assigned)) => {
                observed.release == assigned.release && observed.release_state == ReleaseState::Confirmed
            }
            (None, _) | (_, None) => false,
        }
    }

    /// Whether it is a bursting node that is powered off, as it is between the times when it is needed (R7).
    pub fn is_at_rest(&self) -> bool {
        self.duty == Duty::Bursting && self.contact.is_lost() && self.progress.deadline().is_none()
    }

    /// Whether it reports that it restarts into another release, or runs one that is not confirmed yet.
    pub fn restarts(&self) -> bool {
        self.observed.as_ref().is_some_and(|observed| match observed.release_state {
            ReleaseState::Leaving | ReleaseState::Trying => true,
            ReleaseState::Confirmed => false,
        })
    }

    /// Whether the assigned release is staged in its inactive slot.
    pub fn has_staged(&self) -> bool {
        match (self.observed.as_ref().map(|observed| &observed.staging), &self.assigned) {
            (Some(Staging::Staged { manifest }), Some(assigned)) => *manifest == assigned.manifest,
            (
                Some(
                    Staging::Nothing
                    | Staging::Fetching { .. }
                    | Staging::Rejected { .. }
                    | Staging::Staged { .. },
                )
                | None,
                _,
            ) => false,
        }
    }

    /// Why it could not take the release of the present run, if it has reported so.
    pub fn rejection(&self) -> Option<&str> {
        match (self.observed.as_ref().map(|observed| &observed.staging), &self.assigned) {
            (Some(Staging::Rejected { run, manifest, why }), Some(assigned))
                if *run == assigned.run && *manifest == assigned.manifest =>
            {
                Some(why)
            }
            (
                Some(
                    Staging::Nothing
                    | Staging::Fetching { .. }
                    | Staging::Rejected { .. }
                    | Staging::Staged { .. },
                )
                | None,
                _,
            ) => None,
        }
    }

    /// Whether its machine is to run, for a bursting node that a run has started.
    pub fn power(&self) -> Option<Power> {
        self.woken.then(|| if self.progress.holds_place() { Power::On } else { Power::Rest })
    }

    /// Whether it is kept out of service when it reports an earlier version than it has reached once more. A copy
    /// of its machine from before an upgrade is noticed before that, and takes nothing from the original.
    pub(crate) fn has_gone_back(&self, now: Time) -> bool {
        self.out_of_date.is_none() && self.went_back_at.is_some_and(|since| now >= since + WENT_BACK_FOR)
    }

    /// Its next deadline, if it does not report before.
    pub fn deadline(&self) -> Option<Time> {
        let contact = match self.contact {
            Contact::Silent { lost_at, .. } => Some(lost_at),
            Contact::Never | Contact::Heard | Contact::Lost { .. } => None,
        };
        [contact, self.progress.deadline()].into_iter().flatten().min()
    }
}
