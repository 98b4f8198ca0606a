//! The node's own guard of its calls: it holds whatever the platform sends, and in whatever order that arrives.

use fleet::agent::{Agent, AgentEvent, AgentFact, FallBack, PersistentState, Refusal, Refuse, Start};
use fleet::desired::{Assignment, Depth, Desired, Generation, Intent, Owners, RunId};
use fleet::observed::{Admission, Calls, ReleaseState, Staging};
use fleet::time::{Span, Time};
use fleet::version::{Build, Release, Sha256, Version};

const OLD: Release = Release { version: Version::new(34, 0), build: Build(1) };
const NEW: Release = Release { version: Version::new(34, 1), build: Build(2) };
const LATER: Release = Release { version: Version::new(34, 2), build: Build(3) };
const PACKAGE: Sha256 = Sha256([7; 32]);
const HOLD: Span = Span::minutes(61);

fn software(run: u32) -> Assignment {
    Assignment { run: RunId(run), release: NEW, manifest: PACKAGE }
}

fn generation(n: u64) -> Generation {
    Generation { epoch: 1, n }
}

/// What the run wants of a node that it holds in maintenance mode.
fn drained(n: u64, depth: Depth) -> Desired {
    let owners = Owners { run: Some(HOLD), ..Owners::default() };
    Desired { generation: generation(n), intent: Intent { owners, software: Some((software(1), depth)) } }
}

fn in_service(n: u64) -> Desired {
    Desired { generation: generation(n), intent: Intent::default() }
}

fn start() -> Start {
    Start { release: OLD, confirmed: true, staged: None, fell_back: None }
}

/// A node that meets all conditions of a restart: staged, drained, refusing calls.
fn ready_to_leave() -> Agent {
    let mut agent = Agent::new(PersistentState::default(), start());
    agent.accept(Time(0), drained(2, Depth::Install)).unwrap();
    for event in [
        AgentEvent::Staged { manifest: PACKAGE },
        AgentEvent::Admission(Admission::Refusing),
        AgentEvent::Calls(Calls::NONE),
    ] {
        agent.apply(Time(0), event);
    }
    assert_eq!(agent.wanted().leave, Some(software(1)));
    agent
}

#[test]
fn node_does_not_leave_while_any_condition_is_not_met() {
    let one = Calls::Known { count: 1, oldest: Some(Span::seconds(1)) };
    for event in [
        AgentEvent::Calls(one),
        AgentEvent::Calls(Calls::Unknown),
        AgentEvent::Admission(Admission::Admitting),
        AgentEvent::Fetching { manifest: PACKAGE, percent: 10 },
        AgentEvent::Rejected { software: software(1), why: "the disk is full".into() },
    ] {
        let mut agent = ready_to_leave();
        agent.apply(Time(1), event.clone());
        assert_eq!(agent.wanted().leave, None, "it would leave despite {event:?}");
        agent.apply(Time(2), AgentEvent::Leaving { software: software(1) });
        assert_eq!(agent.wanted().restart, None, "it left despite {event:?}");
    }
}

/// R20. A restored Management Node may assign the release that the node has left since, and that its inactive slot
/// still holds.
#[test]
fn node_never_leaves_for_a_release_that_is_not_later_than_its_own() {
    for (release, leaves) in [(OLD, true), (NEW, false), (LATER, false)] {
        let mut agent =
            Agent::new(PersistentState::default(), Start { release, staged: Some(PACKAGE), ..start() });
        agent.accept(Time(0), drained(2, Depth::Install)).unwrap();
        agent.apply(Time(0), AgentEvent::Admission(Admission::Refusing));
        agent.apply(Time(0), AgentEvent::Calls(Calls::NONE));
        assert_eq!(agent.wanted().leave.is_some(), leaves, "from {release} to {NEW}");
    }
}

#[test]
fn node_that_is_in_service_refuses_to_install() {
    let mut agent = Agent::new(PersistentState::default(), start());
    let mut desired = drained(1, Depth::Install);
    desired.intent.owners = Owners::default();
    let before = agent.clone();
    assert_eq!(agent.accept(Time(0), desired), Err(Refusal::InstallInService { generation: generation(1) }));
    assert_eq!(agent, before);
}

#[test]
fn stale_or_contradictory_command_has_no_effect() {
    let mut agent = Agent::new(PersistentState::default(), start());
    agent.accept(Time(0), drained(5, Depth::Stage)).unwrap();
    let before = agent.clone();
    let stale = Refusal::Stale { came: generation(4), accepted: generation(5) };
    assert_eq!(agent.accept(Time(1), in_service(4)), Err(stale));
    let contradiction = Refusal::Contradiction { generation: generation(5) };
    assert_eq!(agent.accept(Time(1), in_service(5)), Err(contradiction));
    assert_eq!(agent.accept(Time(1), drained(5, Depth::Stage)), Ok(vec![]));
    assert_eq!(agent, before);
}

