//! The node's side of a sequence of events: its agent, and a shell that does what it wants.

use fleet::agent::{Agent, AgentEvent, Memory, Start};
use fleet::desired::Desired;
use fleet::observed::{Admission, Calls, Observed};
use fleet::time::{Span, Time};
use fleet::version::Sha256;
use wire::SyncAnswer;

use super::platform::OLD;

/// A node's agent and its clock.
pub(super) struct Node {
    agent: Agent,
    staged: Option<Sha256>,
    now: Time,
}

impl Node {
    pub(super) fn new() -> Self {
        let start = Start { release: OLD, confirmed: true, staged: None, fell_back: None };
        let mut node = Self { agent: Agent::new(Memory::default(), start), staged: None, now: Time(1_000) };
        node.apply(AgentEvent::Calls(Calls::NONE));
        node.settle();
        node
    }

    fn apply(&mut self, event: AgentEvent) {
        self.now = self.now + Span(1_000);
        let facts = self.agent.apply(self.now, event);
        facts.iter().for_each(|fact| assert!(!fact.to_string().is_empty()));
    }

    /// Handles an answer as the link does. The node's clock continues from the time that the manager has heard.
    pub(super) fn receive_answer(&mut self, answer: SyncAnswer) {
        self.now = self.now.max(answer.heard_at.unwrap_or_default());
        self.accept(Some(answer.desired));
    }

    pub(super) fn accept(&mut self, desired: Option<Desired>) {
        if let Some(desired) = desired
            && let Err(refusal) = self.agent.accept(self.now, desired)
        {
            assert!(!refusal.to_string().is_empty());
            self.agent.refused(refusal);
        }
        self.settle();
    }

    /// The report of the node now.
    pub(super) fn observed(&mut self) -> Observed {
        self.now = self.now + Span(1_000);
        self.agent.observed(self.now)
    }

    /// Applies an event that is not a message.
    pub(super) fn apply_event(&mut self, what: u8, rest: &[u8]) {
        let wants = self.agent.wanted();
        match what {
            b'c' => {
                let count = u32::from(rest.first().is_some_and(|digit| *digit != b'0'));
                self.apply(AgentEvent::Calls(Calls::Known { count, oldest: (count > 0).then_some(Span(1)) }));
            }
            b'u' => self.apply(AgentEvent::Calls(Calls::Unknown)),
            b'U' => self.apply(AgentEvent::Fitness { unfit: (!rest.is_empty()).then(|| "no media".into()) }),
            b'g' => {
                if let Some(software) = wants.stage {
                    self.staged = Some(software.manifest);
                    self.apply(AgentEvent::Staged { manifest: software.manifest });
                }
            }
            b'G' => {
                if let Some(software) = wants.stage {
                    self.apply(AgentEvent::Rejected { software, why: "it is damaged".into() });
                }
            }
            b'w' => {
                if let Some(software) = wants.leave {
                    self.apply(AgentEvent::Leaving { software });
                }
            }
            b'R' => self.restarts(),
            b'd' => {
                self.now = self.agent.next_deadline().unwrap_or(self.now).max(self.now);
                self.apply(AgentEvent::DeadlinePassed);
            }
            _ => {}
        }
        self.settle();
    }

    /// Restarts with the persistent state, into the selected slot if there is one.
    fn restarts(&mut self) {
        let release = self.agent.wanted().restart.map_or(OLD, |software| software.release);
        let memory = serde_json::to_vec(self.agent.memory()).expect("a memory is plain data");
        let memory = serde_json::from_slice(&memory).expect("a memory reads back");
        let start = Start { release, confirmed: false, staged: self.staged, fell_back: None };
        self.agent = Agent::new(memory, start);
        self.apply(AgentEvent::Calls(Calls::NONE));
        self.apply(AgentEvent::Confirmed);
    }

    /// The call engine follows at once.
    fn settle(&mut self) {
        let refuse = self.agent.wanted().refuse_calls.is_some();
        let admission = if refuse { Admission::Refusing } else { Admission::Admitting };
        self.apply(AgentEvent::Admission(admission));
    }

    /// A node that has or admits calls does not restart, whatever it was sent (R4).
    pub(super) fn check(&self) {
        let (wants, observed) = (self.agent.wanted(), self.agent.observed(self.now));
        if wants.leave.is_some() {
            assert!(observed.calls.cleared() && observed.admission == Admission::Refusing, "{observed:?}");
            assert!(!self.agent.owners().is_empty(), "it leaves though nobody holds it in maintenance mode");
        }
        let _ = self.agent.next_deadline();
    }
}
