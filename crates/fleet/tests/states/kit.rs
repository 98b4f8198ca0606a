//! Platforms and nodes in any state. A test changes the public fields that its rule is about.

use fleet::desired::{Generation, RunId};
use fleet::fact::{Fact, NodeFact};
use fleet::node::{Contact, Duty, Node, NodeId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::path::{Path, Step};
use fleet::platform::{Event, Fleet, Platform};
use fleet::policy::Policy;
use fleet::progress::{Attempt, Phase, Progress};
use fleet::run::{EndedRun, Lock, ManagerStep, Outcome, Package, Run, RunTag};
use fleet::starts::{Process, StartId, Starts};
use fleet::time::Time;
use fleet::version::{Build, Release, Sha256, Version};

/// The present moment of these tests.
pub(crate) const NOW: Time = Time(1_000_000_000);
pub(crate) const LATER: Time = Time(NOW.0 + 1);
/// A deadline that does not pass in these tests.
pub(crate) const UNTIL: Time = Time(NOW.0 + 3_600_000);
/// The first node of a platform.
pub(crate) const FIRST: NodeId = NodeId(1);

pub(crate) fn release(minor: u16) -> Release {
    Release { version: Version::new(34, minor), build: Build(1) }
}

/// The package of 34.1, 34.2 and so on, for every release from 34.0 on.
pub(crate) fn package(minor: u8) -> Package {
    let release = release(minor.into());
    let step = Step { to: release.version, from: Version::new(34, 0), reason: "a test".into() };
    Package { release, manifest: Sha256([minor; 32]), path: Path(vec![step]) }
}

/// A report of a node that runs 34.0, 34.1 and so on, in service and without calls.
pub(crate) fn observed(runs: u16) -> Observed {
    Observed {
        at: NOW,
        generation: Generation::default(),
        release: release(runs),
        release_state: ReleaseState::Confirmed,
        admission: Admission::Admitting,
        calls: Calls::NONE,
        staging: Staging::Nothing,
        unfit: None,
        start_fault: None,
        process: None,
    }
}

/// A node that has reported this, and whose link is up.
pub(crate) fn node_with(observed: Observed) -> Node {
    let observed = Some(observed);
    Node { contact: Contact::Heard, observed, reported_at: NOW, ..Node::new("node".into(), Duty::AlwaysOn) }
}

/// A node in service that runs 34.0, 34.1 and so on.
pub(crate) fn node(runs: u16) -> Node {
    node_with(observed(runs))
}

/// A node that cannot be contacted.
pub(crate) fn lost(node: Node) -> Node {
    Node { contact: Contact::Lost { since: Time(0) }, ..node }
}

pub(crate) fn bursting(node: Node) -> Node {
    Node { duty: Duty::Bursting, ..node }
}

/// A node as which two machines report.
pub(crate) fn copied(node: Node) -> Node {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    fleet.apply(NOW, Event::NodeAdded { id: FIRST, name: "node".into(), duty: Duty::AlwaysOn });
    for (at, start, beside) in [(1, 1, None), (2, 2, Some(1)), (3, 1, Some(2))] {
        let process = Process { start: StartId(start), beside: beside.map(StartId), address: None };
        let observed = Observed { at: Time(at), process: Some(process), ..observed(0) };
        fleet.apply(NOW, Event::Report { id: FIRST, observed });
    }
    let starts: Starts = fleet.nodes().get(FIRST).unwrap().starts.clone();
    assert!(starts.duplicate().is_some());
    Node { starts, ..node }
}

pub(crate) const PENDING: Progress = Progress::Pending { tried: 0, rests_until: None };

/// A node in the queue of the run.
pub(crate) fn pending(node: Node) -> Node {
    Node { progress: PENDING, assigned: Some(run().assignment()), ..node }
}

/// A node in the queue on which the package lies staged.
pub(crate) fn staged() -> Node {
    let staging = Staging::Staged { manifest: package(1).manifest };
    pending(node_with(Observed { staging, ..observed(0) }))
}

pub(crate) fn in_phase(phase: Phase) -> Progress {
    Progress::Attempt(Attempt { tried: 0, since: NOW, phase })
}

/// A node in an attempt of the run.
pub(crate) fn attempt(phase: Phase) -> Node {
    Node { progress: in_phase(phase), assigned: Some(run().assignment()), ..node(0) }
}

pub(crate) fn draining() -> Node {
    attempt(Phase::Draining { until: UNTIL })
}

/// A run from 34.0 to 34.1 whose Management Node is upgraded.
pub(crate) fn run() -> Run {
    Run {
        id: RunId(7),
        package: package(1),
        source: release(0),
        policy: Policy::standard(),
        started_at: Time(NOW.0 - 60_000),
        lock: Lock::Held,
        manager: ManagerStep::Confirmed { at: NOW },
        idle_since: None,
        held_up_since: None,
        paused: None,
        tag: Some(RunTag(70)),
        sources: [release(0).version].into(),
        on_target: 0,
    }
}

/// A run that has ended.
pub(crate) fn ended(run: Run, outcome: Outcome) -> EndedRun {
    let Run { id, package, source, started_at, tag, sources, .. } = run;
    EndedRun { id, package, source, started_at, ended_at: NOW, outcome, tag, sources }
}

/// A platform that runs 34.0, 34.1 and so on, without a run.
pub(crate) fn platform(runs: u16) -> Platform {
    Fleet::new(release(runs), Policy::standard()).platform
}

/// A platform with these nodes, whose ids count from [`FIRST`] and whose names are node1, node2 and so on.
pub(crate) fn fleet(platform: Platform, nodes: impl IntoIterator<Item = Node>) -> Fleet {
    let ids = (FIRST.0..).map(NodeId);
    let named = |(id, node): (NodeId, Node)| (id, Node { name: format!("node{id}"), ..node });
    Fleet::restore(platform, ids.zip(nodes).map(named).collect())
}

/// A platform in this run.
pub(crate) fn in_run(run: Run, nodes: impl IntoIterator<Item = Node>) -> Fleet {
    let runs = if run.manager_is_done() { run.package.release } else { run.source };
    fleet(Platform { release: runs, run: Some(run), ..platform(0) }, nodes)
}

/// A node reports this for what is wanted of it.
pub(crate) fn report(fleet: &mut Fleet, id: NodeId, observed: Observed) -> Vec<Fact> {
    let generation = fleet.wanted(id).unwrap().generation;
    let observed = Observed { at: LATER, generation, ..observed };
    fleet.apply(LATER, Event::Report { id, observed }).facts
}

pub(crate) fn progress(fleet: &Fleet, id: NodeId) -> &Progress {
    &fleet.nodes().get(id).unwrap().progress
}

/// What the facts say of the nodes.
pub(crate) fn of_nodes(facts: &[Fact]) -> Vec<NodeFact> {
    facts.iter().filter_map(Fact::of_node).map(|(_, what)| what.clone()).collect()
}

/// How the last run ended.
pub(crate) fn outcome(fleet: &Fleet) -> Option<&Outcome> {
    fleet.platform.last_run.as_ref().map(|run| &run.outcome)
}
