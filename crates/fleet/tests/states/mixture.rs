//! R9, R15, R17, R20: what a start is blocked or warned by on a platform whose machines differ, and which nodes a run
//! leaves alone.

use std::collections::BTreeSet;

use fleet::desired::{Assignment, RunId};
use fleet::fact::{Fact, NodeFact};
use fleet::node::{Duty, Node};
use fleet::observed::{Observed, ReleaseState};
use fleet::path::OffPath;
use fleet::platform::{Blocker, Installed, Platform, Warning};
use fleet::policy::Policy;
use fleet::progress::{Ending, Failure, Phase, Progress};
use fleet::run::{Lock, Outcome, Package, Run};
use fleet::version::{Build, Release, Sha256, Version};

use crate::kit::{
    FIRST, LATER, NOW, PENDING, UNTIL, attempt, bursting, copied, ended, fleet, in_run, lost, node, node_with,
};
use crate::kit::{observed, of_nodes, package, pending, platform, progress, release, report, run};

/// What brought the Management Node from `source` to a release, by the package of this number.
fn installed(package: u8, source: u16, brought: Option<u16>) -> Option<Installed> {
    let (manifest, source) = (Sha256([package; 32]), release(source));
    Some(Installed { manifest, source, release: brought.map(release) })
}

fn blockers(platform: Platform, node: Node, package: &Package) -> Vec<Blocker> {
    fleet(platform, [node]).check_start(package, NOW).blockers
}

fn warnings(platform: Platform, node: Node, package: &Package) -> Vec<Warning> {
    fleet(platform, [node]).check_start(package, NOW).warnings
}