/// Two Management Nodes, one restored to a time before the other, may issue the same generation, if the clock was
/// set back between them. Neither the node nor the Management Node would ever move on.
#[test]
fn generation_that_was_issued_twice_is_reported_as_a_later_one() {
    let mut agent = Agent::new(PersistentState::default(), start());
    agent.accept(Time(0), drained(5, Depth::Stage)).unwrap();
    assert_eq!(agent.observed(Time(0)).generation, generation(5));
    let refusal = agent.accept(Time(1), in_service(5)).unwrap_err();
    agent.refused(refusal);
    assert_eq!(agent.observed(Time(1)).generation, generation(6));
    agent.accept(Time(2), in_service(7)).unwrap();
    assert_eq!(agent.observed(Time(2)).generation, generation(7));
}

#[test]
fn older_epoch_is_stale_however_high_its_number() {
    let mut agent = Agent::new(PersistentState::default(), start());
    let newer = Desired { generation: Generation { epoch: 2, n: 1 }, intent: Intent::default() };
    agent.accept(Time(0), newer).unwrap();
    assert!(matches!(agent.accept(Time(0), in_service(99)), Err(Refusal::Stale { .. })));
}

#[test]
fn maintenance_mode_is_restored_before_any_message_arrives() {
    let mut agent = Agent::new(PersistentState::default(), start());
    agent.accept(Time(0), drained(1, Depth::Stage)).unwrap();
    let agent = Agent::new(agent.persistent_state().clone(), start());
    assert!(matches!(agent.wanted().refuse_calls, Some(Refuse::Maintenance(_))));
}

#[test]
fn node_that_is_cut_off_goes_back_to_service_by_itself() {
    let mut agent = Agent::new(PersistentState::default(), start());
    agent.accept(Time(0), drained(1, Depth::Stage)).unwrap();
    assert_eq!(agent.next_deadline(), Some(Time(0) + HOLD));
    agent.apply(Time(HOLD.0 - 1), AgentEvent::DeadlinePassed);
    assert!(agent.wanted().refuse_calls.is_some());
    agent.apply(Time(HOLD.0), AgentEvent::DeadlinePassed);
    assert_eq!(agent.wanted().refuse_calls, None);
    assert_eq!(agent.next_deadline(), None);
}

#[test]
fn node_that_is_cut_off_keeps_the_operators_maintenance_mode() {
    let mut agent = Agent::new(PersistentState::default(), start());
    let mut desired = drained(1, Depth::Stage);
    desired.intent.owners.operator = Some("fan".into());
    agent.accept(Time(0), desired).unwrap();
    agent.apply(Time(HOLD.0), AgentEvent::DeadlinePassed);
    let owners = Owners { operator: Some("fan".into()), ..Owners::default() };
    assert_eq!(agent.wanted().refuse_calls, Some(Refuse::Maintenance(owners)));
}

#[test]
fn node_that_has_left_does_not_go_back_to_service_by_itself() {
    let mut agent = ready_to_leave();
    agent.apply(Time(1), AgentEvent::Leaving { software: software(1) });
    assert_eq!(agent.wanted().restart, Some(software(1)));
    agent.apply(Time(HOLD.0 * 2), AgentEvent::DeadlinePassed);
    assert_eq!(agent.wanted().refuse_calls, Some(Refuse::Leaving));
}

#[test]
fn release_takes_no_calls_before_it_is_confirmed() {
    let start = Start { release: NEW, confirmed: false, staged: None, fell_back: None };
    let mut agent = Agent::new(PersistentState::default(), start);
    assert_eq!(agent.wanted().refuse_calls, Some(Refuse::Unconfirmed));
    assert_eq!(agent.observed(Time(1)).release_state, ReleaseState::Trying);
    agent.apply(Time(2), AgentEvent::Confirmed);
    assert_eq!(agent.wanted().refuse_calls, None);
}

#[test]
fn release_that_fell_back_is_not_taken_again_for_the_same_run() {
    let mut agent = ready_to_leave();
    agent.apply(Time(1), AgentEvent::Leaving { software: software(1) });
    let fell_back = FallBack { manifest: PACKAGE, at: 7, why: "it crashed at start".into() };
    let start = Start { staged: Some(PACKAGE), fell_back: Some(fell_back), ..start() };
    let mut agent = Agent::new(agent.persistent_state().clone(), start);
    let rejected = Staging::Rejected { run: RunId(1), manifest: PACKAGE, why: "it crashed at start".into() };
    assert_eq!(agent.observed(Time(2)).staging, rejected);
    for event in [AgentEvent::Admission(Admission::Refusing), AgentEvent::Calls(Calls::NONE)] {
        agent.apply(Time(2), event);
    }
    assert_eq!((agent.wanted().stage, agent.wanted().leave), (None, None));

    // The operator starts the same package again: another run, another try.
    let mut again = drained(3, Depth::Install);
    again.intent.software = Some((software(2), Depth::Install));
    agent.accept(Time(3), again).unwrap();
    assert_eq!(agent.wanted().leave, Some(software(2)));
}

