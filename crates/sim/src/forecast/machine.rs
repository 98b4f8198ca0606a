//! A node in the forecast: its turn as it ships, on a machine that performs the effects after the times of the plan. It
//! never fails.

use fleet::agent::{
    AgentEvent, Durability, Effect, Outcome, PersistentState, Reconciler, ReleaseCheck, Selection,
    StagingOutcome, Start,
};
use fleet::desired::{Assignment, Desired};
use fleet::observed::{Admission, Calls, Observed};
use fleet::time::Time;
use fleet::version::Release;

use super::chance::Chance;
use super::crowd::Crowd;
use super::plan::Machines;

/// What the machine is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    Idle,
    Staging { software: Assignment, until: Time },
    Restarting { into: Assignment, until: Time },
}

/// Whether the node takes calls, and since which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    In { since: u64 },
    Out,
}

/// A node's machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    node: Reconciler,
    busy: Busy,
    service: Service,
    /// The ends of the calls that are known singly: all of them while it refuses calls.
    calls: Vec<Time>,
    /// The index of its location in the plan.
    pub(super) location: usize,
}

impl Machine {
    /// A node that takes calls and has these beside its share of the others.
    pub(super) fn new(release: Release, location: usize, calls: Vec<Time>) -> Self {
        let start = Start { release, confirmed: true, staged: None, fell_back: None };
        let node = Reconciler::new(PersistentState::default(), start);
        Self { node, busy: Busy::Idle, service: Service::In { since: 0 }, calls, location }
    }

    /// Whether its reports reach the manager now.
    pub(super) fn is_heard(&self) -> bool {
        !matches!(self.busy, Busy::Restarting { .. })
    }

    pub(super) fn observed(&self, now: Time) -> Observed {
        self.node.agent().observed(now)
    }

    /// Accepts a desired state; a refused one changes nothing.
    pub(super) fn accept(&mut self, now: Time, desired: Desired) {
        let _ = self.node.accept(now, desired);
    }

    /// When something is due on the machine.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let busy = match self.busy {
            Busy::Idle => None,
            Busy::Staging { until, .. } | Busy::Restarting { until, .. } => Some(until),
        };
        let cleared = match self.service {
            Service::In { .. } => None,
            Service::Out => self.calls.iter().max().copied(),
        };
        [busy, cleared, self.node.agent().next_deadline()].into_iter().flatten().min()
    }

    /// Does what has become due.
    pub(super) fn pass_time(&mut self, now: Time) {
        if self.service == Service::Out && !self.calls.is_empty() {
            self.calls.retain(|end| *end > now);
        }
        match self.busy {
            Busy::Staging { software, until } if until <= now => {
                self.busy = Busy::Idle;
                self.node.staging_ended(now, software, StagingOutcome::Staged);
            }
            Busy::Restarting { into, until } if until <= now => self.comes_up(now, into),
            Busy::Idle | Busy::Staging { .. } | Busy::Restarting { .. } => {}
        }
    }

    /// One turn of the node.
    pub(super) fn act(&mut self, now: Time, times: Machines, crowd: &mut Crowd<'_>, chance: &mut Chance) {
        while let Some(effect) = self.node.next(now) {
            let outcome = match effect {
                Effect::Persist(_) => Outcome::Persisted(Durability::Durable),
                Effect::CheckFitness => Outcome::Fitness { unfit: None },
                Effect::CountCalls => self.count(),
                Effect::CheckRelease(_) => Outcome::Checked(ReleaseCheck::Passed),
                Effect::Select(into) => {
                    self.busy = Busy::Restarting { into, until: now + times.away };
                    Outcome::Selected(Selection::Selected)
                }
                Effect::SetAdmission(refuse) => {
                    match (self.service, refuse.is_some()) {
                        (Service::In { since }, true) => self.close(now, since, crowd, chance),
                        (Service::Out, false) => self.open(crowd),
                        (Service::In { .. }, false) | (Service::Out, true) => {}
                    }
                    continue;
                }
                Effect::BeginStaging(software) => {
                    self.busy = Busy::Staging { software, until: now + times.staging };
                    self.node.apply(now, AgentEvent::Fetching { manifest: software.manifest, percent: 0 });
                    continue;
                }
                Effect::CancelStaging(software) => {
                    self.busy = Busy::Idle;
                    self.node.staging_ended(now, software, StagingOutcome::Cancelled);
                    continue;
                }
                // The forecast asks for the report after each turn.
                Effect::Report(_) => continue,
            };
            self.node.complete(now, outcome);
        }
    }

    fn close(&mut self, now: Time, since: u64, crowd: &mut Crowd<'_>, chance: &mut Chance) {
        self.calls = crowd.close(since, &self.calls, now, chance);
        self.service = Service::Out;
    }

    fn open(&mut self, crowd: &mut Crowd<'_>) {
        self.service = Service::In { since: crowd.open(&self.calls) };
    }

    /// The calls of a node in service are not counted singly. Unknown counts as busy.
    fn count(&self) -> Outcome {
        let count = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        match self.service {
            Service::In { .. } => Outcome::Counted { admission: Admission::Admitting, calls: Calls::Unknown },
            Service::Out => {
                let calls = Calls::Known { count, oldest: None };
                Outcome::Counted { admission: Admission::Refusing, calls }
            }
        }
    }

    fn comes_up(&mut self, now: Time, into: Assignment) {
        self.busy = Busy::Idle;
        let start = Start { release: into.release, confirmed: false, staged: None, fell_back: None };
        self.node = Reconciler::new(self.node.agent().persistent_state().clone(), start);
        self.node.apply(now, AgentEvent::Confirmed);
    }
}
