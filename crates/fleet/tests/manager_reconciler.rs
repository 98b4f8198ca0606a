//! The order of a turn of the Management Node: what is staged, checked, closed and committed before its slot is
//! selected.

use fleet::desired::Assignment;
use fleet::path::{Path, Step};
use fleet::platform::{
    ConditionalEvent, Event, Fleet, ManagerEffect, ManagerOutcome, ManagerReconciler, ManagerWants,
};
use fleet::policy::Policy;
use fleet::run::{Outcome, Package};
use fleet::time::Time;
use fleet::version::{Build, Release, Sha256, Version};

const OLD: Release = Release { version: Version::new(34, 0), build: Build(1) };
const NEW: Release = Release { version: Version::new(34, 1), build: Build(2) };
const NOTHING: [&str; 0] = [];

fn package() -> Package {
    let step = Step { to: NEW.version, from: OLD.version, reason: "a test".into() };
    Package { release: NEW, manifest: Sha256([1; 32]), path: Path(vec![step]) }
}

/// A Management Node that does what is asked of it and writes down what that was.
struct Machine {
    fleet: Fleet,
    now: Time,
    upgrade: ManagerReconciler,
    /// Whether the next check and the next selection succeed.
    good: bool,
    /// Whether the run ends before the next commit.
    run_ends: bool,
    done: Vec<&'static str>,
}

impl Machine {
    /// A run has begun, and nothing has been done for it.
    fn with_run() -> Self {
        let fleet = Fleet::new(OLD, Policy::standard());
        let (upgrade, done) = (ManagerReconciler::default(), Vec::new());
        let mut machine = Self { fleet, now: Time(1), upgrade, good: true, run_ends: false, done };
        machine.start_run();
        machine
    }

    /// The release was staged by a process that has ended since.
    fn with_staged() -> Self {
        let mut machine = Self::with_run();
        machine.fleet.apply(Time(1), Event::ManagerStaged);
        machine
    }

    fn start_run(&mut self) {
        self.fleet.start(package(), Policy::standard(), self.now).unwrap();
    }

    /// The run ends at its limit.
    fn end_run(&mut self) {
        self.now = self.now + Policy::standard().run_limit;
        self.fleet.apply(self.now, Event::DeadlinePassed);
        assert_eq!(self.fleet.manager_wants(), ManagerWants::Nothing);
    }

    /// Performs the effects until it waits for the end of a staging or a check, and says which they were.
    fn turn(&mut self) -> Vec<&'static str> {
        while let Some(effect) = self.upgrade.next(&self.fleet) {
            self.perform(effect);
            assert!(self.done.len() < 10, "it never waits: {:?}", self.done);
        }
        std::mem::take(&mut self.done)
    }

    fn perform(&mut self, effect: ManagerEffect) {
        let name = match effect {
            ManagerEffect::BeginStaging(_) => "stage",
            ManagerEffect::BeginCheck(_) => "check",
            ManagerEffect::CloseApi => "close",
            ManagerEffect::SelectSlot(_) => {
                let outcome = self.outcome();
                self.upgrade.complete(outcome);
                "select"
            }
            ManagerEffect::OpenApi => "open",
            ManagerEffect::Commit(event) => self.commit(event),
        };
        self.done.push(name);
    }

    fn commit(&mut self, event: ConditionalEvent) -> &'static str {
        if std::mem::take(&mut self.run_ends) {
            self.end_run();
        }
        let Some(event) = event.if_wanted(&self.fleet) else { return "nothing" };
        let name = if event == Event::ManagerStaged { "staged" } else { "rejected" };
        self.fleet.apply(self.now, event);
        name
    }

    fn outcome(&self) -> ManagerOutcome {
        if self.good { ManagerOutcome::Done } else { ManagerOutcome::Failed("the disk is full".into()) }
    }

    /// What is in flight ends, and the turn after it.
    fn ends(&mut self) -> Vec<&'static str> {
        let outcome = self.outcome();
        self.upgrade.complete(outcome);
        self.turn()
    }

    fn ended(&self) -> &Outcome {
        &self.fleet.platform.last_run.as_ref().unwrap().outcome
    }
}

#[test]
fn release_is_staged_and_checked_and_the_api_closed_before_the_slot_is_selected() {
    let mut machine = Machine::with_run();
    let ManagerWants::Stage(of) = machine.fleet.manager_wants() else { panic!() };
    assert!(!machine.upgrade.is_wanted(&machine.fleet), "nothing is in flight");
    assert_eq!(machine.turn(), ["stage"]);
    assert!(machine.upgrade.is_wanted(&machine.fleet));
    assert_eq!(machine.turn(), NOTHING, "one staging at a time");
    assert_eq!(machine.ends(), ["check"]);
    assert_eq!(machine.turn(), NOTHING, "one check at a time");
    assert_eq!(machine.ends(), ["staged", "close", "select"]);
    assert_eq!(machine.upgrade.selected(), Some(of));
    assert_eq!(machine.turn(), NOTHING, "nothing follows a selection");
    machine.end_run();
    assert_eq!(machine.turn(), NOTHING, "nothing follows a selection, not even from the end of the run");
}