#[test]
fn fall_back_of_an_earlier_attempt_is_none_of_the_next() {
    let mut agent = ready_to_leave();
    agent.apply(Time(1), AgentEvent::Leaving { software: software(1) });
    let fell_back = FallBack { manifest: PACKAGE, at: 7, why: "it crashed at start".into() };
    let start = Start { staged: Some(PACKAGE), fell_back: Some(fell_back.clone()), ..start() };
    let mut agent = Agent::new(agent.persistent_state().clone(), start.clone());
    let mut again = drained(3, Depth::Install);
    again.intent.software = Some((software(2), Depth::Install));
    agent.accept(Time(3), again).unwrap();
    for event in [
        AgentEvent::Admission(Admission::Refusing),
        AgentEvent::Calls(Calls::NONE),
        AgentEvent::Leaving { software: software(2) },
    ] {
        agent.apply(Time(4), event);
    }
    assert_eq!(agent.wanted().restart, Some(software(2)));
    // The machine loses power before the slot is selected: the slot record still has the earlier fall-back.
    let interrupted = Agent::new(agent.persistent_state().clone(), start.clone());
    assert_eq!(interrupted.observed(Time(5)).staging, Staging::Staged { manifest: PACKAGE });
    assert_eq!(interrupted.wanted().restart, None);

    let later = FallBack { at: 8, ..fell_back };
    let second = Agent::new(agent.persistent_state().clone(), Start { fell_back: Some(later), ..start });
    assert!(matches!(second.observed(Time(5)).staging, Staging::Rejected { run: RunId(2), .. }));
}

#[test]
fn node_that_came_back_without_its_new_slot_leaves_again() {
    let mut agent = ready_to_leave();
    agent.apply(Time(1), AgentEvent::Leaving { software: software(1) });
    let mut agent = Agent::new(agent.persistent_state().clone(), Start { staged: Some(PACKAGE), ..start() });
    for event in [AgentEvent::Admission(Admission::Refusing), AgentEvent::Calls(Calls::NONE)] {
        agent.apply(Time(2), event);
    }
    assert_eq!(agent.wanted().leave, Some(software(1)));
}

/// The Management Node shows how long the oldest call has lasted, and the node is not asked again for it.
#[test]
fn oldest_call_that_is_reported_grows_older_with_time() {
    let mut agent = Agent::new(PersistentState::default(), start());
    let oldest = Some(Span::seconds(30));
    agent.apply(Time(1_000), AgentEvent::Calls(Calls::Known { count: 2, oldest }));
    let grown = Calls::Known { count: 2, oldest: Some(Span::seconds(34)) };
    assert_eq!(agent.observed(Time(5_000)).calls, grown);
}

#[test]
fn package_that_is_fetched_is_reported_while_it_is_the_one_that_is_wanted() {
    const OTHER: Sha256 = Sha256([8; 32]);
    for (fetched, reported) in [
        (PACKAGE, Staging::Fetching { manifest: PACKAGE, percent: 40 }),
        // Its fetching has not ended yet.
        (OTHER, Staging::Nothing),
    ] {
        let mut agent = Agent::new(PersistentState::default(), start());
        agent.accept(Time(0), drained(2, Depth::Stage)).unwrap();
        agent.apply(Time(1), AgentEvent::Fetching { manifest: fetched, percent: 47 });
        assert_eq!(agent.observed(Time(1)).staging, reported);
        agent.accept(Time(2), in_service(3)).unwrap();
        assert_eq!(agent.observed(Time(2)).staging, Staging::Nothing, "nothing is wanted any more");
    }
}

#[test]
fn release_that_lies_staged_for_its_turn_is_known_until_it_is_rejected() {
    let mut agent = Agent::new(PersistentState::default(), start());
    agent.accept(Time(0), drained(2, Depth::Stage)).unwrap();
    assert_eq!((agent.staged_to_take(), agent.wanted().stage), (None, Some(software(1))));
    agent.apply(Time(1), AgentEvent::Staged { manifest: PACKAGE });
    assert_eq!((agent.staged_to_take(), agent.wanted().stage), (Some(software(1)), None));
    agent.apply(Time(2), AgentEvent::Rejected { software: software(1), why: "it would not start".into() });
    assert_eq!((agent.staged_to_take(), agent.wanted().stage), (None, None));
}