#[test]
fn package_of_the_release_that_runs_takes_the_nodes_that_are_left_if_it_is_the_one_that_was_installed_r9() {
    let other =
        |package: u8| Blocker::OtherPackage { version: release(1).version, installed: Sha256([package; 32]) };
    for (installed, node, expected) in [
        (None, node(0), vec![]),
        (None, node(1), vec![Blocker::NothingToDo { release: release(1) }]),
        (installed(1, 0, Some(1)), node(0), vec![]),
        (installed(1, 0, Some(1)), node(1), vec![Blocker::NothingToDo { release: release(1) }]),
        (installed(9, 0, Some(1)), node(0), vec![other(9)]),
        // Release 34 did not store what the package had brought.
        (installed(9, 0, None), node(0), vec![other(9)]),
        // The Management Node was redeployed since, so it is not known which package brought its release.
        (installed(9, 0, Some(2)), node(0), vec![]),
    ] {
        let case = format!("{installed:?}");
        let found = blockers(Platform { installed, ..platform(1) }, node, &package(1));
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn package_that_is_older_than_the_management_node_blocks_a_start_r20() {
    let why = OffPath::Older { from: release(2).version, to: release(1).version };
    assert_eq!(blockers(platform(2), node(2), &package(1)), [Blocker::OffPath { why }]);
}

#[test]
fn always_on_node_that_cannot_be_contacted_blocks_a_start_but_not_a_repeat_r9_r17() {
    for (runs, node, blocks, warns) in [
        (0, lost(node(0)), true, false),
        (0, node(0), false, false),
        (0, bursting(lost(node(0))), false, false),
        (1, lost(node(0)), false, true),
        (1, bursting(lost(node(0))), false, false),
    ] {
        let check = fleet(platform(runs), [node]).check_start(&package(1), NOW);
        let blocker = blocks.then(|| Blocker::Unreachable { node: "node1".into() });
        let warning = warns.then(|| Warning::Unreachable { node: "node1".into() });
        assert_eq!(check.blockers, Vec::from_iter(blocker));
        assert_eq!(check.warnings, Vec::from_iter(warning));
    }
}

/// A Management Node on 34.5 with a node on 34.3, to be upgraded to 34.9.
#[test]
fn version_of_a_node_that_no_run_explains_is_a_warning_r17() {
    let runs_34_3 = Warning::OtherVersion {
        node: "node1".into(),
        runs: release(3).version,
        expected: release(5).version,
    };
    let versions = |minors: &[u16]| minors.iter().map(|minor| release(*minor).version).collect();
    let of_run = |source: u16, target: u8, sources: BTreeSet<Version>| Run {
        source: release(source),
        package: package(target),
        sources,
        lock: Lock::Lifted,
        ..run()
    };
    let brought_by = |installed| Platform { installed, ..platform(5) };
    let mut cases = vec![
        (brought_by(None), false),
        (brought_by(installed(5, 3, Some(5))), true),
        (brought_by(installed(5, 3, None)), true),
        (brought_by(installed(5, 2, Some(5))), false),
        (brought_by(installed(4, 3, Some(4))), false),
    ];
    for (source, target, sources, explains) in [
        (3, 5, versions(&[]), true),
        (0, 3, versions(&[]), true),
        (0, 5, versions(&[0, 3]), true),
        (0, 5, versions(&[0]), false),
    ] {
        let run = of_run(source, target, sources);
        let last_run = Some(ended(run.clone(), Outcome::Incomplete));
        cases.push((Platform { run: Some(run), ..platform(5) }, explains));
        cases.push((Platform { last_run, ..platform(5) }, explains));
    }
    for (platform, explains) in cases {
        let found = warnings(platform.clone(), node(3), &package(9));
        assert_eq!(found.is_empty(), explains, "{platform:?}");
        assert!(explains || found == [runs_34_3.clone()], "{found:?}");
    }
}

#[test]
fn node_on_the_release_of_the_package_or_another_build_of_the_managers_version_is_no_warning() {
    let rebuilt = Release { build: Build(0), ..release(5) };
    for node in [node(9), node(5), node_with(Observed { release: rebuilt, ..observed(5) })] {
        assert_eq!(warnings(platform(5), node, &package(9)), []);
    }
}

#[test]
fn run_leaves_a_node_alone_whose_confirmed_release_the_package_cannot_be_installed_on_r20() {
    let of_another = Assignment { run: RunId(3), ..run().assignment() };
    let rebooting = |assigned| Node { assigned, ..attempt(Phase::Rebooting { stuck_at: UNTIL }) };
    let why = Failure::OffPath { runs: release(5), brings: release(1) };
    let left_alone = Progress::Failed { why: why.clone(), at: LATER };
    let ends = |ending| Phase::Releasing { ending };
    for (before, release_state, expected) in [
        (pending(node(0)), ReleaseState::Confirmed, Ok(left_alone.clone())),
        (Node { assigned: None, ..pending(node(0)) }, ReleaseState::Confirmed, Ok(left_alone)),
        (pending(node(0)), ReleaseState::Trying, Ok(PENDING)),
        (rebooting(Some(run().assignment())), ReleaseState::Confirmed, Err(ends(Ending::Failed(why)))),
        // Its attempt belongs to a run that was replaced.
        (rebooting(Some(of_another)), ReleaseState::Confirmed, Err(ends(Ending::Stopped))),
    ] {
        let mut fleet = in_run(run(), [before.clone(), pending(node(0))]);
        report(&mut fleet, FIRST, Observed { release_state, ..observed(5) });
        let reached = progress(&fleet, FIRST);
        match expected {
            Ok(expected) => assert_eq!(*reached, expected, "{before:?}"),
            Err(phase) => assert_eq!(reached.phase(), Some(&phase), "{before:?}"),
        }
    }
}

#[test]
fn node_that_is_left_alone_is_recorded_with_both_releases() {
    let mut fleet = in_run(run(), [pending(node(0)), pending(node(0))]);
    let facts = of_nodes(&report(&mut fleet, FIRST, observed(5)));
    let [NodeFact::Failed { why }] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(*why, Failure::OffPath { runs: release(5), brings: release(1) });
}

#[test]
fn run_is_recorded_with_the_release_before_the_upgrade_also_on_a_repeat() {
    let silent = Node::new("node".into(), Duty::AlwaysOn);
    for (installed, of, nodes, source) in [
        (installed(1, 0, Some(1)), 2, [node(1), node(1)], 1),
        (installed(2, 0, Some(1)), 2, [node(1), node(0)], 1),
        // A repeat: what was before the upgrade that it repeats, or the oldest that a node runs.
        (installed(1, 0, Some(1)), 1, [node(1), bursting(node(2))], 0),
        (None, 1, [node(1), node(0)], 0),
        (None, 1, [node(1), silent], 1),
        (None, 1, [node(1), bursting(node(2))], 1),
    ] {
        let case = format!("{installed:?}, {of}");
        let mut fleet = fleet(Platform { installed, ..platform(1) }, nodes);
        let facts = fleet.start(package(of), Policy::standard(), NOW).unwrap().facts;
        let (run, source, target) = (fleet.platform.runs, release(source), release(of.into()));
        let limit = NOW + Policy::standard().run_limit;
        assert!(facts.contains(&Fact::RunStarted { run, source, target, limit }), "{case}: {facts:?}");
    }
}

#[test]
fn run_is_recorded_with_every_version_that_its_nodes_ran() {
    let mut fleet = fleet(platform(1), [node(0), node(1), Node::new("node".into(), Duty::Bursting)]);
    fleet.start(package(2), Policy::standard(), NOW).unwrap();
    let sources = fleet.platform.run.unwrap().sources;
    assert_eq!(sources, [release(0).version, release(1).version].into());
}

/// R9, R24: a repeat takes the others, as long as there are any, and nobody can tell which of two machines is the
/// node. One that is powered off cannot report as two.
#[test]
fn duplicated_node_blocks_a_start_unless_it_rests_or_a_repeat_takes_others() {
    for (runs, node, other, blocks) in [
        (0, copied(node(0)), node(0), true),
        (0, copied(lost(node(0))), node(0), true),
        (0, bursting(copied(node(0))), node(0), true),
        (0, bursting(copied(lost(node(0)))), node(0), false),
        (1, copied(node(0)), node(0), false),
        (1, copied(node(0)), node(1), true),
        (1, copied(node(0)), lost(node(0)), true),
    ] {
        let case = format!("{:?}, {:?}, on {runs}", node.duty, node.contact);
        let check = fleet(platform(runs), [node, other]).check_start(&package(1), NOW);
        let found = check.blockers.iter().any(|blocker| matches!(blocker, Blocker::Duplicate { .. }));
        let warned = check.warnings.iter().any(|warning| matches!(warning, Warning::Duplicate { .. }));
        assert_eq!((found, warned), (blocks, !blocks), "{case}: {check:?}");
    }
}
