//! The node's side of a sequence of events: the agent of a node with its turn as it ships, and a machine that performs
//! the effects at once.

use fleet::agent::{
    AgentEvent, Durability, Effect, Outcome, PersistentState, Reconciler, ReleaseCheck, StagingOutcome, Start,
};
use fleet::desired::{Assignment, Desired};
use fleet::observed::{Admission, Calls, Observed};
use fleet::time::{Span, Time};
use fleet::version::Sha256;
use node::persistent_state::StoredState;
use wire::SyncAnswer;

use super::platform::OLD;

/// A node with its clock and its machine.
pub(super) struct Node {
    node: Reconciler,
    durable: PersistentState,
    calls: Calls,
    unfit: Option<String>,
    admission: Admission,
    /// The staged software that it may leave for, as soon as the input lets its check pass.
    leaves: bool,
    staged: Option<Sha256>,
    now: Time,
}

impl Node {
    pub(super) fn new() -> Self {
        let start = Start { release: OLD, confirmed: true, staged: None, fell_back: None };
        let mut node = Self {
            node: Reconciler::new(PersistentState::default(), start),
            durable: PersistentState::default(),
            calls: Calls::NONE,
            unfit: None,
            admission: Admission::Refusing,
            leaves: false,
            staged: None,
            now: Time(1_000),
        };
        node.settle();
        node
    }

    /// Handles an answer as the link does. The node's clock continues from the time that the manager has heard.
    pub(super) fn receive_answer(&mut self, answer: SyncAnswer) {
        self.now = self.now.max(answer.heard_at.unwrap_or_default());
        self.accept(Some(answer.desired.into()));
    }

    pub(super) fn accept(&mut self, desired: Option<Desired>) {
        if let Some(desired) = desired
            && let Err(refusal) = self.node.accept(self.now, desired)
        {
            assert!(!refusal.to_string().is_empty());
        }
        self.settle();
    }

    /// The report of the node now.
    pub(super) fn observed(&mut self) -> Observed {
        self.now = self.now + Span(1_000);
        self.node.agent().observed(self.now)
    }

    /// Applies an event that is not a message.
    pub(super) fn apply_event(&mut self, what: u8, rest: &[u8]) {
        self.now = self.now + Span(1_000);
        match what {
            b'c' => {
                let count = u32::from(rest.first().is_some_and(|digit| *digit != b'0'));
                self.calls = Calls::Known { count, oldest: (count > 0).then_some(Span(1)) };
            }
            b'u' => self.calls = Calls::Unknown,
            b'U' => self.unfit = (!rest.is_empty()).then(|| "no media".into()),
            b'g' => self.staging_ends(StagingOutcome::Staged),
            b'G' => self.staging_ends(StagingOutcome::Rejected("it is damaged".into())),
            b'w' => self.leaves = true,
            b'R' => self.restarts(),
            b'd' => {
                self.now = self.node.agent().next_deadline().unwrap_or(self.now).max(self.now);
            }
            _ => {}
        }
        self.settle();
    }

    fn staging_ends(&mut self, outcome: StagingOutcome) {
        let Some(software) = self.node.staging() else { return };
        if outcome == StagingOutcome::Staged {
            self.staged = Some(software.manifest);
        }
        self.node.staging_ended(self.now, software, outcome);
    }

    /// Starts again with its persistent state, in the slot that it selected if it did.
    fn restarts(&mut self) {
        let release = self.selects().map_or(OLD, |software| software.release);
        let stored = serde_json::to_vec(&StoredState::from(self.durable.clone())).expect("plain data");
        let stored: StoredState = serde_json::from_slice(&stored).expect("a persistent state reads back");
        self.durable = stored.into();
        let start = Start { release, confirmed: false, staged: self.staged, fell_back: None };
        self.node = Reconciler::new(self.durable.clone(), start);
        (self.calls, self.admission) = (Calls::NONE, Admission::Refusing);
        self.settle();
        self.node.apply(self.now, AgentEvent::Confirmed);
    }

    fn selects(&self) -> Option<Assignment> {
        self.node.agent().wanted().restart
    }

    /// Lets the node have its turn, up to the selection of a slot: the input says when the machine restarts.
    fn settle(&mut self) {
        while let Some(effect) = self.node.next(self.now) {
            let outcome = match effect {
                Effect::Persist(state) => {
                    self.durable = state;
                    Outcome::Persisted(Durability::Durable)
                }
                Effect::CheckFitness => Outcome::Fitness { unfit: self.unfit.clone() },
                Effect::SetAdmission(refuse) => {
                    self.admission =
                        if refuse.is_some() { Admission::Refusing } else { Admission::Admitting };
                    continue;
                }
                Effect::CountCalls => Outcome::Counted { admission: self.admission, calls: self.calls },
                Effect::CheckRelease(_) if std::mem::take(&mut self.leaves) => {
                    Outcome::Checked(ReleaseCheck::Passed)
                }
                Effect::CheckRelease(_) => Outcome::Checked(ReleaseCheck::Pending),
                Effect::CancelStaging(software) => {
                    self.node.staging_ended(self.now, software, StagingOutcome::Cancelled);
                    continue;
                }
                Effect::BeginStaging(_) | Effect::Report(_) => continue,
                Effect::Select(_) => return,
            };
            let facts = self.node.complete(self.now, outcome);
            facts.iter().for_each(|fact| assert!(!fact.to_string().is_empty()));
        }
        self.leaves = false;
    }

    /// A node that has or admits calls does not restart, whatever it was sent (R4).
    pub(super) fn check(&self) {
        let agent = self.node.agent();
        let (wants, observed) = (agent.wanted(), agent.observed(self.now));
        if wants.leave.is_some() {
            assert!(observed.calls.cleared() && observed.admission == Admission::Refusing, "{observed:?}");
            assert!(!agent.owners().is_empty(), "it leaves though nobody holds it in maintenance mode");
        }
        let _ = agent.next_deadline();
    }
}
