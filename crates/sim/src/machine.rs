//! The machine of a Conferencing Node in a scenario: its turn as it ships, its slots, its calls. It performs the effects
//! at once or after a fixed time.

use std::net::IpAddr;

use fleet::agent::{
    AgentEvent, Durability, Effect, FallBack, Outcome, PersistentState, Reconciler, ReleaseCheck, Selection,
    StagingOutcome, Start,
};
use fleet::desired::{Assignment, Desired};
use fleet::observed::{Admission, Calls, Observed};
use fleet::starts::{Process, StartId, Starts};
use fleet::time::{Span, Time};
use fleet::version::{Release, Sha256};

/// The difference between the process numbers of two starts of one machine.
const STARTS: u64 = 1_000;

/// How long it takes to fetch, verify and unpack a release.
const STAGING: Span = Span::seconds(30);
/// How long a restart takes until the release has confirmed itself.
const RESTART: Span = Span::seconds(20);
/// How long boot tries a release that does not start before it falls back.
const FALL_BACK: Span = Span::minutes(15);

/// The outcome of a release on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReleaseOutcome {
    /// It starts and confirms itself.
    Good,
    /// It never confirms itself, and boot falls back.
    FallsBack,
    /// It cannot be unpacked: the disk is full.
    DiskFull,
}

/// What the machine is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    Idle,
    Staging { software: Assignment, until: Time },
    Restarting { into: Assignment, until: Time },
}

/// A call on the machine, and when it hangs up by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    began: Time,
    ends: Option<Time>,
}

/// A node's machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    node: Reconciler,
    release: Release,
    staged: Option<Sha256>,
    busy: Busy,
    admission: Admission,
    calls: Vec<Call>,
    calls_known: bool,
    /// Whether it is powered on.
    pub(crate) powered: bool,
    /// Whether it can reach the manager.
    pub(crate) linked: bool,
    /// The outcome of the next release on it.
    pub(crate) outcome: ReleaseOutcome,
    /// Calls that it refused.
    pub(crate) refused: u32,
    /// Why its next start would fail.
    start_fault: Option<String>,
    /// The number of its process and the peer that the last answer named; only where machines are copied.
    process: Option<Process>,
}

impl Machine {
    pub(crate) fn new(release: Release, now: Time) -> Self {
        let start = Start { release, confirmed: true, staged: None, fell_back: None };
        let mut machine = Self {
            node: Reconciler::new(PersistentState::default(), start),
            release,
            staged: None,
            busy: Busy::Idle,
            admission: Admission::Refusing,
            calls: Vec::new(),
            calls_known: true,
            powered: true,
            linked: true,
            outcome: ReleaseOutcome::Good,
            refused: 0,
            start_fault: None,
            process: None,
        };
        machine.act(now);
        machine
    }

    /// Whether its reports reach the manager now.
    pub(crate) fn is_heard(&self) -> bool {
        self.powered && self.linked && !matches!(self.busy, Busy::Restarting { .. })
    }

    pub(crate) fn observed(&self, now: Time) -> Observed {
        Observed { process: self.process, ..self.node.agent().observed(now) }
    }

    /// A copy of the machine with the same disk and without its calls.
    pub(crate) fn copy(&self, now: Time) -> Self {
        let mut copy = Self { calls: Vec::new(), ..self.clone() };
        copy.act(now);
        copy
    }

    /// Gives its process a number and an address.
    pub(crate) fn number(&mut self, start: StartId, address: IpAddr) {
        self.process = Some(Process { start, beside: None, address: Some(address) });
    }

    /// Notes the peer process that an answer names.
    pub(crate) fn note_beside(&mut self, starts: &Starts) {
        if let Some(process) = &mut self.process {
            process.beside = starts.beside(process.start);
        }
    }

    /// Sets or clears the reason why its next start would fail. Its program finds it at once.
    pub(crate) fn set_start_fault(&mut self, now: Time, fault: Option<String>) {
        self.start_fault.clone_from(&fault);
        self.node.apply(now, AgentEvent::StartChecked { fault });
    }

    /// Accepts a desired state; a refused one changes nothing.
    pub(crate) fn accept(&mut self, now: Time, desired: Desired) {
        if let (Some(software), Some(why)) =
            (self.node.agent().would_leave_service_for(&desired), self.start_fault.clone())
        {
            self.node.apply(now, AgentEvent::Rejected { software, why });
        }
        if self.node.accept(now, desired).is_ok() {
            self.act(now);
        }
    }

    /// A call arrives.
    pub(crate) fn dial(&mut self, now: Time, ends: Option<Time>) -> Admission {
        let admitting = self.is_up() && self.admission == Admission::Admitting;
        if !admitting {
            self.refused += 1;
            return Admission::Refusing;
        }
        self.calls.push(Call { began: now, ends });
        self.act(now);
        Admission::Admitting
    }

