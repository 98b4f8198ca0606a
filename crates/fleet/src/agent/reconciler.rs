//! One turn of a node: which effects follow from what the agent wants and what is in flight, in which order.
//! It relies on its shell to perform each effect and to report the outcome. It has no clock and performs no I/O;
//! the node's program, the simulations and the fuzzing drive this one order.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Agent, AgentEvent, AgentFact, PersistentState, Refusal, Refuse, Start};
use crate::desired::{Assignment, Desired};
use crate::observed::{Admission, Calls, Observed};
use crate::time::Time;

/// What the shell does next. Those with an outcome are repeated until [`Reconciler::complete`] reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make this durable. What depends on it happens only afterwards. Outcome: [`Outcome::Persisted`].
    Persist(PersistentState),
    /// Find out whether the node is fit to take calls. Outcome: [`Outcome::Fitness`].
    CheckFitness,
    /// Take new calls, or refuse them for this reason. It may be so already. No outcome: the count that follows
    /// says what the call engine does.
    SetAdmission(Option<Refuse>),
    /// Ask the call engine what it does and holds. Outcome: [`Outcome::Counted`].
    CountCalls,
    /// Begin to fetch, verify and unpack this software. It ends by [`Reconciler::staging_ended`].
    BeginStaging(Assignment),
    /// End the staging of this software as soon as it can be ended. It ends by [`Reconciler::staging_ended`].
    CancelStaging(Assignment),
    /// Let this staged software check whether it would start. Outcome: [`Outcome::Checked`].
    CheckRelease(Assignment),
    /// Select the slot of this software and restart. Outcome: [`Outcome::Selected`], unless the process has ended.
    Select(Assignment),
    /// Report this to the Management Node at once. No outcome: what is lost on its way is reported again later.
    Report(Observed),
}

/// The outcome of an effect. One that belongs to no effect that is awaited changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of [`Effect::Persist`].
    Persisted(Durability),
    /// Of [`Effect::CheckFitness`].
    Fitness {
        /// Why the node is not fit to take calls.
        unfit: Option<String>,
    },
    /// Of [`Effect::CountCalls`].
    Counted {
        /// Whether the call engine takes new calls.
        admission: Admission,
        /// The calls that it holds.
        calls: Calls,
    },
    /// Of [`Effect::CheckRelease`].
    Checked(ReleaseCheck),
    /// Of [`Effect::Select`].
    Selected(Selection),
}

/// Whether a write is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It survives a power cut.
    Durable,
    /// It failed, or it is not known to have succeeded: what depends on it has not happened.
    NotDurable,
}

/// The outcome of a check of staged software.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseCheck {
    /// It would start; the check was made just now.
    Passed,
    /// The outcome is not known yet. The next turn asks again.
    Pending,
    /// It would not start, so it is not taken in this run.
    Failed(String),
}

/// The outcome of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The slot is selected: the process ends.
    Selected,
    /// The slot could not be selected, for this reason.
    Refused(String),
}

/// How a staging ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StagingOutcome {
    /// The release lies complete and verified in the inactive slot.
    Staged,
    /// It cannot be staged, for good.
    Rejected(String),
    /// It was cancelled.
    Cancelled,
}

/// The next step of the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// What the start has settled is made durable, and a deadline that has come is applied.
    Begin,
    Fitness,
    /// Admission is set before the calls are counted, so that a call that was just admitted is counted.
    Admission,
    Calls,
    Staging,
    /// The node leaves, if nothing speaks against it, or selects the slot if it has decided to leave.
    Leave,
    Report,
    /// The turn is over; the next call reports that to the shell.
    Over,
    /// Between two turns: the next one begins when the shell asks.
    Rest,
    /// The slot is selected: nothing more is done.
    Restarting,
}

/// A change of the agent that counts once its persistent state is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    next: Agent,
    facts: Vec<AgentFact>,
    /// Where the turn continues if it cannot be made durable; if none, where it is.
    otherwise: Option<Position>,
}

/// A staging in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InFlight {
    software: Assignment,
    cancelled: bool,
}

/// A node's agent with everything that is in flight for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciler {
    agent: Agent,
    /// Whether the agent's persistent state is durable: not so when the start has changed it.
    durability: Durability,
    change: Option<Box<Change>>,
    staging: Option<InFlight>,
    reported: Option<Observed>,
    position: Position,
}

impl Reconciler {
    /// A node that starts with this persistent state, which is durable.
    pub fn new(durable: PersistentState, start: Start) -> Self {
        let agent = Agent::new(durable.clone(), start);
        let same = *agent.persistent_state() == durable;
        let durability = if same { Durability::Durable } else { Durability::NotDurable };
        Self { agent, durability, change: None, staging: None, reported: None, position: Position::Begin }
    }

