//! The names of runs in messages to nodes, which store them for longer than a Management Node that is restored.

#[allow(dead_code)] // The reports of the other tests are not needed here.
mod support;

use fleet::desired::{Generation, RunId};
use fleet::node::Duty;
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::platform::{Event, Fleet};
use fleet::policy::Policy;
use fleet::progress::Progress;
use fleet::time::Time;

use support::{NODE, package, progress, release};

/// The node reports this for a desired state.
fn report(fleet: &mut Fleet, at: u64, generation: Generation, staging: Staging) {
    let observed = Observed {
        at: Time(at),
        generation,
        release: release(0),
        release_state: ReleaseState::Confirmed,
        admission: Admission::Admitting,
        calls: Calls::NONE,
        staging,
        unfit: None,
        start_fault: None,
        process: None,
    };
    fleet.apply(Time(at), Event::Report { id: NODE, observed });
}

/// A platform in its first run, and what that assigns to its node. The node has accepted generations of this epoch
/// from the Management Node before it was restored.
fn started(epoch: u32) -> (Fleet, RunId) {
    started_at(Time(2), epoch)
}

fn started_at(start: Time, epoch: u32) -> (Fleet, RunId) {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    fleet.apply(Time(0), Event::NodeAdded { id: NODE, name: "node1".into(), duty: Duty::AlwaysOn });
    report(&mut fleet, 1, Generation { epoch, n: 9 }, Staging::Nothing);
    fleet.start(package(1), Policy::standard(), start).unwrap();
    fleet.apply(start, Event::ManagerStaged);
    fleet.apply(start, Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    let (software, _) = fleet.wanted(NODE).unwrap().intent.software.unwrap();
    (fleet, software.run)
}

#[test]
fn rejection_of_a_forgotten_run_is_no_rejection_of_the_next() {
    let (_, forgotten) = started(1);
    let (mut fleet, run) = started(7);
    assert_eq!(fleet.platform.run.as_ref().map(|run| run.id), Some(RunId(1)), "the number is given again");
    assert_ne!(forgotten, run);
    for (at, rejected, pending) in [(5, forgotten, true), (6, RunId(1), true), (7, run, false)] {
        let generation = fleet.wanted(NODE).unwrap().generation;
        let (manifest, why) = (package(1).manifest, "the disk is full".into());
        report(&mut fleet, at, generation, Staging::Rejected { run: rejected, manifest, why });
        let progress = progress(&fleet);
        assert_eq!(matches!(progress, Progress::Pending { .. }), pending, "run {rejected}: {progress:?}");
    }
}

/// A Management Node that was restored, and whose clock was set back, issues the epochs of the lost history again.
#[test]
fn run_of_an_epoch_that_is_given_again_has_a_name_of_its_own() {
    let [(_, forgotten), (_, run)] = [started_at(Time(2), 7), started_at(Time(3), 7)];
    assert_ne!(forgotten, run);
}
