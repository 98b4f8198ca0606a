//! The order of a node's turn: what is persisted, started, sent, and what has to come before it.

use fleet::agent::{
    AgentEvent, AgentFact, Durability, Effect, Outcome, PersistentState, Reconciler, Refuse, ReleaseCheck,
    Selection, StagingOutcome, Start,
};
use fleet::desired::{Assignment, Depth, Desired, Generation, Intent, Owners, RunId};
use fleet::observed::{Admission, Calls, ReleaseState, Staging};
use fleet::time::{Span, Time};
use fleet::version::{Build, Release, Sha256, Version};

const OLD: Release = Release { version: Version::new(34, 0), build: Build(1) };
const NEW: Release = Release { version: Version::new(34, 1), build: Build(2) };
const HOLD: Span = Span::minutes(61);

fn software(n: u8) -> Assignment {
    Assignment { run: RunId(1), release: NEW, manifest: Sha256([n; 32]) }
}

fn desired(n: u64, run: Option<Span>, software: Option<(Assignment, Depth)>) -> Desired {
    let owners = Owners { run, ..Owners::default() };
    Desired { generation: Generation { epoch: 1, n }, intent: Intent { owners, software } }
}

fn install(n: u64) -> Desired {
    desired(n, Some(HOLD), Some((software(1), Depth::Install)))
}

fn start(staged: Option<u8>) -> Start {
    Start { release: OLD, confirmed: true, staged: staged.map(|n| Sha256([n; 32])), fell_back: None }
}

/// A machine that performs the effects at once and writes down which.
struct Machine {
    node: Reconciler,
    now: Time,
    disk: PersistentState,
    writable: bool,
    engine: Admission,
    calls: u32,
    unfit: Option<String>,
    check: ReleaseCheck,
    selection: Selection,
    done: Vec<&'static str>,
    facts: Vec<AgentFact>,
}

