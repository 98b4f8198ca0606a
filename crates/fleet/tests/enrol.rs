//! Which machines may join, and which of them take no calls before they are upgraded.

mod support;

use fleet::agent::{Agent, PersistentState, Start};
use fleet::desired::Owners;
use fleet::fact::{Fact, NodeFact};
use fleet::node::{Duty, NodeId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState};
use fleet::platform::{Applied, Event, Fleet, Joining};
use fleet::policy::Policy;
use fleet::progress::Phase;
use fleet::time::Time;
use fleet::version::{Build, Release};

use support::{NODE, NodeState, package, progress, release};

fn say(fleet: &mut Fleet, at: u64, runs: u16, release_state: ReleaseState, admission: Admission) -> Applied {
    support::report(fleet, NODE, at, NodeState { runs, release_state, admission, calls: Calls::NONE })
}

fn enrol(fleet: &mut Fleet, at: u64, release: Option<Release>) -> Vec<NodeFact> {
    of_node(&fleet.apply(Time(at), Event::NodeEnrolled { id: NODE, release }).facts)
}

fn of_node(facts: &[Fact]) -> Vec<NodeFact> {
    facts.iter().filter_map(Fact::of_node).map(|(_, what)| what.clone()).collect()
}

/// The reason of the platform for the node's maintenance mode.
fn held(fleet: &Fleet) -> Option<String> {
    fleet.wanted(NODE).unwrap().intent.owners.platform
}

fn registered() -> Fleet {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    fleet.apply(Time(0), Event::NodeAdded { id: NODE, name: "node1".into(), duty: Duty::AlwaysOn });
    fleet
}

