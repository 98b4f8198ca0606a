//! Small worlds, enumerated completely by a model checker: the state machines that ship, with every order of events
//! within the bounds of each world. The seeded worlds are large and random; these are small and complete.
//!
//! A message is in transit until a newer one replaces it, so it may arrive at any time, more than once or never; an
//! overtaken one may be delayed and arrive later still. Time advances to the next deadline of any state machine, before
//! or after any other event. Simplifications: all clocks agree, a transfer and all tries of a release are one step
//! each, a node is always on and has one call at most, and nothing is restored from a restore point.

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

/// Checks every state of a world, of which there must be `at_least` so many: with a bound or a shell that prevents
/// events, every promise would be kept.
fn explore(world: SmallWorld, at_least: usize) {
    let began = Instant::now();
    let failures = HasDiscoveries::AnyFailures;
    let checker = world.checker().threads(THREADS).finish_when(failures).spawn_bfs().join();
    let (world, states) = (checker.model(), checker.unique_state_count());
    println!(
        "{}: {states} states, {} steps, {} at most in a row, {} overtaken messages arrived and {} of \
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
    assert!(states >= at_least, "{}: only {states} states of at least {at_least}", world.name);
    let stale = world.refused.load(Ordering::Relaxed);
    assert!(world.held_up == 0 || stale > 0, "{}: no stale command ever arrived", world.name);
}

#[test]
fn one_node_with_any_three_faults() {
    explore(worlds::faults_of_one_node(), 100_000);
}

#[test]
fn one_node_with_any_two_operator_actions() {
    explore(worlds::operator_of_one_node(), 300_000);
}

#[test]
fn one_node_with_any_two_orders_for_the_run() {
    explore(worlds::orders_of_one_node(), 75_000);
}

#[test]
fn two_nodes_and_one_place_with_any_two_orders_for_the_run() {
    explore(worlds::orders_of_two_nodes(), 100_000);
}

#[test]
fn one_node_with_any_overtaken_message() {
    explore(worlds::messages_of_one_node(), 100_000);
}

#[test]
fn two_nodes_and_one_place_with_calls_at_any_time() {
    explore(worlds::calls_of_two_nodes(), 200_000);
}

#[test]
fn two_nodes_and_one_place_with_any_fault() {
    explore(worlds::faults_of_two_nodes(), 250_000);
}

#[test]
fn two_nodes_and_one_place_with_any_overtaken_command() {
    explore(worlds::messages_of_two_nodes(), 100_000);
}

#[test]
fn three_nodes_and_two_places() {
    explore(worlds::three_nodes(), 500_000);
}

#[test]
fn every_broken_rule_is_found_with_the_steps_to_its_violation() {
    for canary in Canary::ALL {
        let began = Instant::now();
        let failures = HasDiscoveries::AnyFailures;
        let checker = canary.world().checker().threads(THREADS).finish_when(failures).spawn_bfs().join();
        let (world, broken) = (checker.model(), canary.breaks().sentence());
        let Some(path) = checker.discovery(broken) else { panic!("{canary:?} is not noticed") };
        let (steps, states) = (path.clone().into_actions().len(), checker.unique_state_count());
        let text = trace::trace(world, broken, path);
        println!("{canary:?}: {steps} steps, {states} states, {:.1} s", began.elapsed().as_secs_f64());
        assert!(text.lines().count() > steps, "{canary:?} is not printed step by step:\n{text}");
    }
}
