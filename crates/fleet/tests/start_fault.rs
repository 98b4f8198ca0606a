//! Machines that would not start again: which of them block a run, and what a node does that finds out during one.

#[allow(dead_code)] // The reports of the other tests are not needed here.
mod support;

use fleet::agent::{Agent, AgentEvent, AgentFact, PersistentState, Start};
use fleet::desired::{Assignment, Depth, Desired, Generation, Intent, Owners, RunId};
use fleet::fact::{Fact, NodeFact};
use fleet::node::{Duty, NodeId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::platform::{Blocker, Event, Fleet, Warning};
use fleet::policy::Policy;
use fleet::time::{Span, Time};

use support::{NODE, package, release};

const OTHER: NodeId = NodeId(2);
const WHY: &str = "the settings cannot be used";

fn fault() -> Option<String> {
    Some(WHY.into())
}

fn report(fleet: &mut Fleet, id: NodeId, at: u64, runs: u16, start_fault: Option<String>) -> Vec<Fact> {
    let observed = Observed {
        at: Time(at),
        generation: fleet.wanted(id).unwrap().generation,
        release: release(runs),
        release_state: ReleaseState::Confirmed,
        admission: Admission::Admitting,
        calls: Calls::NONE,
        staging: Staging::Nothing,
        unfit: None,
        start_fault,
        process: None,
    };
    fleet.apply(Time(at), Event::Report { id, observed }).facts
}

/// Two nodes whose links are up.
fn platform() -> Fleet {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    for id in [NODE, OTHER] {
        fleet.apply(Time(0), Event::NodeAdded { id, name: format!("node{id}"), duty: Duty::AlwaysOn });
        report(&mut fleet, id, 1, 0, None);
    }
    fleet
}

fn of_node(facts: &[Fact]) -> Vec<NodeFact> {
    facts.iter().filter_map(Fact::of_node).map(|(_, what)| what.clone()).collect()
}

#[test]
fn every_machine_that_would_not_start_again_is_a_blocker_and_is_reported() {
    let mut fleet = platform();
    for id in [NODE, OTHER] {
        let facts = report(&mut fleet, id, 2, 0, fault());
        assert_eq!(of_node(&facts), [NodeFact::StartFault { why: WHY.into() }]);
    }
    let facts = fleet.apply(Time(2), Event::ManagerChecked { fault: fault() }).facts;
    assert_eq!(facts, [Fact::ManagerStartFault { why: WHY.into() }]);
    assert!(fleet.apply(Time(2), Event::ManagerChecked { fault: fault() }).facts.is_empty());
    let check = fleet.check_start(&package(1), Time(3));
    let why = || String::from(WHY);
    let named = |node: &str| Blocker::StartFault { node: node.into(), why: why() };
    assert_eq!(check.blockers, [Blocker::ManagerStartFault { why: why() }, named("node1"), named("node2")]);
    let before = fleet.clone();
    assert!(fleet.start(package(1), Policy::standard(), Time(3)).is_err());
    assert_eq!(fleet, before);
    let facts = report(&mut fleet, NODE, 4, 0, None);
    assert_eq!(of_node(&facts), [NodeFact::StartFaultOver]);
    report(&mut fleet, OTHER, 4, 0, None);
    assert_eq!(
        fleet.apply(Time(4), Event::ManagerChecked { fault: None }).facts,
        [Fact::ManagerStartFaultOver]
    );
    assert!(fleet.start(package(1), Policy::standard(), Time(5)).is_ok());
}

#[test]
fn repeat_goes_on_without_nodes_that_would_not_start_again_while_there_are_others_r24() {
    let mut fleet = platform();
    fleet.start(package(1), Policy::standard(), Time(2)).unwrap();
    fleet.apply(Time(3), Event::ManagerStaged);
    fleet.apply(Time(4), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    fleet.apply(Time(4) + Policy::standard().run_limit, Event::DeadlinePassed);
    let now = Time(10) + Policy::standard().run_limit;
    report(&mut fleet, NODE, now.0, 0, fault());
    report(&mut fleet, OTHER, now.0, 0, None);
    let check = fleet.check_start(&package(1), now);
    let warning = Warning::StartFault { node: "node1".into(), why: WHY.into() };
    assert_eq!((check.blockers, check.warnings), (Vec::new(), vec![warning]));
    // With nothing else to take it would do nothing.
    report(&mut fleet, OTHER, now.0 + 1, 1, None);
    let check = fleet.check_start(&package(1), now);
    assert_eq!(check.blockers, [Blocker::StartFault { node: "node1".into(), why: WHY.into() }]);
}

/// A machine that the run would not restart may stay as it is.
#[test]
fn fault_of_a_machine_that_the_run_does_not_restart_blocks_nothing_r9() {
    for (duty, runs, lost, blocks, warns) in [
        (Duty::AlwaysOn, 0, false, true, false),
        (Duty::AlwaysOn, 1, false, false, false),
        (Duty::Bursting, 0, false, false, true),
        (Duty::Bursting, 1, false, false, false),
        (Duty::Bursting, 0, true, false, false),
    ] {
        let mut fleet = platform();
        fleet.apply(Time(1), Event::NodeChanged { id: NODE, name: "node1".into(), duty });
        report(&mut fleet, NODE, 2, runs, fault());
        if lost {
            fleet.apply(Time(2), Event::LinkDown { id: NODE });
            fleet.apply(Time(2) + Policy::standard().silent_after, Event::DeadlinePassed);
        }
        let check = fleet.check_start(&package(1), Time(3));
        let (node, why) = (String::from("node1"), String::from(WHY));
        let named =
            |blocker: &Blocker| *blocker == Blocker::StartFault { node: node.clone(), why: why.clone() };
        let warned =
            |warning: &Warning| *warning == Warning::StartFault { node: node.clone(), why: why.clone() };
        let found = (check.blockers.iter().any(named), check.warnings.iter().any(warned));
        assert_eq!(found, (blocks, warns), "{duty:?} on {runs}, lost: {lost}: {check:?}");
    }
    // A repeat does not restart the Management Node.
    for (runs, blocks) in [(0, true), (1, false)] {
        let mut fleet = platform();
        let started = Event::ManagerStarted { release: release(runs), fell_back: None, wall: None };
        fleet.apply(Time(2), started);
        fleet.apply(Time(3), Event::ManagerChecked { fault: fault() });
        let found = fleet.check_start(&package(1), Time(3)).blockers;
        assert_eq!(found.contains(&Blocker::ManagerStartFault { why: WHY.into() }), blocks, "{found:?}");
    }
}

#[test]
fn fault_of_a_manager_is_over_when_it_has_started() {
    let mut fleet = platform();
    fleet.apply(Time(2), Event::ManagerChecked { fault: fault() });
    let facts = fleet
        .apply(Time(3), Event::ManagerStarted { release: release(0), fell_back: None, wall: None })
        .facts;
    assert_eq!(facts, [Fact::ManagerStartFaultOver]);
    assert_eq!(fleet.platform.start_fault, None);
}

fn software() -> Assignment {
    let package = package(1);
    Assignment { run: RunId(1), release: package.release, manifest: package.manifest }
}

fn desired(n: u64, run: Option<Span>, depth: Depth) -> Desired {
    let owners = Owners { run, ..Owners::default() };
    let intent = Intent { owners, software: Some((software(), depth)) };
    Desired { generation: Generation { epoch: 1, n }, intent }
}

/// A node in service that has staged the release.
fn staged() -> Agent {
    let start = Start { release: release(0), confirmed: true, staged: None, fell_back: None };
    let mut agent = Agent::new(PersistentState::default(), start);
    agent.accept(Time(1), desired(1, None, Depth::Stage)).unwrap();
    agent.apply(Time(2), AgentEvent::Staged { manifest: software().manifest });
    agent
}

#[test]
fn node_asks_for_a_check_before_it_leaves_service_and_not_at_any_other_time() {
    let mut agent = staged();
    let hold = Some(Span::hours(1));
    assert_eq!(agent.would_leave_service_for(&desired(2, hold, Depth::Stage)), Some(software()));
    assert_eq!(agent.would_leave_service_for(&desired(2, None, Depth::Stage)), None);
    assert_eq!(agent.would_leave_service_for(&desired(1, hold, Depth::Stage)), None, "it is not accepted");
    let starts_with = |runs: u16, confirmed: bool| {
        let start = Start { release: release(runs), confirmed, staged: None, fell_back: None };
        Agent::new(PersistentState::default(), start).would_leave_service_for(&desired(2, hold, Depth::Stage))
    };
    assert_eq!(starts_with(0, true), Some(software()));
    assert_eq!(starts_with(1, true), None, "it runs the release");
    assert_eq!(starts_with(0, false), None, "what it runs may fall back");
    let mut rejects = staged();
    rejects.apply(Time(3), AgentEvent::Rejected { software: software(), why: WHY.into() });
    assert_eq!(rejects.would_leave_service_for(&desired(2, hold, Depth::Stage)), None, "it is rejected");
    agent.accept(Time(3), desired(2, hold, Depth::Stage)).unwrap();
    assert_eq!(agent.would_leave_service_for(&desired(3, hold, Depth::Install)), None, "it is out already");
}

#[test]
fn node_that_cannot_take_the_release_is_not_taken_out_of_service_for_it() {
    let mut agent = staged();
    agent.apply(Time(3), AgentEvent::Rejected { software: software(), why: WHY.into() });
    let facts = agent.accept(Time(4), desired(2, Some(Span::hours(1)), Depth::Stage)).unwrap();
    assert_eq!((facts, agent.wanted().refuse_calls), (Vec::new(), None));
    assert_eq!((agent.owners(), agent.next_deadline()), (Owners::default(), None));
    let observed = agent.observed(Time(5));
    assert_eq!(observed.generation.n, 2, "it reports the generation that it has accepted");
    assert!(matches!(observed.staging, Staging::Rejected { .. }));
}

#[test]
fn node_that_rejects_the_release_while_it_is_out_stays_out_until_it_is_released() {
    let mut agent = staged();
    agent.accept(Time(3), desired(2, Some(Span::hours(1)), Depth::Stage)).unwrap();
    agent.apply(Time(4), AgentEvent::Rejected { software: software(), why: WHY.into() });
    agent.accept(Time(5), desired(3, Some(Span::hours(1)), Depth::Install)).unwrap();
    assert!(agent.wanted().refuse_calls.is_some());
    assert_eq!(agent.wanted().leave, None);
}

#[test]
fn start_fault_changes_nothing_that_the_node_does_and_is_reported_once() {
    let mut agent = staged();
    let before = agent.wanted();
    let facts = agent.apply(Time(3), AgentEvent::StartChecked { fault: fault() });
    assert_eq!(facts, [AgentFact::StartFault(WHY.into())]);
    assert!(agent.apply(Time(4), AgentEvent::StartChecked { fault: fault() }).is_empty());
    assert_eq!((agent.wanted(), agent.observed(Time(5)).start_fault), (before, fault()));
    assert_eq!(agent.apply(Time(6), AgentEvent::StartChecked { fault: None }), [AgentFact::StartFaultOver]);
}
