//! The Management Node's machine in a scenario: stages its own releases and restarts into them after fixed times.

use fleet::desired::Assignment;
use fleet::platform::{Event, Fleet, ManagerWants};
use fleet::time::{Span, Time};

/// How long it takes to verify and unpack a release.
const STAGING: Span = Span::seconds(10);
/// How long the manager is down while it restarts into a new release and migrates its store.
const RESTART: Span = Span::seconds(40);

/// What the manager's machine is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    Idle,
    Staging { until: Time },
    Restarting { into: Assignment, until: Time },
}

/// The manager's machine.
#[derive(Clone, Debug)]
pub(crate) struct ManagerMachine {
    busy: Busy,
    /// Whether the next release starts.
    pub(crate) good: bool,
}

impl ManagerMachine {
    pub(crate) fn new() -> Self {
        Self { busy: Busy::Idle, good: true }
    }

    /// Whether it can be reached.
    pub(crate) fn is_up(&self) -> bool {
        !matches!(self.busy, Busy::Restarting { .. })
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        match self.busy {
            Busy::Idle => None,
            Busy::Staging { until } | Busy::Restarting { until, .. } => Some(until),
        }
    }

    /// The event that is due on the machine, if any.
    pub(crate) fn pass_time(&mut self, now: Time, fleet: &Fleet) -> Option<Event> {
        match self.busy {
            Busy::Staging { until } if until <= now => {
                self.busy = Busy::Idle;
                Some(Event::ManagerStaged)
            }
            Busy::Restarting { into, until } if until <= now => {
                self.busy = Busy::Idle;
                Some(self.started(fleet, into))
            }
            Busy::Idle | Busy::Staging { .. } | Busy::Restarting { .. } => None,
        }
    }

    fn started(&self, fleet: &Fleet, into: Assignment) -> Event {
        if self.good {
            return Event::ManagerStarted { release: into.release, fell_back: None, wall: None };
        }
        let why = format!("{} did not confirm itself in 300 s", into.release);
        Event::ManagerStarted {
            release: fleet.platform.release,
            fell_back: Some((into.manifest, why)),
            wall: None,
        }
    }

    /// Begins what the platform wants of the manager.
    pub(crate) fn act(&mut self, now: Time, fleet: &Fleet) {
        match (self.busy, fleet.manager_wants()) {
            (Busy::Idle, ManagerWants::Stage(_)) => self.busy = Busy::Staging { until: now + STAGING },
            (Busy::Idle, ManagerWants::Install(into)) => {
                self.busy = Busy::Restarting { into, until: now + RESTART };
            }
            (Busy::Idle, ManagerWants::Nothing) | (Busy::Staging { .. } | Busy::Restarting { .. }, _) => {}
        }
    }
}
