//! Benchmark: the cost of one event in a fleet of 10,000 nodes as a ratio to its cost in one of 100. Measured are
//! `apply`, and `wanted`, `status` and `waits` of every node that it changed, over a whole run.
//!
//! `cargo bench -p fleet`

use std::hint::black_box;
use std::time::{Duration, Instant};

use fleet::desired::{Depth, Desired};
use fleet::node::{Duty, NodeId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::path::{Path, Step};
use fleet::platform::{Event, Fleet};
use fleet::policy::Policy;
use fleet::run::Package;
use fleet::time::Time;
use fleet::version::{Build, Release, Sha256, Version};

const OLD: Release = Release { version: Version::new(34, 0), build: Build(1) };
const NEW: Release = Release { version: Version::new(34, 1), build: Build(2) };
const ROUNDS: usize = 9;

fn main() {
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let small = mean((0..100).map(|_| run(100)));
        let large = run(10_000);
        ratios.push(large.as_secs_f64() / small.as_secs_f64());
        println!("one event: {small:?} among 100 nodes, {large:?} among 10,000");
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "10,000 nodes / 100 nodes = {:.2}x (median of {ROUNDS}; {:.2}x to {:.2}x)",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1]
    );
}

fn mean(times: impl Iterator<Item = Duration>) -> Duration {
    let (sum, count) = times.fold((Duration::ZERO, 0), |(sum, count), time| (sum + time, count + 1));
    sum / count
}

/// The mean cost of an event between the start of a run and its end.
fn run(nodes: u32) -> Duration {
    let mut fleet = Fleet::new(OLD, Policy::standard());
    let mut now = Time(0);
    for id in (1..=nodes).map(NodeId) {
        fleet.apply(now, Event::NodeAdded { id, name: format!("node{id}"), duty: Duty::AlwaysOn });
        let desired = fleet.wanted(id).expect("the node was added");
        fleet.apply(now, Event::Report { id, observed: answer(now, &desired, OLD) });
    }
    let step = Step { to: NEW.version, from: OLD.version, reason: String::new() };
    let package = Package { release: NEW, manifest: Sha256([1; 32]), path: Path(vec![step]) };
    fleet.start(package, Policy::standard(), now).expect("nothing blocks the start");
    fleet.apply(now, Event::ManagerStaged);
    let started = fleet.apply(now, Event::ManagerStarted { release: NEW, fell_back: None, wall: None });

    let mut heard: std::collections::VecDeque<NodeId> = started.changed.into_iter().collect();
    let (mut spent, mut events) = (Duration::ZERO, 0_u32);
    while let Some(id) = heard.pop_front() {
        now = Time(now.0 + 1);
        let desired = fleet.wanted(id).expect("the node is there");
        let event = Event::Report { id, observed: answer(now, &desired, installed(&fleet, id, &desired)) };
        let began = Instant::now();
        let applied = fleet.apply(now, event);
        for id in &applied.changed {
            black_box((fleet.wanted(*id), fleet.status(*id), fleet.waits(*id, now)));
        }
        spent += began.elapsed();
        events += 1;
        heard.extend(applied.changed);
    }
    assert!(fleet.platform.run.is_none(), "the run has ended");
    spent / events
}

/// A node that does at once what is wanted of it.
fn installed(fleet: &Fleet, id: NodeId, desired: &Desired) -> Release {
    let before =
        fleet.nodes().get(id).and_then(|node| node.observed.as_ref()).map_or(OLD, |seen| seen.release);
    match desired.intent.software {
        Some((software, Depth::Install)) => software.release,
        Some((_, Depth::Stage)) | None => before,
    }
}

fn answer(now: Time, desired: &Desired, release: Release) -> Observed {
    let refusing = !desired.intent.owners.is_empty();
    Observed {
        at: now,
        generation: desired.generation,
        release,
        release_state: ReleaseState::Confirmed,
        admission: if refusing { Admission::Refusing } else { Admission::Admitting },
        calls: Calls::NONE,
        staging: match desired.intent.software {
            Some((software, _)) => Staging::Staged { manifest: software.manifest },
            None => Staging::Nothing,
        },
        unfit: None,
        start_fault: None,
        process: None,
    }
}