#[test]
fn release_that_an_earlier_process_has_staged_is_checked_once_more() {
    let mut machine = Machine::with_staged();
    assert_eq!(machine.turn(), ["check"]);
    assert_eq!(machine.ends(), ["close", "select"], "it is no news that it is staged");
}

#[test]
fn check_of_another_run_does_not_count() {
    let mut machine = Machine::with_run();
    machine.turn();
    machine.ends();
    machine.run_ends = true;
    assert_eq!(machine.ends(), ["nothing"]);
    machine.start_run();
    machine.fleet.apply(machine.now, Event::ManagerStaged);
    assert_eq!(machine.turn(), ["check"]);
}

#[test]
fn staging_of_another_run_ends_before_the_next_begins() {
    let mut machine = Machine::with_run();
    machine.turn();
    machine.end_run();
    assert_eq!(machine.turn(), NOTHING);
    machine.start_run();
    assert_eq!(machine.turn(), NOTHING, "two stagings would write the same slot");
    assert_eq!(machine.ends(), ["stage"], "what was staged for another run is not checked");
}

#[test]
fn slot_is_not_selected_while_a_staging_of_another_run_writes_it() {
    let mut machine = Machine::with_run();
    machine.turn();
    machine.end_run();
    machine.start_run();
    machine.fleet.apply(machine.now, Event::ManagerStaged);
    assert_eq!(machine.turn(), NOTHING);
    assert_eq!(machine.ends(), ["check"]);
}

#[test]
fn outcome_for_a_run_that_is_over_is_dropped() {
    for good in [true, false] {
        for next_run in [true, false] {
            let mut machine = Machine::with_run();
            machine.turn();
            machine.end_run();
            if next_run {
                machine.start_run();
            }
            assert!(machine.upgrade.awaited().is_some() && !machine.upgrade.is_wanted(&machine.fleet));
            machine.good = good;
            let dropped = if good { vec![] } else { vec!["nothing"] };
            let next = if next_run { vec!["stage"] } else { vec![] };
            assert_eq!(machine.ends(), [dropped, next].concat());
            assert_eq!(*machine.ended(), Outcome::LimitReached);
        }
    }
}

#[test]
fn outcome_is_dropped_when_the_run_ends_while_its_commit_waits() {
    for good in [true, false] {
        let mut machine = Machine::with_run();
        machine.turn();
        machine.ends();
        (machine.good, machine.run_ends) = (good, true);
        assert_eq!(machine.ends(), ["nothing"]);
        assert_eq!(*machine.ended(), Outcome::LimitReached);
        assert_eq!(machine.turn(), NOTHING);
    }
}

#[test]
fn release_that_cannot_be_staged_or_would_not_start_is_rejected_and_the_api_stays_open() {
    let mut unstaged = Machine::with_run();
    unstaged.turn();
    let mut staged = Machine::with_run();
    staged.turn();
    staged.ends();
    let mut before = Machine::with_staged();
    before.turn();
    for mut machine in [unstaged, staged, before] {
        machine.good = false;
        assert_eq!(machine.ends(), ["rejected"]);
        assert!(matches!(machine.ended(), Outcome::ManagerRejected { why } if why == "the disk is full"));
        assert_eq!(machine.turn(), NOTHING);
    }
}

/// A release whose selection is next.
fn about_to_select() -> (Machine, Assignment) {
    let mut machine = Machine::with_staged();
    machine.turn();
    machine.upgrade.complete(ManagerOutcome::Done);
    assert_eq!(machine.upgrade.next(&machine.fleet), Some(ManagerEffect::CloseApi));
    let ManagerWants::Install(of) = machine.fleet.manager_wants() else { panic!() };
    (machine, of)
}

#[test]
fn api_opens_again_before_a_failed_selection_is_committed() {
    let (mut machine, _) = about_to_select();
    machine.good = false;
    assert_eq!(machine.turn(), ["select", "open", "rejected"]);
    assert!(matches!(machine.ended(), Outcome::ManagerRejected { .. }));
    let (mut machine, _) = about_to_select();
    (machine.good, machine.run_ends) = (false, true);
    assert_eq!(machine.turn(), ["select", "open", "nothing"]);
    assert_eq!(*machine.ended(), Outcome::LimitReached);
}

#[test]
fn slot_is_not_selected_for_a_run_that_has_ended_since_and_the_api_opens_again() {
    let (mut machine, _) = about_to_select();
    machine.end_run();
    assert_eq!(machine.turn(), ["open"]);
    assert_eq!(machine.upgrade.selected(), None);
}

#[test]
fn selection_is_repeated_until_its_outcome_is_reported() {
    let (mut machine, of) = about_to_select();
    for _ in 0..2 {
        assert_eq!(machine.upgrade.next(&machine.fleet), Some(ManagerEffect::SelectSlot(of)));
        assert_eq!(machine.upgrade.awaited(), Some(ManagerEffect::SelectSlot(of)));
    }
}

#[test]
fn outcome_of_nothing_changes_nothing() {
    for outcome in [ManagerOutcome::Done, ManagerOutcome::Failed("the disk is full".into())] {
        let mut upgrade = ManagerReconciler::default();
        upgrade.complete(outcome);
        assert_eq!(upgrade, ManagerReconciler::default());
    }
}