    /// The agent as it acts and reports: without the change that is still to be made durable.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The last report of this process.
    pub fn reported(&self) -> Option<&Observed> {
        self.reported.as_ref()
    }

    /// The staging in flight, also while it is being cancelled.
    pub fn staging(&self) -> Option<Assignment> {
        self.staging.map(|in_flight| in_flight.software)
    }

    /// Whether the slot of another release is selected, so that the process ends.
    pub fn is_restarting(&self) -> bool {
        self.position == Position::Restarting
    }

    /// What must be durable before the change that was applied last counts.
    pub fn to_persist(&self) -> Option<&PersistentState> {
        self.change.as_ref().map(|change| change.next.persistent_state())
    }

    /// The shell has written [`Agent::persistent_state`] although nothing has changed.
    pub fn rewritten(&mut self) {
        self.durability = Durability::Durable;
    }

    /// Applies what has happened. What changes the persistent state counts once [`Effect::Persist`], which is next
    /// then, has succeeded. Returns the facts of what counts now.
    pub fn apply(&mut self, now: Time, event: AgentEvent) -> Vec<AgentFact> {
        self.apply_or(now, event, None)
    }

    /// Accepts a desired state. It counts as an event does.
    ///
    /// # Errors
    /// Why it is not accepted; then nothing of what the node does has changed.
    pub fn accept(&mut self, now: Time, desired: Desired) -> Result<Vec<AgentFact>, Refusal> {
        let mut next = self.latest().clone();
        match next.accept(now, desired) {
            Ok(facts) => Ok(self.change_to(next, facts, None)),
            Err(refusal) => {
                self.agent.refused(refusal);
                if let Some(change) = &mut self.change {
                    change.next.refused(refusal);
                }
                Err(refusal)
            }
        }
    }

    /// The staging of this software has ended. Another one may begin in the next turn.
    pub fn staging_ended(
        &mut self,
        now: Time,
        software: Assignment,
        outcome: StagingOutcome,
    ) -> Vec<AgentFact> {
        self.staging = self.staging.filter(|in_flight| in_flight.software != software);
        match outcome {
            StagingOutcome::Staged => self.apply(now, AgentEvent::Staged { manifest: software.manifest }),
            StagingOutcome::Rejected(why) => self.apply(now, AgentEvent::Rejected { software, why }),
            StagingOutcome::Cancelled => Vec::new(),
        }
    }

    /// The next effect of this turn, or none when the turn is over; asked again, it begins the next turn.
    pub fn next(&mut self, now: Time) -> Option<Effect> {
        if self.position == Position::Rest {
            self.position = Position::Begin;
        }
        loop {
            if let Some(state) = self.to_persist() {
                return Some(Effect::Persist(state.clone()));
            }
            let effect = match self.position {
                Position::Begin => self.begin(now),
                Position::Fitness => Some(Effect::CheckFitness),
                Position::Admission => self.set_admission(),
                Position::Calls => Some(Effect::CountCalls),
                Position::Staging => self.stage(),
                Position::Leave => self.leave(),
                Position::Report => self.report(now),
                Position::Over | Position::Rest => {
                    self.position = Position::Rest;
                    return None;
                }
                Position::Restarting => return None,
            };
            if effect.is_some() {
                return effect;
            }
        }
    }

    /// Reports the outcome of the effect that [`Reconciler::next`] returned. Returns the facts of what counts now.
    pub fn complete(&mut self, now: Time, outcome: Outcome) -> Vec<AgentFact> {
        match (outcome, self.position) {
            (Outcome::Persisted(durability), _) => self.persisted(durability),
            (Outcome::Fitness { unfit }, Position::Fitness) => self.fitness(now, unfit),
            (Outcome::Counted { admission, calls }, Position::Calls) => self.counted(now, admission, calls),
            (Outcome::Checked(check), Position::Leave) => self.checked(now, check),
            (Outcome::Selected(selection), Position::Leave) => self.selected(now, selection),
            (
                Outcome::Fitness { .. }
                | Outcome::Counted { .. }
                | Outcome::Checked(_)
                | Outcome::Selected(_),
                _,
            ) => Vec::new(),
        }
    }

    /// What the start has settled and a deadline that has come are one write.
    fn begin(&mut self, now: Time) -> Option<Effect> {
        self.position = Position::Fitness;
        if self.durability == Durability::NotDurable {
            let next = self.agent.clone();
            self.change = Some(Box::new(Change { next, facts: Vec::new(), otherwise: None }));
        }
        if self.agent.next_deadline().is_some_and(|deadline| deadline <= now) {
            // It always changes the persistent state, so there are no facts yet.
            self.apply(now, AgentEvent::DeadlinePassed);
        }
        None
    }

    fn set_admission(&mut self) -> Option<Effect> {
        self.position = Position::Calls;
        Some(Effect::SetAdmission(self.agent.refuse_calls()))
    }

