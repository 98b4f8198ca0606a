//! The platform's state machine with unusual input: late, unknown or contradictory events have no effect.

use fleet::desired::Generation;
use fleet::node::{Contact, Duty, NodeId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::path::{Path, Step};
use fleet::platform::{Blocker, Event, Fleet};
use fleet::policy::Policy;
use fleet::run::{Lock, Package};
use fleet::status::Status;
use fleet::time::{Span, Time};
use fleet::version::{Build, Release, Sha256, Version};

const RELEASE: Release = Release { version: Version::new(34, 0), build: Build(1) };
const NODE: NodeId = NodeId(1);

fn fleet() -> Fleet {
    let mut fleet = Fleet::new(RELEASE, Policy::standard());
    fleet.apply(Time(0), Event::NodeAdded { id: NODE, name: "node1".into(), duty: Duty::AlwaysOn });
    fleet
}

fn report(at: u64, generation: Generation, calls: u32) -> Event {
    let observed = Observed {
        at: Time(at),
        generation,
        release: RELEASE,
        release_state: ReleaseState::Confirmed,
        admission: Admission::Admitting,
        calls: Calls::Known { count: calls, oldest: None },
        staging: Staging::Nothing,
        unfit: None,
        start_fault: None,
        process: None,
    };
    Event::Report { id: NODE, observed }
}

#[test]
fn unchanged_report_is_no_event() {
    let mut fleet = fleet();
    assert!(!fleet.apply(Time(1), report(1, Generation::default(), 3)).changed.is_empty());
    let before = fleet.clone();
    assert!(fleet.apply(Time(2), report(2, Generation::default(), 3)).changed.is_empty());
    assert_eq!(fleet, before);
}

#[test]
fn late_report_has_no_effect() {
    let mut fleet = fleet();
    fleet.apply(Time(9), report(9, Generation::default(), 0));
    let before = fleet.clone();
    fleet.apply(Time(10), report(5, Generation::default(), 3));
    assert_eq!(fleet, before);
}

#[test]
fn node_that_nobody_registered_changes_nothing() {
    let mut fleet = Fleet::new(RELEASE, Policy::standard());
    let before = fleet.clone();
    for event in [
        report(1, Generation::default(), 0),
        Event::LinkDown { id: NODE },
        Event::NodeRemoved { id: NODE },
        Event::Maintenance { id: NODE, operator: Some(String::new()) },
        Event::ManagerStaged,
        Event::ManagerRejected { why: String::new() },
        Event::DeadlinePassed,
    ] {
        assert_eq!(fleet.apply(Time(1), event).facts, vec![]);
        assert_eq!(fleet, before);
    }
}

#[test]
fn restored_manager_issues_generations_above_those_that_its_nodes_have_accepted() {
    let mut fleet = fleet();
    fleet.apply(Time(1), report(1, Generation { epoch: 7, n: 40 }, 0));
    let wanted = fleet.wanted(NODE).unwrap().generation;
    assert!(wanted > Generation { epoch: 7, n: 40 }, "{wanted} is not newer");
    assert_eq!(fleet.platform.epoch, 8);
}

/// No number that one node chooses may keep the platform from accepting reports of the others.
#[test]
fn no_epoch_that_one_node_claims_keeps_another_from_being_heard() {
    const FAULTY: NodeId = NodeId(2);
    let end = u32::MAX - (1 << 20);
    for claimed in [0, 2, 1_000, end - 1, end, end + 1, u32::MAX - 1, u32::MAX] {
        let mut fleet = fleet();
        fleet.apply(Time(0), Event::NodeAdded { id: FAULTY, name: "faulty".into(), duty: Duty::AlwaysOn });
        for (at, n) in [(1, 0), (2, u64::MAX), (3, 1)] {
            let generation = Generation { epoch: claimed, n };
            let Event::Report { id: _, observed } = report(at, generation, 0) else { unreachable!() };
            fleet.apply(Time(at), Event::Report { id: FAULTY, observed });
        }
        fleet.apply(Time(4), Event::ManagerStarted { release: RELEASE, fell_back: None, wall: None });
        // The honest node accepts what is wanted of it, and its report counts.
        fleet.apply(Time(5), Event::Maintenance { id: NODE, operator: Some("fan".into()) });
        let wanted = fleet.wanted(NODE).unwrap().generation;
        fleet.apply(Time(6), report(6, wanted, 3));
        let node = fleet.nodes().get(NODE).unwrap();
        assert_eq!(node.contact, Contact::Heard, "after a claim of {claimed}");
        assert_eq!(node.observed.as_ref().unwrap().generation, wanted, "after a claim of {claimed}");
        assert!(
            fleet.platform.epoch < end,
            "a claim of {claimed} raised the epoch to {}",
            fleet.platform.epoch
        );
    }
}

/// A store in which one node has raised the epoch above every bound, as release 34 allowed it.
#[test]
fn platform_whose_epoch_was_raised_to_the_bound_accepts_reports_again() {
    let fleet = fleet();
    let beyond = Generation { epoch: u32::MAX - (1 << 20) + 1, n: 1 };
    let poisoned = Fleet::restore(
        fleet::platform::Platform { epoch: beyond.epoch, ..fleet.platform.clone() },
        fleet.nodes().iter().map(|(id, node)| (id, node.clone())).collect(),
    );
    // The store in that state, and one that was restored from before it.
    for mut platform in [poisoned, fleet.clone()] {
        platform.apply(Time(1), report(1, beyond, 0));
        platform.apply(Time(2), Event::Maintenance { id: NODE, operator: Some("fan".into()) });
        let wanted = platform.wanted(NODE).unwrap().generation;
        assert!(wanted > beyond, "{wanted}");
        platform.apply(Time(3), report(3, wanted, 2));
        assert_eq!(platform.nodes().get(NODE).unwrap().observed.as_ref().unwrap().generation, wanted);
    }
}

#[test]
fn generation_rises_whenever_the_desired_state_changes() {
    let mut fleet = fleet();
    let before = fleet.wanted(NODE).unwrap();
    fleet.apply(Time(1), Event::Maintenance { id: NODE, operator: Some("fan".into()) });
    let held = fleet.wanted(NODE).unwrap();
    assert!(held.generation > before.generation);
    fleet.apply(Time(2), Event::Maintenance { id: NODE, operator: Some("fan".into()) });
    assert_eq!(fleet.wanted(NODE).unwrap(), held);
    fleet.apply(Time(3), Event::Maintenance { id: NODE, operator: None });
    assert!(fleet.wanted(NODE).unwrap().generation > held.generation);
}

#[test]
fn node_counts_as_lost_only_after_the_silence_that_is_allowed() {
    let mut fleet = fleet();
    fleet.apply(Time(0), report(0, Generation::default(), 0));
    fleet.apply(Time(0), Event::LinkDown { id: NODE });
    let lost_at = Time(0) + Policy::standard().silent_after;
    assert_eq!(fleet.next_deadline(), Some(lost_at));
    fleet.apply(Time(lost_at.0 - 1), Event::DeadlinePassed);
    assert!(matches!(fleet.nodes().get(NODE).unwrap().contact, Contact::Silent { .. }));
    fleet.apply(lost_at, Event::DeadlinePassed);
    assert!(fleet.nodes().get(NODE).unwrap().contact.is_lost());
    assert_eq!(fleet.next_deadline(), None);
}

#[test]
fn platform_reads_back_as_it_was_stored() {
    let mut fleet = fleet();
    fleet.apply(Time(1), report(1, Generation::default(), 3));
    let platform = serde_json::to_string(&fleet.platform).unwrap();
    let rows: Vec<_> =
        fleet.nodes().iter().map(|(id, node)| (id, serde_json::to_string(node).unwrap())).collect();
    let nodes = rows.iter().map(|(id, row)| (*id, serde_json::from_str(row).unwrap())).collect();
    assert_eq!(Fleet::restore(serde_json::from_str(&platform).unwrap(), nodes), fleet);
}

fn package(minor: u16) -> Package {
    let version = Version::new(34, minor);
    let step = Step { to: version, from: RELEASE.version, reason: "a test".into() };
    let manifest = Sha256([u8::try_from(minor).unwrap(); 32]);
    Package { release: Release { version, build: Build(1) }, manifest, path: Path(vec![step]) }
}

/// A fleet whose manager runs 34.1 in a run whose lock is lifted, and whose node has reported this.
fn replaceable(release: Release, release_state: ReleaseState) -> Fleet {
    let mut fleet = fleet();
    fleet.apply(Time(0), report(1, Generation::default(), 0));
    fleet.start(package(1), Policy::standard(), Time(1)).unwrap();
    fleet.apply(Time(2), Event::ManagerStaged);
    for at in [3, 4] {
        let release = package(1).release;
        fleet.apply(Time(at), Event::ManagerStarted { release, fell_back: None, wall: None });
    }
    let generation = fleet.wanted(NODE).unwrap().generation;
    let Event::Report { id, observed } = report(5, generation, 0) else { unreachable!() };
    fleet.apply(Time(5), Event::Report { id, observed: Observed { release, release_state, ..observed } });
    assert!(fleet.platform.run.as_ref().is_none_or(|run| run.lock == Lock::Lifted));
    fleet
}

#[test]
fn release_that_may_still_fall_back_is_not_upgraded_from() {
    let check = |release: Release, release_state: ReleaseState, expected: usize| {
        let mut next = package(2);
        next.path.0[0].from = package(1).release.version;
        let check = replaceable(release, release_state).check_start(&next, Time(6));
        let others = check.blockers.iter().filter(|blocker| matches!(blocker, Blocker::NodeOffPath { .. }));
        assert_eq!(others.count(), expected, "{release_state:?} on {release}: {:?}", check.blockers);
    };
    check(package(1).release, ReleaseState::Confirmed, 0);
    check(package(1).release, ReleaseState::Trying, 1);
    check(RELEASE, ReleaseState::Confirmed, 1);
}

#[test]
fn node_that_has_used_up_its_epochs_does_not_use_up_those_of_the_platform() {
    let mut fleet = fleet();
    let before = fleet.clone();
    fleet.apply(Time(1), report(1, Generation { epoch: u32::MAX, n: 1 }, 0));
    assert_eq!(fleet, before);
}

#[test]
fn every_start_of_the_manager_begins_an_epoch_above_all_before() {
    let mut fleet = fleet();
    let started = || Event::ManagerStarted { release: RELEASE, fell_back: None, wall: None };
    fleet.apply(Time(1_000), started());
    assert_eq!(fleet.platform.epoch, 2);
    fleet.apply(Time(1_800_000_000_000), started());
    assert_eq!(fleet.platform.epoch, 1_800_000_000);
    fleet.apply(Time(1_800_000_000_500), started());
    assert_eq!(fleet.platform.epoch, 1_800_000_001);
    fleet.apply(Time(1_800_000_001_000), Event::Maintenance { id: NODE, operator: Some(String::new()) });
    assert_eq!(fleet.wanted(NODE).unwrap().generation.epoch, 1_800_000_001);
}

#[test]
fn manager_whose_clock_is_wrong_by_a_century_accepts_reports() {
    let mut fleet = fleet();
    fleet.apply(
        Time(9_000_000_000_000),
        Event::ManagerStarted { release: RELEASE, fell_back: None, wall: None },
    );
    let generation = fleet.wanted(NODE).unwrap().generation;
    fleet.apply(Time(9_000_000_000_001), report(9, generation, 0));
    assert_eq!(fleet.nodes().get(NODE).unwrap().contact, Contact::Heard);
}

#[test]
fn eight_statuses_are_shown_letter_by_letter() {
    let shown: Vec<_> = Status::ALL.iter().map(|status| (status.token(), status.to_string())).collect();
    let expected = [
        ("IDLE", "No upgrade in progress"),
        ("PENDING", "Upgrade pending"),
        ("PREPARING", "Preparing to upgrade"),
        ("WAITING_FOR_CALLS", "Waiting for calls to clear"),
        ("TIMEOUT", "Timeout waiting for calls to clear"),
        ("UPGRADING", "Upgrade in progress"),
        ("REBOOTING", "Rebooting"),
        ("UNREACHABLE", "Could not communicate with conferencing node"),
    ];
    assert_eq!(shown, expected.map(|(token, text)| (token, text.to_string())));
    for status in Status::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.token());
    }
}