/// A platform that a run has brought to 34.1, with its node.
fn upgraded() -> Fleet {
    let mut fleet = registered();
    say(&mut fleet, 1, 0, ReleaseState::Confirmed, Admission::Admitting);
    fleet.start(package(1), Policy::standard(), Time(2)).unwrap();
    fleet.apply(Time(3), Event::ManagerStaged);
    fleet.apply(Time(4), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    say(&mut fleet, 5, 1, ReleaseState::Confirmed, Admission::Admitting);
    assert!(fleet.platform.run.is_none(), "{:?}", progress(&fleet));
    fleet
}

#[test]
fn new_machine_joins_with_the_version_of_the_management_node_alone_r29() {
    let fleet = registered();
    let rebuilt = Release { build: Build(9), ..release(0) };
    for joins in [release(0), rebuilt] {
        assert_eq!(fleet.joining(NODE, Some(joins)), Some(Joining::Joins));
    }
    for other in [None, Some(release(1))] {
        assert_eq!(fleet.joining(NODE, other), Some(Joining::OtherVersion));
    }
    assert_eq!(fleet.joining(NodeId(9), Some(release(0))), None);
}

/// Whether a node that does what is wanted of it takes no calls.
fn refuses_calls(fleet: &Fleet) -> bool {
    let start = Start { release: release(0), confirmed: true, staged: None, fell_back: None };
    let mut agent = Agent::new(PersistentState::default(), start);
    agent.accept(Time(0), fleet.wanted(NODE).unwrap()).unwrap();
    agent.wanted().refuse_calls.is_some()
}

#[test]
fn enrolment_of_a_new_machine_with_another_version_changes_nothing() {
    let mut fleet = registered();
    let before = fleet.clone();
    assert_eq!(enrol(&mut fleet, 1, Some(release(1))), []);
    assert_eq!(fleet, before);
}

#[test]
fn node_that_is_brought_back_on_another_version_takes_no_calls_until_it_is_upgraded_r20_r29() {
    let mut fleet = upgraded();
    assert_eq!(fleet.joining(NODE, Some(release(0))), Some(Joining::OutOfService));
    let facts = enrol(&mut fleet, 10, Some(release(0)));
    let [NodeFact::OutOfDate { why }] = &facts[..] else { panic!("{facts:?}") };
    assert!(why.contains("with 34,") && why.contains("has 34.1;"), "{why}");
    assert_eq!(held(&fleet), Some(why.clone()));
    assert_eq!(enrol(&mut fleet, 11, Some(release(0))), [], "reported twice");
    assert!(refuses_calls(&fleet), "the node itself goes on taking calls");

    say(&mut fleet, 12, 0, ReleaseState::Confirmed, Admission::Refusing);
    assert_eq!(fleet.check_start(&package(1), Time(13)).blockers, []);
    fleet.start(package(1), Policy::standard(), Time(13)).unwrap();
    say(&mut fleet, 14, 0, ReleaseState::Confirmed, Admission::Refusing);
    say(&mut fleet, 15, 0, ReleaseState::Confirmed, Admission::Refusing);
    assert!(matches!(progress(&fleet).phase(), Some(Phase::Installing { .. })), "{:?}", progress(&fleet));
    say(&mut fleet, 16, 1, ReleaseState::Trying, Admission::Refusing);
    assert!(held(&fleet).is_some(), "a release that may fall back counts");
    let facts = of_node(&say(&mut fleet, 17, 1, ReleaseState::Confirmed, Admission::Refusing).facts);
    assert!(facts.contains(&NodeFact::OutOfDateOver), "{facts:?}");
    assert_eq!(held(&fleet), None);
    say(&mut fleet, 18, 1, ReleaseState::Confirmed, Admission::Admitting);
    say(&mut fleet, 19, 1, ReleaseState::Confirmed, Admission::Admitting);
    assert!(fleet.platform.run.is_none(), "{:?}", progress(&fleet));
    assert_eq!(fleet.wanted(NODE).unwrap().intent.owners, Owners::default());
    assert!(!refuses_calls(&fleet), "the node stays out of service");
}

#[test]
fn machine_of_release_34_that_is_brought_back_does_not_say_what_it_runs() {
    let mut fleet = upgraded();
    let facts = enrol(&mut fleet, 10, None);
    assert!(matches!(&facts[..], [NodeFact::OutOfDate { why }] if why.contains("with 34,")), "{facts:?}");
    // It was reinstalled, as its report shows.
    let facts = of_node(&say(&mut fleet, 11, 1, ReleaseState::Confirmed, Admission::Refusing).facts);
    assert_eq!(facts, [NodeFact::OutOfDateOver]);
}

#[test]
fn machine_that_is_reinstalled_and_enrols_again_is_in_service() {
    let mut fleet = upgraded();
    enrol(&mut fleet, 10, Some(release(0)));
    fleet.apply(Time(11), Event::Maintenance { id: NODE, operator: Some("x".into()) });
    assert!(held(&fleet).unwrap().contains("start the installed package again"));
    assert_eq!(enrol(&mut fleet, 12, Some(release(1))), [NodeFact::OutOfDateOver]);
    assert_eq!(held(&fleet), None);
}

const MINUTE: u64 = 60_000;

/// A machine that ran the platform's version is restored with its identity, and reports once.
fn restored() -> Fleet {
    let mut fleet = upgraded();
    let facts = reports_the_old_release(&mut fleet, MINUTE);
    assert_eq!(facts, [], "it may be a copy beside the original");
    fleet
}

fn reports_the_old_release(fleet: &mut Fleet, at: u64) -> Vec<NodeFact> {
    of_node(&say(fleet, at, 0, ReleaseState::Confirmed, Admission::Admitting).facts)
}

#[test]
fn machine_that_is_restored_with_its_identity_takes_no_calls_until_it_is_upgraded_r20_r29() {
    let mut fleet = restored();
    assert_eq!(reports_the_old_release(&mut fleet, 2 * MINUTE - 1), []);
    let facts = reports_the_old_release(&mut fleet, 2 * MINUTE);
    let [NodeFact::OutOfDate { why }] = &facts[..] else { panic!("{facts:?}") };
    assert!(why.contains("with 34,") && why.contains("has 34.1;"), "{why}");
    assert_eq!(held(&fleet), Some(why.clone()));
    assert!(refuses_calls(&fleet), "the node itself goes on taking calls");

    let mut at = 2 * MINUTE;
    let mut next = |fleet: &mut Fleet, runs, release_state| {
        at += 1;
        of_node(&say(fleet, at, runs, release_state, Admission::Refusing).facts)
    };
    next(&mut fleet, 0, ReleaseState::Confirmed);
    fleet.start(package(1), Policy::standard(), Time(2 * MINUTE + 2)).unwrap();
    for release_state in [ReleaseState::Confirmed, ReleaseState::Confirmed, ReleaseState::Leaving] {
        next(&mut fleet, 0, release_state);
    }
    assert_eq!(next(&mut fleet, 1, ReleaseState::Trying), []);
    assert!(held(&fleet).is_some(), "a release that may fall back counts");
    let facts = next(&mut fleet, 1, ReleaseState::Confirmed);
    assert!(facts.contains(&NodeFact::OutOfDateOver), "{facts:?}");
}

#[test]
fn report_of_the_reached_version_shows_that_the_machine_was_not_restored() {
    for late in [MINUTE - 1, MINUTE + 1] {
        let mut fleet = restored();
        say(&mut fleet, late, 1, ReleaseState::Confirmed, Admission::Admitting);
        assert_eq!(reports_the_old_release(&mut fleet, 3 * MINUTE), []);
        assert_eq!(held(&fleet), None, "after a report of {late}");
    }
}

#[test]
fn node_that_a_run_left_behind_has_not_gone_back() {
    let mut fleet = registered();
    reports_the_old_release(&mut fleet, 1);
    fleet.apply(Time(2), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    for at in [3, 2 * MINUTE, 4 * MINUTE] {
        assert_eq!(reports_the_old_release(&mut fleet, at), []);
    }
    assert_eq!(held(&fleet), None);
}

#[test]
fn platform_that_is_restored_as_a_whole_is_in_service() {
    let mut fleet = restored();
    reports_the_old_release(&mut fleet, 2 * MINUTE);
    assert!(held(&fleet).is_some());
    let started = Event::ManagerStarted { release: release(0), fell_back: None, wall: None };
    fleet.apply(Time(3 * MINUTE), started);
    say(&mut fleet, 3 * MINUTE + 1, 0, ReleaseState::Confirmed, Admission::Refusing);
    assert_eq!(held(&fleet), None);
}

#[test]
fn report_that_is_repeated_is_news_when_it_shows_that_the_machine_was_restored() {
    let mut fleet = restored();
    let last = fleet.nodes().get(NODE).unwrap().observed.clone().unwrap();
    for (at, is_news) in [(2 * MINUTE - 1, false), (2 * MINUTE, true)] {
        let again = Observed { at: Time(at), ..last.clone() };
        assert_eq!(fleet.is_news(NODE, Time(at), &again), is_news, "at {at}");
    }
    fleet.apply(Time(2 * MINUTE), Event::Report { id: NODE, observed: last });
    assert!(held(&fleet).is_some());
}
