//! Which machines may join, and which of them take no calls before they are upgraded.

mod support;

use fleet::agent::{Agent, PersistentState, Start};
use fleet::desired::Owners;
use fleet::fact::{Fact, NodeFact};
use fleet::node::{Duty, NodeId};
use fleet::observed::{Admission, Calls, Footing};
use fleet::platform::{Applied, Event, Fleet, Joining};
use fleet::policy::Policy;
use fleet::progress::Progress;
use fleet::time::Time;
use fleet::version::{Build, Release};

use support::{NODE, Word, package, progress, release};

fn say(fleet: &mut Fleet, at: u64, runs: u16, footing: Footing, admission: Admission) -> Applied {
    support::say(fleet, NODE, at, Word { runs, footing, admission, calls: Calls::NONE })
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
    say(&mut fleet, 1, 0, Footing::Confirmed, Admission::Admitting);
    fleet.start(package(1), Policy::standard(), Time(2)).unwrap();
    fleet.apply(Time(3), Event::ManagerStaged);
    fleet.apply(Time(4), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    say(&mut fleet, 5, 1, Footing::Confirmed, Admission::Admitting);
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
    assert_eq!(enrol(&mut fleet, 11, Some(release(0))), [], "told twice");
    assert!(refuses_calls(&fleet), "the node itself goes on taking calls");

    say(&mut fleet, 12, 0, Footing::Confirmed, Admission::Refusing);
    assert_eq!(fleet.check_start(&package(1), Time(13)).blockers, []);
    fleet.start(package(1), Policy::standard(), Time(13)).unwrap();
    say(&mut fleet, 14, 0, Footing::Confirmed, Admission::Refusing);
    say(&mut fleet, 15, 0, Footing::Confirmed, Admission::Refusing);
    assert!(matches!(progress(&fleet), Progress::Installing { .. }), "{:?}", progress(&fleet));
    say(&mut fleet, 16, 1, Footing::Trying, Admission::Refusing);
    assert!(held(&fleet).is_some(), "a release that may fall back counts");
    let facts = of_node(&say(&mut fleet, 17, 1, Footing::Confirmed, Admission::Refusing).facts);
    assert!(facts.contains(&NodeFact::OutOfDateOver), "{facts:?}");
    assert_eq!(held(&fleet), None);
    say(&mut fleet, 18, 1, Footing::Confirmed, Admission::Admitting);
    say(&mut fleet, 19, 1, Footing::Confirmed, Admission::Admitting);
    assert!(fleet.platform.run.is_none(), "{:?}", progress(&fleet));
    assert_eq!(fleet.wanted(NODE).unwrap().intent.owners, Owners::default());
    assert!(!refuses_calls(&fleet), "the node stays out of service");
}

#[test]
fn machine_of_release_34_that_is_brought_back_does_not_say_what_it_runs() {
    let mut fleet = upgraded();
    let facts = enrol(&mut fleet, 10, None);
    assert!(matches!(&facts[..], [NodeFact::OutOfDate { why }] if why.contains("with 34,")), "{facts:?}");
    // It was reinstalled, and says so in its report.
    let facts = of_node(&say(&mut fleet, 11, 1, Footing::Confirmed, Admission::Refusing).facts);
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

/// A machine that ran the platform's version is restored with its identity.
fn restored() -> Fleet {
    let mut fleet = upgraded();
    let facts = of_node(&say(&mut fleet, 10_000, 0, Footing::Confirmed, Admission::Admitting).facts);
    assert_eq!(facts, [], "a copy beside the original may have reported");
    assert_eq!(fleet.next_deadline(), Some(Time(70_000)));
    fleet
}

#[test]
fn machine_that_is_restored_with_its_identity_takes_no_calls_until_it_is_upgraded_r20_r29() {
    let mut fleet = restored();
    let facts = of_node(&fleet.apply(Time(70_000), Event::DeadlinePassed).facts);
    let [NodeFact::OutOfDate { why }] = &facts[..] else { panic!("{facts:?}") };
    assert!(why.contains("with 34,") && why.contains("has 34.1;"), "{why}");
    assert_eq!(held(&fleet), Some(why.clone()));
    assert!(refuses_calls(&fleet), "the node itself goes on taking calls");
    assert_eq!(fleet.next_deadline(), None);

    say(&mut fleet, 70_001, 0, Footing::Confirmed, Admission::Refusing);
    fleet.start(package(1), Policy::standard(), Time(70_002)).unwrap();
    for at in 70_003..70_005 {
        say(&mut fleet, at, 0, Footing::Confirmed, Admission::Refusing);
    }
    say(&mut fleet, 70_006, 1, Footing::Trying, Admission::Refusing);
    let facts = of_node(&say(&mut fleet, 70_007, 1, Footing::Confirmed, Admission::Refusing).facts);
    assert!(facts.contains(&NodeFact::OutOfDateOver), "{facts:?}");
}

#[test]
fn machine_that_reports_its_version_again_within_a_minute_stays_in_service() {
    let mut fleet = restored();
    say(&mut fleet, 20_000, 1, Footing::Confirmed, Admission::Admitting);
    assert_eq!(fleet.next_deadline(), None);
    assert_eq!(of_node(&fleet.apply(Time(70_000), Event::DeadlinePassed).facts), []);
    assert_eq!(held(&fleet), None);
}

#[test]
fn node_that_a_run_left_behind_has_gone_back_to_nothing() {
    let mut fleet = registered();
    say(&mut fleet, 1, 0, Footing::Confirmed, Admission::Admitting);
    fleet.apply(Time(2), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    say(&mut fleet, 3, 0, Footing::Confirmed, Admission::Refusing);
    assert_eq!((held(&fleet), fleet.nodes().get(NODE).unwrap().went_back_at), (None, None));
}

#[test]
fn platform_that_is_restored_as_a_whole_is_in_service() {
    let mut fleet = restored();
    fleet.apply(Time(70_000), Event::DeadlinePassed);
    assert!(held(&fleet).is_some());
    fleet.apply(Time(80_000), Event::ManagerStarted { release: release(0), fell_back: None, wall: None });
    say(&mut fleet, 80_001, 0, Footing::Confirmed, Admission::Refusing);
    assert_eq!(held(&fleet), None);
    say(&mut fleet, 80_002, 0, Footing::Confirmed, Admission::Admitting);
    assert_eq!(fleet.next_deadline(), None);
}