    /// Ends the first calls.
    pub(crate) fn hang_up(&mut self, now: Time, count: usize) {
        self.calls.drain(..count.min(self.calls.len()));
        self.act(now);
    }

    /// Sets whether the call engine knows how many calls there are.
    pub(crate) fn know_calls(&mut self, now: Time, known: bool) {
        self.calls_known = known;
        self.act(now);
    }

    /// When something is due on the machine.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let busy = match self.busy {
            Busy::Idle => None,
            Busy::Staging { until, .. } | Busy::Restarting { until, .. } => Some(until),
        };
        let calls = self.calls.iter().filter_map(|call| call.ends).min();
        [busy, calls, self.node.agent().next_deadline()].into_iter().flatten().min()
    }

    /// Does what has become due.
    pub(crate) fn pass_time(&mut self, now: Time) {
        self.calls.retain(|call| call.ends.is_none_or(|ends| ends > now));
        match self.busy {
            Busy::Staging { software, until } if until <= now => self.staging_ends(now, software),
            Busy::Restarting { into, until } if until <= now => self.comes_up(now, into),
            Busy::Idle | Busy::Staging { .. } | Busy::Restarting { .. } => {}
        }
        self.act(now);
    }

    fn is_up(&self) -> bool {
        self.powered && !matches!(self.busy, Busy::Restarting { .. })
    }

    fn count(&self, now: Time) -> Outcome {
        let oldest = self.calls.iter().map(|call| now.since(call.began)).max();
        let count = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        let calls = if self.calls_known { Calls::Known { count, oldest } } else { Calls::Unknown };
        Outcome::Counted { admission: self.admission, calls }
    }

    /// One turn of the node.
    fn act(&mut self, now: Time) {
        while let Some(effect) = self.node.next(now) {
            let outcome = match effect {
                Effect::Persist(_) => Outcome::Persisted(Durability::Durable),
                Effect::CheckFitness => Outcome::Fitness { unfit: None },
                Effect::CountCalls => self.count(now),
                Effect::CheckRelease(_) => Outcome::Checked(ReleaseCheck::Passed),
                Effect::Select(into) => {
                    self.restart(now, into);
                    Outcome::Selected(Selection::Selected)
                }
                Effect::SetAdmission(refuse) => {
                    self.admission =
                        if refuse.is_some() { Admission::Refusing } else { Admission::Admitting };
                    continue;
                }
                Effect::BeginStaging(software) => {
                    self.staged = None;
                    self.busy = Busy::Staging { software, until: now + STAGING };
                    self.node.apply(now, AgentEvent::Fetching { manifest: software.manifest, percent: 0 });
                    continue;
                }
                Effect::CancelStaging(software) => {
                    self.busy = Busy::Idle;
                    self.node.staging_ended(now, software, StagingOutcome::Cancelled);
                    continue;
                }
                // The scenario asks for the report after each turn.
                Effect::Report(_) => continue,
            };
            self.node.complete(now, outcome);
        }
    }

    fn staging_ends(&mut self, now: Time, software: Assignment) {
        self.busy = Busy::Idle;
        let outcome = if self.outcome == ReleaseOutcome::DiskFull {
            let why = "the disk is full: 310 MiB are needed, 12 MiB are free".into();
            StagingOutcome::Rejected(why)
        } else if let Some(why) = self.start_fault.clone() {
            StagingOutcome::Rejected(why)
        } else {
            self.staged = Some(software.manifest);
            StagingOutcome::Staged
        };
        self.node.staging_ended(now, software, outcome);
    }

    /// # Panics
    /// When a call lives, which must never happen (R4).
    fn restart(&mut self, now: Time, into: Assignment) {
        assert!(self.calls.is_empty(), "a node restarted with {} calls", self.calls.len());
        let took = if self.outcome == ReleaseOutcome::FallsBack { FALL_BACK } else { RESTART };
        self.busy = Busy::Restarting { into, until: now + took };
    }

    fn comes_up(&mut self, now: Time, into: Assignment) {
        self.busy = Busy::Idle;
        let why = || format!("{} did not confirm itself in 300 s, three times", into.release);
        let fell_back = (self.outcome == ReleaseOutcome::FallsBack).then(|| FallBack {
            manifest: into.manifest,
            at: now.0,
            why: why(),
        });
        if fell_back.is_none() {
            self.release = into.release;
            self.staged = None;
        }
        if let Some(process) = &mut self.process {
            (process.start, process.beside) = (StartId(process.start.0 + STARTS), None);
        }
        let confirmed = fell_back.is_some();
        let start = Start { release: self.release, confirmed, staged: self.staged, fell_back };
        self.node = Reconciler::new(self.node.agent().persistent_state().clone(), start);
        self.admission = Admission::Refusing;
        self.node.apply(now, AgentEvent::Confirmed);
    }
}
