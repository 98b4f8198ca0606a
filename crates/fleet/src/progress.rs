//! The progress of a node in a run: its phase, deadlines and ending, and what follows from each alone. Transitions
//! between them are in [`crate::platform`].

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::stored;
use crate::time::Time;
use crate::version::Release;

/// Where a node is in a run, with exactly the data of that state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "stored::Progress", into = "stored::Progress")]
pub enum Progress {
    /// Not part of a run, or already on its release.
    #[default]
    Idle,
    /// In the queue (R6).
    Pending {
        /// How many attempts have ended.
        tried: u32,
        /// After a drain that timed out: when it may be tried again.
        rests_until: Option<Time>,
    },
    /// Taken from the queue; it holds a place until it reports that it is back (R2, R6).
    Attempt(Attempt),
    /// On the new release and back in service.
    Upgraded {
        /// When it was back.
        at: Time,
    },
    /// It has left this run without the new release.
    Failed {
        /// What happened.
        why: Failure,
        /// When.
        at: Time,
    },
}

/// One try to upgrade a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// How many attempts at the node have ended; in [`Phase::Releasing`] with this one.
    pub tried: u32,
    /// Since when the attempt is in this phase.
    pub since: Time,
    /// How far it is.
    pub phase: Phase,
}

/// How far an attempt is, with the deadlines of that phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A bursting node that the run has started (R7).
    Starting {
        /// When it must have reported.
        until: Time,
    },
    /// Asked to enter maintenance mode; it has not reported yet that it refuses calls.
    Preparing {
        /// When it is released without having answered.
        until: Time,
    },
    /// In maintenance mode, waiting for its calls to clear.
    Draining {
        /// The drain limit (R5).
        until: Time,
    },
    /// Its calls have cleared, and it is asked to select the new slot and restart.
    Installing {
        /// The drain limit of the attempt, in case it has calls again.
        drain_until: Time,
        /// When it counts as stuck (R27).
        stuck_at: Time,
    },
    /// It has selected the new slot, or stopped reporting when it was asked to.
    Rebooting {
        /// When it counts as stuck (R27).
        stuck_at: Time,
    },
    /// Asked to go back to service; it keeps its place until it reports that it has.
    Releasing {
        /// How its attempt ended.
        ending: Ending,
    },
}

/// How an attempt at a node ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It runs the new release, confirmed.
    Upgraded,
    /// Its calls had not cleared at the drain limit (R5).
    TimedOut,
    /// It did not take the release.
    Failed(Failure),
    /// The run ended first (R8).
    Stopped,
}

/// What an attempt has shown of the release (G8). An attempt that was stopped, or whose calls did not clear, shows
/// nothing; nor does a node that was never taken out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// The node runs it.
    Upgraded,
    /// The node fell back, could not select it, or did not report again after it had restarted.
    Failed,
}

/// Why a node has left a run without the new release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The node has reported so: not fetched, not verified, not unpacked, or started and fallen back.
    Rejected(String),
    /// It could not be reached before it was asked for anything (R11).
    Unreachable,
    /// It stopped reporting during its attempt and has not reported again (R27).
    Lost,
    /// A bursting node that did not start up in time (R7).
    NotStarted,
    /// Two machines report as this node.
    Duplicate,
    /// The release cannot be installed on what the node runs (R15, R20); it is left alone.
    OffPath {
        /// What it runs.
        runs: Release,
        /// What the run brings.
        brings: Release,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(why) => f.write_str(why),
            Self::Unreachable => f.write_str("it could not be reached; check its power and its network"),
            Self::Lost => f.write_str(
                "it has not been heard since it was asked to restart; look at its console, where pitlane-boot says \
                 why if no release starts there; do not reboot it, and contact support",
            ),
            Self::Duplicate => f.write_str(
                "two machines reported as this node, so it does not count as upgraded; start the same package again \
                 when it is one machine",
            ),
            Self::OffPath { runs, brings } if runs > brings => write!(
                f,
                "it runs {runs}, which is later than {brings}; start the package of that release or of a later one, \
                 or redeploy it with the release of the Management Node"
            ),
            Self::OffPath { runs, brings } => write!(
                f,
                "it runs {runs}, on which {brings} cannot be installed; redeploy it with the release of the \
                 Management Node"
            ),
            Self::NotStarted => f.write_str("the bursting node did not start up in time; look at its cloud console"),
        }
    }
}

impl Progress {
    /// The phase of the attempt at the node, when one is under way.
    pub fn phase(&self) -> Option<&Phase> {
        match self {
            Self::Attempt(attempt) => Some(&attempt.phase),
            Self::Idle | Self::Pending { .. } | Self::Upgraded { .. } | Self::Failed { .. } => None,
        }
    }

    /// Whether the node takes one of the places out of service on behalf of a run (R2, R6). Once
    /// asked, it keeps its place until it has itself reported that it is back.
    pub fn holds_place(&self) -> bool {
        self.phase().is_some()
    }

    /// Whether an attempt is under way that may still show whether the release works.
    pub fn is_under_way(&self) -> bool {
        self.phase().is_some_and(|phase| !matches!(phase, Phase::Releasing { .. }))
    }

