//! The Management Node's machine in a scenario: stages its own releases and restarts into them after fixed times.

use fleet::desired::Assignment;
use fleet::platform::{Event, Fleet, ManagerEffect, ManagerOutcome, ManagerReconciler};
use fleet::time::{Span, Time};

/// How long it takes to verify and unpack a release.
const STAGING: Span = Span::seconds(10);
/// How long the manager is down while it restarts into a new release and migrates its store.
const RESTART: Span = Span::seconds(40);

/// The manager's machine.
#[derive(Clone, Debug)]
pub(crate) struct ManagerMachine {
    upgrade: ManagerReconciler,
    /// When it has staged a release, or has restarted.
    busy_until: Option<Time>,
    /// Whether the next release starts.
    pub(crate) good: bool,
}

impl ManagerMachine {
    pub(crate) fn new() -> Self {
        Self { upgrade: ManagerReconciler::default(), busy_until: None, good: true }
    }

    /// Whether it can be reached.
    pub(crate) fn is_up(&self) -> bool {
        self.upgrade.selected().is_none()
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.busy_until
    }

    /// The event of what is done by now, if any.
    pub(crate) fn pass_time(&mut self, now: Time, fleet: &Fleet) -> Option<Event> {
        self.busy_until.take_if(|until| *until <= now)?;
        let Some(into) = self.upgrade.selected() else {
            self.upgrade.complete(ManagerOutcome::Done);
            return self.act(now, fleet);
        };
        self.upgrade = ManagerReconciler::default();
        Some(self.started(fleet, into))
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

    /// Performs what follows now, up to the next event.
    pub(crate) fn act(&mut self, now: Time, fleet: &Fleet) -> Option<Event> {
        while let Some(effect) = self.upgrade.next(fleet) {
            match effect {
                ManagerEffect::BeginStaging(_) => self.busy_until = Some(now + STAGING),
                ManagerEffect::BeginCheck(_) => self.upgrade.complete(ManagerOutcome::Done),
                ManagerEffect::SelectSlot(_) => {
                    self.upgrade.complete(ManagerOutcome::Done);
                    self.busy_until = Some(now + RESTART);
                }
                ManagerEffect::CloseApi | ManagerEffect::OpenApi => {}
                ManagerEffect::Commit(event) => {
                    if let Some(event) = event.if_wanted(fleet) {
                        return Some(event);
                    }
                }
            }
        }
        None
    }
}