/// A platform of one idle node whose run has asked it to install.
fn installing() -> (Fleet, Time) {
    let mut fleet = fleet();
    let target = Release { version: Version::new(34, 1), build: Build(2) };
    let step = Step { to: target.version, from: RELEASE.version, reason: String::new() };
    let package = Package { release: target, manifest: MANIFEST, path: Path(vec![step]) };
    fleet.apply(Time(0), report(0, Generation::default(), 0));
    fleet.start(package, Policy::standard(), Time(0)).unwrap();
    fleet.apply(Time(0), Event::ManagerStaged);
    fleet.apply(Time(0), Event::ManagerStarted { release: target, fell_back: None, wall: None });
    for at in 1..=3 {
        let report = drained(&fleet, at, Admission::Refusing, ReleaseState::Confirmed);
        fleet.apply(Time(at), report);
    }
    assert_eq!(fleet.status(NODE), Some(Status::UpgradeInProgress));
    (fleet, Time(3))
}

const MANIFEST: Sha256 = Sha256([9; 32]);

/// A report of a node without calls that has staged the release and acts on what is wanted of it now.
fn drained(fleet: &Fleet, at: u64, admission: Admission, release_state: ReleaseState) -> Event {
    let observed = Observed {
        at: Time(at),
        generation: fleet.wanted(NODE).unwrap().generation,
        release: RELEASE,
        release_state,
        admission,
        calls: Calls::NONE,
        staging: Staging::Staged { manifest: MANIFEST },
        unfit: None,
        start_fault: None,
        process: None,
    };
    Event::Report { id: NODE, observed }
}

