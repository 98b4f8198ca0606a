//! The history contains every change that the pages show.

mod support;

use fleet::fact::NodeFact;
use fleet::node::{Duty, NodeId, Power};
use fleet::observed::{Admission, Calls, ReleaseState};
use fleet::platform::{Applied, Event, Fleet};
use fleet::policy::Policy;
use fleet::progress::{Failure, Phase};
use fleet::time::{Span, Time};

use support::{NODE, NodeState, package, progress, release};

const OTHER: NodeId = NodeId(2);
const MINUTE: u64 = 60_000;

/// The facts of a report of a node on the release that it had.
fn report(
    fleet: &mut Fleet,
    id: NodeId,
    at: u64,
    release_state: ReleaseState,
    admission: Admission,
    count: u32,
) -> Vec<NodeFact> {
    let calls = Calls::Known { count, oldest: None };
    facts_of(support::report(fleet, id, at, NodeState { runs: 0, release_state, admission, calls }))
}

fn facts_of(applied: Applied) -> Vec<NodeFact> {
    applied.facts.iter().filter_map(|fact| fact.of_node()).map(|(_, what)| what.clone()).collect()
}

fn add(fleet: &mut Fleet, id: NodeId, duty: Duty) {
    fleet.apply(Time(0), Event::NodeAdded { id, name: format!("node{id}"), duty });
}

/// One node of this duty, idle, and a run whose manager is upgraded.
fn running(duty: Duty) -> Fleet {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    add(&mut fleet, NODE, duty);
    if duty == Duty::AlwaysOn {
        report(&mut fleet, NODE, 1, ReleaseState::Confirmed, Admission::Admitting, 0);
    }
    fleet.start(package(1), Policy::standard(), Time(2)).unwrap();
    fleet.apply(Time(3), Event::ManagerStaged);
    fleet.apply(Time(4), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    fleet
}

#[test]
fn history_shows_renamed_nodes_and_changed_duties() {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    add(&mut fleet, NODE, Duty::AlwaysOn);
    let change = |fleet: &mut Fleet, name: &str, duty| {
        facts_of(fleet.apply(Time(1), Event::NodeChanged { id: NODE, name: name.into(), duty }))
    };
    assert_eq!(change(&mut fleet, "node1", Duty::AlwaysOn), []);
    assert_eq!(change(&mut fleet, "oslo-1", Duty::AlwaysOn), [NodeFact::Renamed { to: "oslo-1".into() }]);
    assert_eq!(change(&mut fleet, "oslo-1", Duty::Bursting), [NodeFact::DutyChanged(Duty::Bursting)]);
}

#[test]
fn first_report_of_a_node_is_recorded_once() {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    add(&mut fleet, NODE, Duty::AlwaysOn);
    let first = report(&mut fleet, NODE, 1, ReleaseState::Confirmed, Admission::Admitting, 0);
    assert_eq!(first, [NodeFact::ContactMade { release: release(0) }]);
    fleet.apply(Time(2), Event::LinkDown { id: NODE });
    assert_eq!(report(&mut fleet, NODE, 3, ReleaseState::Confirmed, Admission::Admitting, 0), []);
}

#[test]
fn node_that_joins_a_run_midway_is_recorded() {
    let mut fleet = running(Duty::AlwaysOn);
    add(&mut fleet, OTHER, Duty::AlwaysOn);
    let first = report(&mut fleet, OTHER, 5, ReleaseState::Confirmed, Admission::Admitting, 0);
    assert!(first.contains(&NodeFact::Queued), "{first:?}");
}

#[test]
fn node_that_is_given_up_is_recorded_before_the_run_ends_r27() {
    let mut fleet = running(Duty::AlwaysOn);
    report(&mut fleet, NODE, 5, ReleaseState::Confirmed, Admission::Admitting, 0);
    report(&mut fleet, NODE, 6, ReleaseState::Confirmed, Admission::Refusing, 0);
    fleet.apply(Time(7), Event::LinkDown { id: NODE });
    let mut all = Vec::new();
    while let Some(deadline) = fleet.next_deadline().filter(|_| fleet.platform.run.is_some()) {
        all.extend(facts_of(fleet.apply(deadline, Event::DeadlinePassed)));
    }
    assert_eq!(all, [NodeFact::ContactLost, NodeFact::GivenUp { why: Failure::Lost }]);
}

/// A bursting node whose calls had not cleared has not gone to rest when it is tried again.
#[test]
fn bursting_node_that_is_tried_again_is_recorded_to_be_powered_on_r7() {
    let mut fleet = running(Duty::Bursting);
    let mut facts = report(&mut fleet, NODE, MINUTE, ReleaseState::Confirmed, Admission::Admitting, 1);
    facts.extend(report(&mut fleet, NODE, MINUTE + 1, ReleaseState::Confirmed, Admission::Refusing, 1));
    let limit = MINUTE + 1 + Span::hours(1).0;
    facts.extend(facts_of(fleet.apply(Time(limit), Event::DeadlinePassed)));
    facts.extend(report(&mut fleet, NODE, limit + 1, ReleaseState::Confirmed, Admission::Admitting, 1));
    assert_eq!(facts.last(), Some(&NodeFact::Power(Power::Rest)));
    facts.extend(facts_of(fleet.apply(Time(limit + 1 + Span::minutes(10).0), Event::DeadlinePassed)));
    assert_eq!(fleet.nodes().get(NODE).unwrap().power(), Some(Power::On));
    assert_eq!(facts[facts.len() - 2..], [NodeFact::Preparing, NodeFact::Power(Power::On)]);
}

#[test]
fn bursting_node_that_only_starts_up_was_never_taken_out_of_service() {
    let mut fleet = running(Duty::Bursting);
    assert!(matches!(progress(&fleet).phase(), Some(Phase::Starting { .. })), "{:?}", progress(&fleet));
    fleet.apply(Time(8), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    let again = fleet.start(package(1), Policy::standard(), Time(9)).unwrap();
    let reported = facts_of(again);
    assert!(!reported.contains(&NodeFact::Returned), "{reported:?}");
    assert!(reported.contains(&NodeFact::Power(Power::Rest)), "{reported:?}");
}