impl Machine {
    fn new(state: PersistentState, start: Start) -> Self {
        Self {
            node: Reconciler::new(state.clone(), start),
            now: Time(1),
            disk: state,
            writable: true,
            engine: Admission::Refusing,
            calls: 0,
            unfit: None,
            check: ReleaseCheck::Passed,
            selection: Selection::Selected,
            done: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// In service, with this software in its slot.
    fn in_service(staged: Option<u8>) -> Self {
        let mut machine = Self::new(PersistentState::default(), start(staged));
        machine.turn();
        machine
    }

    fn accept(&mut self, desired: Desired) {
        let facts = self.node.accept(self.now, desired).unwrap();
        self.facts.extend(facts);
    }

    fn apply(&mut self, event: AgentEvent) {
        let facts = self.node.apply(self.now, event);
        self.facts.extend(facts);
    }

    /// One turn, and the effects in it.
    fn turn(&mut self) -> Vec<&'static str> {
        while let Some(effect) = self.node.next(self.now) {
            self.perform(effect);
        }
        std::mem::take(&mut self.done)
    }

    fn perform(&mut self, effect: Effect) {
        let (name, outcome) = match effect {
            Effect::Persist(state) => {
                let durability = if self.writable { Durability::Durable } else { Durability::NotDurable };
                if self.writable {
                    self.disk = state;
                }
                ("persist", Some(Outcome::Persisted(durability)))
            }
            Effect::CheckFitness => ("fitness", Some(Outcome::Fitness { unfit: self.unfit.clone() })),
            Effect::SetAdmission(refuse) => {
                self.engine = if refuse.is_some() { Admission::Refusing } else { Admission::Admitting };
                (if refuse.is_some() { "close" } else { "open" }, None)
            }
            Effect::CountCalls => {
                let calls = Calls::Known { count: self.calls, oldest: None };
                ("count", Some(Outcome::Counted { admission: self.engine, calls }))
            }
            Effect::BeginStaging(_) => ("stage", None),
            Effect::CancelStaging(_) => ("cancel", None),
            Effect::CheckRelease(_) => ("check", Some(Outcome::Checked(self.check.clone()))),
            Effect::Select(_) => {
                assert_eq!(self.disk.selected, Some(software(1)), "leaving is durable before the selection");
                assert_eq!((self.engine, self.calls), (Admission::Refusing, 0));
                ("select", Some(Outcome::Selected(self.selection.clone())))
            }
            Effect::Report(_) => ("report", None),
        };
        self.done.push(name);
        if let Some(outcome) = outcome {
            let facts = self.node.complete(self.now, outcome);
            self.facts.extend(facts);
        }
    }
}

#[test]
fn first_turn_opens_the_node_and_reports() {
    let mut machine = Machine::new(PersistentState::default(), start(None));
    assert_eq!(machine.turn(), ["fitness", "open", "count", "report"]);
    assert_eq!(machine.turn(), ["fitness", "open", "count"], "nothing has changed");
    machine.calls = 1;
    assert_eq!(machine.turn(), ["fitness", "open", "count", "report"]);
}

#[test]
fn report_is_repeated_only_when_it_differs() {
    let mut machine = Machine::in_service(None);
    let reported = machine.node.reported().cloned().unwrap();
    machine.now = Time(60_000);
    assert_eq!(machine.turn(), ["fitness", "open", "count"]);
    assert!(machine.node.reported().is_some_and(|last| last.says_the_same_as(&reported)));
}

#[test]
fn node_leaves_by_closing_counting_checking_persisting_and_counting_again() {
    let mut machine = Machine::in_service(Some(1));
    machine.accept(install(1));
    let before = ["persist", "fitness", "close", "count", "check"];
    let after = ["persist", "fitness", "close", "count", "select"];
    assert_eq!(machine.turn(), [before, after].concat(), "a node that restarts does not report by a turn");
    assert!(machine.node.is_restarting());
    assert_eq!(machine.turn(), [] as [&str; 0], "nothing follows a selection");
    assert_eq!(machine.node.agent().wanted().refuse_calls, Some(Refuse::Leaving));
    assert_eq!(machine.facts.last(), Some(&AgentFact::Leaving(software(1))));
}

#[test]
fn call_that_is_counted_after_admission_is_closed_keeps_the_node() {
    let mut machine = Machine::in_service(Some(1));
    machine.calls = 1;
    machine.accept(install(1));
    assert_eq!(machine.turn(), ["persist", "fitness", "close", "count", "report"]);
    machine.calls = 0;
    assert_eq!(machine.turn().last(), Some(&"select"));
}

#[test]
fn event_whose_write_fails_has_not_happened() {
    let mut machine = Machine::in_service(Some(1));
    let before = machine.node.agent().clone();
    machine.writable = false;
    machine.accept(install(1));
    assert_eq!(*machine.node.agent(), before, "it does not count before it is durable");
    assert_eq!(machine.turn(), ["persist", "fitness", "open", "count"]);
    assert_eq!((machine.node.agent(), machine.facts.as_slice()), (&before, [].as_slice()));
    assert_eq!(machine.disk, PersistentState::default());
    machine.writable = true;
    machine.accept(install(1));
    assert_eq!(machine.turn().last(), Some(&"select"));
}

#[test]
fn node_that_cannot_persist_that_it_leaves_stays_and_tries_again_in_the_next_turn() {
    let mut machine = Machine::in_service(Some(1));
    machine.accept(install(1));
    machine.check = ReleaseCheck::Pending;
    assert_eq!(machine.turn(), ["persist", "fitness", "close", "count", "check", "report"]);
    (machine.check, machine.writable) = (ReleaseCheck::Passed, false);
    assert_eq!(machine.turn(), ["fitness", "close", "count", "check", "persist"]);
    assert_eq!(machine.node.agent().observed(machine.now).release_state, ReleaseState::Confirmed);
    machine.writable = true;
    assert_eq!(machine.turn().last(), Some(&"select"));
}

#[test]
fn release_that_would_not_start_is_rejected_before_the_node_leaves() {
    let mut machine = Machine::in_service(Some(1));
    machine.check = ReleaseCheck::Failed("port taken".into());
    machine.accept(install(1));
    let before = ["persist", "fitness", "close", "count", "check"];
    let after = ["persist", "fitness", "close", "count", "report"];
    assert_eq!(machine.turn(), [before, after].concat());
    assert!(machine.disk.rejected.is_some() && !machine.node.is_restarting());
}

#[test]
fn slot_that_cannot_be_selected_rejects_the_release_and_the_node_goes_on() {
    let mut machine = Machine::in_service(Some(1));
    machine.selection = Selection::Refused("no slot".into());
    machine.accept(install(1));
    let turn = machine.turn();
    assert_eq!(turn[turn.len() - 6..], ["select", "persist", "fitness", "close", "count", "report"]);
    assert_eq!((machine.disk.selected, machine.node.is_restarting()), (None, false));
    assert!(matches!(machine.node.agent().observed(machine.now).staging, Staging::Rejected { .. }));
}

#[test]
fn one_staging_at_a_time_and_one_that_is_not_wanted_is_cancelled_once() {
    let stage = |n, manifest| desired(n, None, Some((software(manifest), Depth::Stage)));
    let mut machine = Machine::in_service(None);
    machine.accept(stage(1, 1));
    assert_eq!(machine.turn(), ["persist", "fitness", "open", "count", "stage", "report"]);
    assert_eq!(machine.turn(), ["fitness", "open", "count"]);
    machine.accept(stage(2, 2));
    assert_eq!(machine.turn(), ["persist", "fitness", "open", "count", "cancel", "report"]);
    assert_eq!(machine.turn(), ["fitness", "open", "count"], "it waits for the end of the one before");
    assert_eq!(machine.node.staging(), Some(software(1)));
    machine.node.staging_ended(machine.now, software(1), StagingOutcome::Cancelled);
    assert_eq!(machine.turn(), ["fitness", "open", "count", "stage"]);
    machine.node.staging_ended(machine.now, software(2), StagingOutcome::Staged);
    assert_eq!(machine.turn(), ["fitness", "open", "count", "report"]);
    assert_eq!(machine.node.staging(), None);
}

#[test]
fn deadline_is_persisted_before_the_node_opens() {
    let mut machine = Machine::in_service(None);
    machine.accept(desired(1, Some(HOLD), None));
    assert_eq!(machine.turn(), ["persist", "fitness", "close", "count", "report"]);
    machine.now = machine.now + HOLD;
    machine.writable = false;
    assert_eq!(machine.turn(), ["persist", "fitness", "close", "count"], "it stays as it is on the disk");
    machine.writable = true;
    assert_eq!(machine.turn(), ["persist", "fitness", "open", "count", "report"]);
    assert!(machine.disk.let_go && machine.facts.contains(&AgentFact::LetGo));
}

#[test]
fn what_a_start_has_settled_is_persisted_first_and_until_it_is_durable() {
    let state = PersistentState { selected: Some(software(1)), ..PersistentState::default() };
    let mut machine = Machine::new(state, start(None));
    machine.writable = false;
    assert_eq!(machine.turn(), ["persist", "fitness", "open", "count", "report"]);
    machine.writable = true;
    assert_eq!(machine.turn(), ["persist", "fitness", "open", "count"]);
    assert_eq!((machine.disk.selected, machine.turn()[0]), (None, "fitness"));
}

/// So a node whose disk cannot be written still finds itself unfit, and still counts its calls.
#[test]
fn event_that_changes_nothing_persistent_counts_at_once() {
    let mut machine = Machine::in_service(None);
    machine.accept(desired(1, Some(HOLD), None));
    machine.turn();
    machine.now = machine.now + HOLD;
    for event in [
        AgentEvent::Calls(Calls::Unknown),
        AgentEvent::Admission(Admission::Admitting),
        AgentEvent::Fetching { manifest: software(1).manifest, percent: 10 },
        AgentEvent::Staged { manifest: software(1).manifest },
        AgentEvent::Fitness { unfit: Some("the disk is full".into()) },
        AgentEvent::StartChecked { fault: Some("port taken".into()) },
    ] {
        machine.apply(event.clone());
        assert_eq!(machine.node.to_persist(), None, "{event:?}");
    }
    assert_eq!(machine.node.agent().unfit(), Some("the disk is full"));
}

#[test]
fn second_event_waits_with_the_one_that_is_not_durable_yet() {
    let mut machine = Machine::in_service(None);
    machine.accept(desired(1, Some(HOLD), None));
    machine.apply(AgentEvent::StartChecked { fault: Some("port taken".into()) });
    assert_eq!((machine.facts.len(), machine.node.agent().observed(machine.now).start_fault), (0, None));
    machine.turn();
    assert_eq!(machine.facts.len(), 2);
}

#[test]
fn effect_is_repeated_until_its_outcome_is_reported_and_another_outcome_changes_nothing() {
    let mut machine = Machine::in_service(Some(1));
    let node = &mut machine.node;
    assert_eq!(
        (node.next(Time(2)), node.next(Time(2))),
        (Some(Effect::CheckFitness), Some(Effect::CheckFitness))
    );
    let before = node.clone();
    for outcome in [
        Outcome::Persisted(Durability::Durable),
        Outcome::Counted { admission: Admission::Refusing, calls: Calls::Unknown },
        Outcome::Checked(ReleaseCheck::Passed),
        Outcome::Selected(Selection::Selected),
    ] {
        assert_eq!((node.complete(Time(2), outcome), &*node), (Vec::new(), &before));
    }
}

#[test]
fn desired_state_that_changes_the_owners_is_reported_when_it_is_durable() {
    let mut machine = Machine::in_service(None);
    machine.accept(desired(1, Some(HOLD), None));
    assert_eq!(machine.facts, [], "it is not durable yet");
    machine.turn();
    let owners = Owners { run: Some(HOLD), ..Owners::default() };
    assert_eq!(machine.facts, [AgentFact::Owners(owners)]);
}

#[test]
fn what_is_in_flight_is_known_until_it_has_ended() {
    let mut machine = Machine::in_service(None);
    machine.accept(install(1));
    assert_eq!(machine.node.staging(), None);
    machine.turn();
    assert_eq!(machine.node.staging(), Some(software(1)));
    // The end of another one, which is late.
    machine.node.staging_ended(machine.now, software(2), StagingOutcome::Cancelled);
    assert_eq!(machine.node.staging(), Some(software(1)));
    let facts = machine.node.staging_ended(machine.now, software(1), StagingOutcome::Staged);
    assert_eq!((machine.node.staging(), facts), (None, vec![AgentFact::Staged(Sha256([1; 32]))]));
    assert!(!machine.node.is_restarting());
    machine.turn();
    assert!(machine.node.is_restarting());
}

/// The shell writes the state from time to time although nothing has changed.
#[test]
fn state_that_the_shell_has_written_is_not_written_again() {
    let left = PersistentState { selected: Some(software(1)), ..PersistentState::default() };
    for rewritten in [false, true] {
        let mut machine = Machine::new(left.clone(), start(None));
        if rewritten {
            machine.node.rewritten();
        }
        assert_eq!(machine.turn().contains(&"persist"), !rewritten);
    }
}

#[test]
fn node_that_is_not_fit_closes_in_the_same_turn_and_opens_when_it_is_fit_again() {
    let mut machine = Machine::in_service(None);
    machine.unfit = Some("no audio".into());
    assert_eq!(machine.turn(), ["fitness", "close", "count", "report"]);
    assert_eq!(machine.facts, [AgentFact::Unfit("no audio".into())]);
    assert_eq!(machine.turn(), ["fitness", "close", "count"], "it is no news");
    machine.unfit = None;
    assert_eq!(machine.turn(), ["fitness", "open", "count", "report"]);
}