#[test]
fn node_that_went_back_to_service_instead_of_installing_releases_its_place() {
    let (mut fleet, now) = installing();
    let at = now.0 + 1;
    let back = drained(&fleet, at, Admission::Admitting, ReleaseState::Confirmed);
    fleet.apply(Time(at), back);
    assert_eq!(fleet.status(NODE), Some(Status::TimeoutWaitingForCallsToClear));
    let released = drained(&fleet, at + 1, Admission::Admitting, ReleaseState::Confirmed);
    fleet.apply(Time(at + 1), released);
    assert!(fleet.nodes().places().is_empty());
}

#[test]
fn node_that_is_away_for_over_an_hour_is_shown_as_stuck_r27() {
    let (mut fleet, now) = installing();
    let leaving = drained(&fleet, now.0 + 1, Admission::Refusing, ReleaseState::Leaving);
    fleet.apply(Time(now.0 + 1), leaving);
    assert_eq!(fleet.status(NODE), Some(Status::Rebooting));
    let hour = now + Policy::standard().stuck_after + Span::seconds(61);
    fleet.apply(hour, Event::DeadlinePassed);
    let shown = fleet.waits(NODE, hour).unwrap().to_string();
    assert_eq!(
        shown,
        "away for 1 h 1 min, longer than usual; look at its console, do not reboot it, and contact support"
    );
}

#[test]
fn node_that_becomes_always_on_is_not_powered_off_after_its_run() {
    let mut fleet = fleet();
    let mut node = fleet.nodes().get(NODE).unwrap().clone();
    (node.duty, node.woken) = (Duty::Bursting, true);
    fleet = Fleet::restore(fleet.platform.clone(), [(NODE, node)].into());
    assert!(fleet.nodes().get(NODE).unwrap().power().is_some());
    fleet.apply(Time(1), Event::NodeChanged { id: NODE, name: "node1".into(), duty: Duty::AlwaysOn });
    assert_eq!(fleet.nodes().get(NODE).unwrap().power(), None);
}
