//! A node in the forecast: its agent, as it ships, on a machine that does what the agent wants after the times of the
//! plan. It never fails.

use fleet::agent::{Agent, AgentEvent, Memory, Start};
use fleet::desired::{Assignment, Desired};
use fleet::observed::{Admission, Calls, Observed};
use fleet::time::Time;
use fleet::version::{Release, Sha256};

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
    agent: Agent,
    release: Release,
    staged: Option<Sha256>,
    busy: Busy,
    service: Service,
    /// The ends of the calls that are known singly: all of them while it refuses calls.
    calls: Vec<Time>,
    /// The index of its location in the plan.
    pub(super) location: usize,
}

impl Machine {
    /// A node that takes calls and has these beside its share of the others.
    pub(super) fn new(release: Release, location: usize, calls: Vec<Time>, now: Time) -> Self {
        let start = Start { release, confirmed: true, staged: None, fell_back: None };
        let mut agent = Agent::new(Memory::default(), start);
        agent.apply(now, AgentEvent::Admission(Admission::Admitting));
        let service = Service::In { since: 0 };
        Self { agent, release, staged: None, busy: Busy::Idle, service, calls, location }
    }

    /// Whether its reports reach the manager now.
    pub(super) fn is_heard(&self) -> bool {
        !matches!(self.busy, Busy::Restarting { .. })
    }

    pub(super) fn observed(&self, now: Time) -> Observed {
        self.agent.observed(now)
    }

    /// Accepts a desired state; a refused one changes nothing.
    pub(super) fn accept(&mut self, now: Time, desired: Desired) {
        let _ = self.agent.accept(now, desired);
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
        [busy, cleared, self.agent.next_deadline()].into_iter().flatten().min()
    }

    /// Does what has become due.
    pub(super) fn pass_time(&mut self, now: Time) {
        if self.service == Service::Out && !self.calls.is_empty() {
            self.calls.retain(|end| *end > now);
            self.count(now);
        }
        match self.busy {
            Busy::Staging { software, until } if until <= now => {
                self.busy = Busy::Idle;
                self.staged = Some(software.manifest);
                self.agent.apply(now, AgentEvent::Staged { manifest: software.manifest });
            }
            Busy::Restarting { into, until } if until <= now => self.comes_up(now, into),
            Busy::Idle | Busy::Staging { .. } | Busy::Restarting { .. } => {}
        }
        self.agent.apply(now, AgentEvent::DeadlinePassed);
    }

    /// Does what the agent wants.
    pub(super) fn act(&mut self, now: Time, times: Machines, crowd: &mut Crowd<'_>, chance: &mut Chance) {
        let wants = self.agent.wanted();
        match (self.service, wants.refuse_calls.is_some() || !self.is_heard()) {
            (Service::In { since }, true) => self.close(now, since, crowd, chance),
            (Service::Out, false) => self.open(now, crowd),
            (Service::In { .. }, false) | (Service::Out, true) => {}
        }
        if let (Some(software), Busy::Idle) = (wants.stage, self.busy) {
            self.agent.apply(now, AgentEvent::Fetching { manifest: software.manifest, percent: 0 });
            self.busy = Busy::Staging { software, until: now + times.staging };
        }
        if let (Some(software), Busy::Idle) = (self.agent.wanted().leave, self.busy) {
            self.agent.apply(now, AgentEvent::Leaving { software });
            if let Some(into) = self.agent.wanted().restart {
                self.busy = Busy::Restarting { into, until: now + times.away };
            }
        }
    }

    fn close(&mut self, now: Time, since: u64, crowd: &mut Crowd<'_>, chance: &mut Chance) {
        self.calls = crowd.close(since, &self.calls, now, chance);
        self.service = Service::Out;
        self.count(now);
        self.agent.apply(now, AgentEvent::Admission(Admission::Refusing));
    }

    fn open(&mut self, now: Time, crowd: &mut Crowd<'_>) {
        self.service = Service::In { since: crowd.open(&self.calls) };
        // The calls of a node in service are not counted singly. Unknown counts as busy.
        self.agent.apply(now, AgentEvent::Calls(Calls::Unknown));
        self.agent.apply(now, AgentEvent::Admission(Admission::Admitting));
    }

    fn count(&mut self, now: Time) {
        let count = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.agent.apply(now, AgentEvent::Calls(Calls::Known { count, oldest: None }));
    }

    fn comes_up(&mut self, now: Time, into: Assignment) {
        self.busy = Busy::Idle;
        self.release = into.release;
        self.staged = None;
        let start = Start { release: self.release, confirmed: false, staged: None, fell_back: None };
        self.agent = Agent::new(self.agent.memory().clone(), start);
        self.count(now);
        self.agent.apply(now, AgentEvent::Confirmed);
    }
}