#[test]
fn fall_back_rejects_the_software_that_the_node_had_left_for_and_nothing_else() {
    let mut left = ready_to_leave();
    left.apply(Time(1), AgentEvent::Leaving { software: software(1) });
    for (manifest, runs, rejected) in [
        (PACKAGE, OLD, true),
        (Sha256([8; 32]), OLD, false),
        // The fall-back is an earlier one: the release that was selected runs.
        (PACKAGE, NEW, false),
    ] {
        let fell_back = FallBack { manifest, at: 7, why: "it crashed at start".into() };
        let start = Start { release: runs, fell_back: Some(fell_back), ..start() };
        let agent = Agent::new(left.persistent_state().clone(), start);
        let state = agent.persistent_state();
        assert_eq!(state.rejected.is_some(), rejected, "{manifest}, {runs}");
        assert_eq!(state.selected, (runs == NEW).then_some(software(1)), "{manifest}, {runs}");
    }
}

#[test]
fn slot_that_cannot_be_selected_rejects_the_release_and_the_node_goes_on_with_its_own() {
    let mut agent = ready_to_leave();
    agent.apply(Time(1), AgentEvent::Leaving { software: software(1) });
    let why = String::from("the disk is full");
    let facts = agent.apply(Time(2), AgentEvent::Rejected { software: software(1), why: why.clone() });
    assert_eq!(facts, [AgentFact::Rejected(why)]);
    assert_eq!(agent.observed(Time(2)).release_state, ReleaseState::Confirmed);
    assert_eq!((agent.persistent_state().selected, agent.wanted().restart), (None, None));
    // A release that has not confirmed itself does not do so by that.
    let start = Start { release: NEW, confirmed: false, ..start() };
    let mut trying = Agent::new(PersistentState::default(), start);
    trying.apply(Time(1), AgentEvent::Rejected { software: software(1), why: "it is damaged".into() });
    assert_eq!(trying.observed(Time(1)).release_state, ReleaseState::Trying);
}

#[test]
fn release_confirms_itself_once() {
    let start = Start { release: NEW, confirmed: false, staged: None, fell_back: None };
    let mut agent = Agent::new(PersistentState::default(), start);
    assert_eq!(agent.apply(Time(1), AgentEvent::Confirmed), [AgentFact::Confirmed]);
    assert_eq!(agent.apply(Time(2), AgentEvent::Confirmed), []);
    let mut leaving = ready_to_leave();
    leaving.apply(Time(1), AgentEvent::Leaving { software: software(1) });
    assert_eq!(leaving.apply(Time(2), AgentEvent::Confirmed), []);
    assert_eq!(leaving.observed(Time(2)).release_state, ReleaseState::Leaving);
}

#[test]
fn node_that_is_not_fit_refuses_calls_and_says_each_reason_once() {
    let mut agent = Agent::new(PersistentState::default(), start());
    let mut says = |why: Option<&str>| {
        let facts = agent.apply(Time(1), AgentEvent::Fitness { unfit: why.map(String::from) });
        assert_eq!((agent.unfit(), agent.wanted().refuse_calls.is_some()), (why, why.is_some()));
        facts
    };
    assert_eq!(says(None), []);
    assert_eq!(says(Some("no audio")), [AgentFact::Unfit("no audio".into())]);
    assert_eq!(says(Some("no audio")), []);
    assert_eq!(says(Some("no socket")), [AgentFact::Unfit("no socket".into())]);
    assert_eq!(says(None), []);
}

#[test]
fn change_of_the_owners_is_reported_and_nothing_else_that_is_wanted() {
    let mut agent = Agent::new(PersistentState::default(), start());
    let owners = Owners { run: Some(HOLD), ..Owners::default() };
    assert_eq!(agent.accept(Time(0), in_service(1)), Ok(vec![]));
    assert_eq!(agent.accept(Time(0), drained(2, Depth::Stage)), Ok(vec![AgentFact::Owners(owners)]));
    assert_eq!(agent.accept(Time(0), drained(3, Depth::Install)), Ok(vec![]));
    assert_eq!(agent.accept(Time(0), in_service(4)), Ok(vec![AgentFact::Owners(Owners::default())]));
}

/// Each desired state renews the lease.
#[test]
fn node_keeps_the_maintenance_mode_of_a_run_for_the_lease_from_the_last_desired_state_on() {
    let mut agent = Agent::new(PersistentState::default(), start());
    for (now, n) in [(5, 1), (900, 2)] {
        agent.accept(Time(now), drained(n, Depth::Stage)).unwrap();
        assert_eq!(agent.next_deadline(), Some(Time(now) + HOLD));
    }
    assert_eq!(agent.apply(Time(900 + HOLD.0 - 1), AgentEvent::DeadlinePassed), []);
    assert_eq!(agent.apply(Time(900 + HOLD.0), AgentEvent::DeadlinePassed), [AgentFact::LetGo]);
}