    /// Whether the node is still to be taken, or is taken and can still go without its restart.
    pub fn can_be_spared(&self) -> bool {
        match self {
            Self::Pending { .. } => true,
            Self::Attempt(attempt) => attempt.phase.can_be_spared(),
            Self::Idle | Self::Upgraded { .. } | Self::Failed { .. } => false,
        }
    }

    /// Whether the run holds the node in maintenance mode.
    pub fn holds_maintenance(&self) -> bool {
        self.phase().is_some_and(Phase::holds_maintenance)
    }

    /// How many attempts at the node have ended, while it is still to be upgraded.
    pub fn tried(&self) -> Option<u32> {
        match self {
            Self::Pending { tried, .. } => Some(*tried),
            Self::Attempt(attempt) => Some(attempt.tried),
            Self::Idle | Self::Upgraded { .. } | Self::Failed { .. } => None,
        }
    }

    /// Since when an attempt is in its phase.
    pub fn since(&self) -> Option<Time> {
        match self {
            Self::Attempt(attempt) => Some(attempt.since),
            Self::Idle | Self::Pending { .. } | Self::Upgraded { .. } | Self::Failed { .. } => None,
        }
    }

    /// The deadline of this state, if the node does not report before.
    pub fn deadline(&self) -> Option<Time> {
        match self {
            Self::Pending { rests_until, .. } => *rests_until,
            Self::Attempt(attempt) => attempt.phase.deadline(),
            Self::Idle | Self::Upgraded { .. } | Self::Failed { .. } => None,
        }
    }
}

impl Attempt {
    /// An attempt that enters a phase now.
    pub(crate) fn enters(now: Time, tried: u32, phase: Phase) -> Progress {
        Progress::Attempt(Self { tried, since: now, phase })
    }

    /// An attempt that has ended: the node is asked to go back to service.
    pub(crate) fn releasing(now: Time, tried: u32, ending: Ending) -> Progress {
        Self::enters(now, tried, Phase::Releasing { ending })
    }
}

impl Phase {
    /// Whether the node has not yet begun to restart into its new slot.
    fn can_be_spared(&self) -> bool {
        match self {
            Self::Starting { .. }
            | Self::Preparing { .. }
            | Self::Draining { .. }
            | Self::Installing { .. } => true,
            Self::Rebooting { .. } | Self::Releasing { .. } => false,
        }
    }

    fn holds_maintenance(&self) -> bool {
        match self {
            Self::Preparing { .. }
            | Self::Draining { .. }
            | Self::Installing { .. }
            | Self::Rebooting { .. } => true,
            Self::Starting { .. } | Self::Releasing { .. } => false,
        }
    }

    fn deadline(&self) -> Option<Time> {
        match self {
            Self::Starting { until } | Self::Preparing { until } | Self::Draining { until } => Some(*until),
            Self::Installing { stuck_at, .. } | Self::Rebooting { stuck_at } => Some(*stuck_at),
            Self::Releasing { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL: Time = Time(9);

    #[test]
    fn each_state_decides_place_maintenance_mode_and_what_the_end_of_the_run_may_spare() {
        let attempt = |phase| Progress::Attempt(Attempt { tried: 2, since: Time(3), phase });
        let releasing = attempt(Phase::Releasing { ending: Ending::TimedOut });
        let names = ["holds a place", "is under way", "can be spared", "holds maintenance mode"];
        for (progress, expected) in [
            (Progress::Idle, [false, false, false, false]),
            (Progress::Pending { tried: 2, rests_until: Some(UNTIL) }, [false, false, true, false]),
            (attempt(Phase::Starting { until: UNTIL }), [true, true, true, false]),
            (attempt(Phase::Preparing { until: UNTIL }), [true, true, true, true]),
            (attempt(Phase::Draining { until: UNTIL }), [true, true, true, true]),
            (attempt(Phase::Installing { drain_until: Time(1), stuck_at: UNTIL }), [true, true, true, true]),
            (attempt(Phase::Rebooting { stuck_at: UNTIL }), [true, true, false, true]),
            (releasing.clone(), [true, false, false, false]),
            (Progress::Upgraded { at: Time(3) }, [false, false, false, false]),
            (Progress::Failed { why: Failure::Lost, at: Time(3) }, [false, false, false, false]),
        ] {
            let found = [
                progress.holds_place(),
                progress.is_under_way(),
                progress.can_be_spared(),
                progress.holds_maintenance(),
            ];
            assert_eq!(found, expected, "{names:?} of {progress:?}");
            let attempted = progress.holds_place();
            let queued = matches!(progress, Progress::Pending { .. });
            assert_eq!(progress.since(), attempted.then_some(Time(3)), "{progress:?}");
            assert_eq!(progress.tried(), (attempted || queued).then_some(2), "{progress:?}");
            let has_deadline = (attempted || queued) && progress != releasing;
            assert_eq!(progress.deadline(), has_deadline.then_some(UNTIL), "{progress:?}");
        }
    }
}