    /// One staging at a time: another one begins when the one before has ended.
    fn stage(&mut self) -> Option<Effect> {
        let wanted = self.agent.to_stage();
        match (&mut self.staging, wanted) {
            (None, Some(software)) => {
                self.staging = Some(InFlight { software, cancelled: false });
                Some(Effect::BeginStaging(software))
            }
            (Some(InFlight { software, cancelled: cancelled @ false }), _) if wanted != Some(*software) => {
                *cancelled = true;
                Some(Effect::CancelStaging(*software))
            }
            (Some(_) | None, _) => {
                self.position = Position::Leave;
                None
            }
        }
    }

    fn leave(&mut self) -> Option<Effect> {
        let effect = match (self.agent.to_leave_for(), self.agent.to_restart_into()) {
            (Some(software), _) => Some(Effect::CheckRelease(software)),
            (None, Some(software)) => Some(Effect::Select(software)),
            (None, None) => None,
        };
        if effect.is_none() {
            self.position = Position::Report;
        }
        effect
    }

    /// The oldest call grows older between two turns; that alone is no news.
    fn report(&mut self, now: Time) -> Option<Effect> {
        self.position = Position::Over;
        let observed = self.agent.observed(now);
        let before = self.reported.replace(observed.clone());
        let is_news = before.is_none_or(|before| !observed.says_the_same_as(&before));
        is_news.then_some(Effect::Report(observed))
    }

    fn persisted(&mut self, durability: Durability) -> Vec<AgentFact> {
        let Some(change) = self.change.take() else { return Vec::new() };
        let Change { next, facts, otherwise } = *change;
        match durability {
            Durability::Durable => {
                self.agent = next;
                self.durability = Durability::Durable;
                facts
            }
            Durability::NotDurable => {
                self.position = otherwise.unwrap_or(self.position);
                Vec::new()
            }
        }
    }

    fn fitness(&mut self, now: Time, unfit: Option<String>) -> Vec<AgentFact> {
        self.position = Position::Admission;
        if self.agent.unfit() == unfit.as_deref() {
            return Vec::new();
        }
        self.apply(now, AgentEvent::Fitness { unfit })
    }

    fn counted(&mut self, now: Time, admission: Admission, calls: Calls) -> Vec<AgentFact> {
        self.position = Position::Staging;
        let mut facts = Vec::new();
        if self.agent.admission() != admission {
            facts.extend(self.apply(now, AgentEvent::Admission(admission)));
        }
        if self.agent.calls(now) != calls {
            facts.extend(self.apply(now, AgentEvent::Calls(calls)));
        }
        facts
    }

    /// The node decides to leave, which is durable before the slot is selected. Then admission is closed for that
    /// and the calls are counted once more.
    fn checked(&mut self, now: Time, check: ReleaseCheck) -> Vec<AgentFact> {
        let Some(software) = self.agent.to_leave_for() else { return Vec::new() };
        let event = match check {
            ReleaseCheck::Passed => AgentEvent::Leaving { software },
            ReleaseCheck::Failed(why) => AgentEvent::Rejected { software, why },
            ReleaseCheck::Pending => {
                self.position = Position::Report;
                return Vec::new();
            }
        };
        self.position = Position::Fitness;
        self.apply_or(now, event, Some(Position::Report))
    }

    fn selected(&mut self, now: Time, selection: Selection) -> Vec<AgentFact> {
        let Some(software) = self.agent.to_restart_into() else { return Vec::new() };
        match selection {
            Selection::Selected => {
                self.position = Position::Restarting;
                Vec::new()
            }
            // What is refused here is no way to leave, so the node goes on.
            Selection::Refused(why) => {
                self.position = Position::Fitness;
                self.apply_or(now, AgentEvent::Rejected { software, why }, Some(Position::Report))
            }
        }
    }

    fn apply_or(&mut self, now: Time, event: AgentEvent, otherwise: Option<Position>) -> Vec<AgentFact> {
        let mut next = self.latest().clone();
        let facts = next.apply(now, event);
        self.change_to(next, facts, otherwise)
    }

    /// The agent with the change that is still to be made durable: what happens next happens to that.
    fn latest(&self) -> &Agent {
        self.change.as_ref().map_or(&self.agent, |change| &change.next)
    }

    /// A change counts at once if it leaves the persistent state as it is.
    fn change_to(
        &mut self,
        next: Agent,
        facts: Vec<AgentFact>,
        otherwise: Option<Position>,
    ) -> Vec<AgentFact> {
        if let Some(change) = &mut self.change {
            change.next = next;
            change.facts.extend(facts);
            return Vec::new();
        }
        if next.persistent_state() == self.agent.persistent_state() {
            self.agent = next;
            return facts;
        }
        self.change = Some(Box::new(Change { next, facts, otherwise }));
        Vec::new()
    }
}
