//! Small worlds, enumerated to their end by a model checker: the brains that ship, with every order of
//! everything that can happen within the bounds of each world. The seeded worlds are large and drawn by
//! chance; these are small and complete.
//!
//! A message waits until a newer one takes its place, so it may arrive at any time, more than once or never;
//! one that was overtaken may be held up and arrive later still. Time passes to the next deadline of any
//! brain, before or after anything else. What is simpler than in truth: everybody has the same clock, a
//! transfer and all tries of a release are one step each, a node is always on and holds one call at most, and
//! no memory goes back to a restore point.

mod apply;
mod canary;
mod canonical;
mod healing;
mod manager;
mod model;
mod node;
mod possible;
mod promises;
mod reached;
mod state;
mod step;
mod trace;
mod transition;
mod worlds;

use std::sync::atomic::Ordering;
use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use canary::Canary;
use worlds::SmallWorld;

/// The machines of the gate have two cores.
const THREADS: usize = 2;

/// Looks at every moment of a world, of which there must be `at_least` as many: a bound or a shell that
/// keeps things from happening would leave a world in which every promise is kept.
fn explore(world: SmallWorld, at_least: usize) {
    let began = Instant::now();
    let failures = HasDiscoveries::AnyFailures;
    let checker = world.checker().threads(THREADS).finish_when(failures).spawn_bfs().join();
    let (world, states) = (checker.model(), checker.unique_state_count());
    println!(
        "{}: {states} moments, {} steps, {} at the most in a row, {} overtaken messages arrived and {} of \
         them were refused, {:.1} s",
        world.name,
        checker.state_count(),
        checker.max_depth(),
        world.late.load(Ordering::Relaxed),
        world.refused.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64(),
    );
    let mut discoveries = checker.discoveries();
    for property in world.properties() {
        let found = discoveries.remove(property.name);
        match (property.expectation, found) {
            (Expectation::Sometimes, None) => panic!("{}: {} is never reached", world.name, property.name),
            (Expectation::Always, Some(path)) => panic!("{}", trace::trace(world, property.name, path)),
            (Expectation::Sometimes, Some(_)) | (Expectation::Always | Expectation::Eventually, _) => {}
        }
    }
    assert!(states >= at_least, "{}: only {states} moments of at least {at_least}", world.name);
    let stale = world.refused.load(Ordering::Relaxed);
    assert!(world.held_up == 0 || stale > 0, "{}: no stale command ever came", world.name);
}

#[test]
fn one_node_whatever_goes_wrong_three_times() {
    explore(worlds::faults_of_one_node(), 100_000);
}

#[test]
fn one_node_whatever_the_operator_does_twice() {
    explore(worlds::operator_of_one_node(), 300_000);
}

#[test]
fn one_node_whichever_message_is_overtaken() {
    explore(worlds::messages_of_one_node(), 100_000);
}

#[test]
fn two_nodes_and_one_place_whenever_calls_come_and_go() {
    explore(worlds::calls_of_two_nodes(), 200_000);
}

#[test]
fn two_nodes_and_one_place_whatever_goes_wrong_once() {
    explore(worlds::faults_of_two_nodes(), 250_000);
}

#[test]
fn two_nodes_and_one_place_whichever_command_is_overtaken() {
    explore(worlds::messages_of_two_nodes(), 100_000);
}

#[test]
fn three_nodes_and_two_places() {
    explore(worlds::three_nodes(), 500_000);
}

#[test]
fn every_broken_rule_is_found_with_the_steps_to_its_harm() {
    for canary in Canary::ALL {
        let began = Instant::now();
        let failures = HasDiscoveries::AnyFailures;
        let checker = canary.world().checker().threads(THREADS).finish_when(failures).spawn_bfs().join();
        let (world, broken) = (checker.model(), canary.breaks().sentence());
        let Some(path) = checker.discovery(broken) else { panic!("{canary:?} goes through unnoticed") };
        let (steps, states) = (path.clone().into_actions().len(), checker.unique_state_count());
        let text = trace::trace(world, broken, path);
        println!("{canary:?}: {steps} steps, {states} moments, {:.1} s", began.elapsed().as_secs_f64());
        assert!(text.lines().count() > steps, "{canary:?} is not told step by step:\n{text}");
    }
}
