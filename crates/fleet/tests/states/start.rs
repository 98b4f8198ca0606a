//! The start of a run: what blocks it, and from where each node begins.

use fleet::fact::Fact;
use fleet::node::{Contact, Node, NodeId};
use fleet::observed::Observed;
use fleet::path::{OffPath, Path, Step};
use fleet::platform::{Blocker, Platform};
use fleet::policy::Policy;
use fleet::progress::{AttemptResult, Ending, Phase, Progress};
use fleet::run::{Lock, ManagerStep, Outcome, Package, Run};
use fleet::version::{Build, Release};

use crate::kit::{
    FIRST, LATER, NOW, PENDING, attempt, bursting, ended, fleet, in_phase, in_run, lost, node, node_with,
};
use crate::kit::{observed, package, pending, platform, progress, release, run};

/// R10. The answer says when the run ends by itself, and whether a restart of the Management Node lifts its lock.
#[test]
fn run_under_way_blocks_another_until_its_lock_is_lifted() {
    let staging = ManagerStep::Staging { since: NOW };
    for (lock, manager, blocks, manager_is_done) in [
        (Lock::Held, staging, true, false),
        (Lock::Held, run().manager, true, true),
        (Lock::Lifted, run().manager, false, true),
    ] {
        let mut fleet = in_run(Run { lock, manager, ..run() }, [pending(node(0))]);
        let (since, ends_in) = (NOW.since(run().started_at), NOW.until(run().limit()));
        let blocker = Blocker::RunUnderWay { since, ends_in, manager_is_done };
        assert_eq!(fleet.check_start(&package(2), NOW).blockers.contains(&blocker), blocks);
        let before = fleet.clone();
        let started = fleet.start(package(2), Policy::standard(), NOW);
        assert_eq!(started.is_err(), blocks, "{started:?}");
        assert!(!blocks || fleet == before, "a start that is refused has changed something");
    }
}

/// R9. There is nothing to stage on a Management Node that runs the release.
#[test]
fn repeat_goes_on_with_the_nodes_at_once_and_another_start_with_the_management_node() {
    for (runs, at_once) in [(1, true), (0, false)] {
        let mut fleet = fleet(platform(runs), [node(0), node(1)]);
        let facts = fleet.start(package(1), Policy::standard(), NOW).unwrap().facts;
        let run = fleet.platform.run.as_ref().unwrap();
        assert_eq!(run.manager_is_done(), at_once);
        assert_eq!(facts.contains(&Fact::ManagerUpgraded { release: release(1) }), at_once, "{facts:?}");
        assert_eq!(run.on_target, 1);
        let assigned = fleet.nodes().get(FIRST).unwrap().assigned;
        assert_eq!(assigned, at_once.then(|| run.assignment()));
    }
}

#[test]
fn start_queues_every_node_that_is_not_on_the_release_and_holds_no_place() {
    let upgraded = Node { progress: Progress::Upgraded { at: NOW }, ..node(2) };
    let releasing = || in_phase(Phase::Releasing { ending: Ending::Stopped });
    let back = Node {
        contact: Contact::Silent { since: NOW, lost_at: LATER },
        ..attempt(Phase::Starting { until: LATER })
    };
    for (first, expected) in [
        (node(0), PENDING),
        (bursting(lost(node(0))), PENDING),
        (node(2), Progress::Idle),
        (upgraded, Progress::Idle),
        (Node { progress: releasing(), ..back }, releasing()),
    ] {
        let before = first.progress.clone();
        let mut fleet = fleet(platform(1), [first, node(1)]);
        fleet.start(package(2), Policy::standard(), NOW).unwrap();
        assert_eq!(progress(&fleet, FIRST), &expected, "from {before:?}");
        assert_eq!(progress(&fleet, NodeId(2)), &PENDING);
    }
}

/// G8. The run after a stop begins with nodes that were not tried.
#[test]
fn node_that_failed_in_the_run_before_is_taken_after_the_others() {
    for (result, failed) in
        [(Some(AttemptResult::Failed), true), (Some(AttemptResult::Upgraded), false), (None, false)]
    {
        let last_run = Some(ended(run(), Outcome::LimitReached));
        let node = Node { result, ..node(0) };
        let mut fleet = fleet(Platform { last_run, ..platform(1) }, [node]);
        fleet.start(package(2), Policy::standard(), NOW).unwrap();
        let node = fleet.nodes().get(FIRST).unwrap();
        assert_eq!((node.failed_before, node.result), (failed, None), "after {result:?}");
    }
}

/// R15, R17. Each names the node, what it runs, what it is to run, and what to do.
#[test]
fn node_that_the_package_cannot_be_installed_on_is_named_with_both_versions_and_what_to_do() {
    let step =
        |from, to| Step { from: release(from).version, to: release(to).version, reason: "its store".into() };
    let package =
        |minor: u16, path: Vec<Step>| Package { path: Path(path), release: release(minor), ..package(9) };
    let later_build = Release { build: Build(7), ..release(9) };
    for (package, runs, told) in [
        (package(9, vec![step(2, 5), step(5, 9)]), release(3), "34.9 needs 34.5 or later: its store"),
        (package(9, vec![step(2, 5), step(5, 9)]), release(1), "on anything before 34.2; redeploy node1"),
        (package(7, vec![step(5, 7)]), release(8), "which is newer than 34.7; start a package of 34.8"),
        (package(9, vec![step(5, 9)]), later_build, "a later build than 34.9 (1); start the package"),
    ] {
        let node = node_with(Observed { release: runs, ..observed(0) });
        let check = fleet(platform(6), [node]).check_start(&package, NOW);
        let [blocker @ Blocker::NodeOffPath { why, .. }] = &check.blockers[..] else { panic!("{check:?}") };
        let text = blocker.to_string();
        assert!(text.starts_with(&format!("node1 runs {}", runs.version)), "{text}");
        assert!(text.contains(told), "{text}");
        assert!(!matches!(why, OffPath::TooOld { oldest, .. } if *oldest > release(2).version));
    }
}
