//! Conferences that move between two nodes while their callers hang up, over a bad network, and while the link between
//! the nodes or one of the nodes may fail. A world follows from its seed.

mod far_end;
mod promises;
mod steps;
mod world;

use crate::handover::giver::Given;

use world::{Sabotage, World};

/// The seeds of a run of the tests.
const SEEDS: u64 = 1000;

#[test]
fn every_call_is_at_one_node_whatever_fails_while_its_conference_moves() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let mut moved = 0;
    for seed in 0..seeds {
        let mut world = World::new(seed, Sabotage::None);
        world.run().unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        moved += world.given.iter().filter(|given| **given == Given::Moved).count() as u64;
    }
    assert!(moved > seeds, "{moved} calls moved in {seeds} worlds: they are about nothing");
}

#[test]
fn each_broken_rule_of_a_move_is_noticed() {
    for (sabotage, expected) in [
        (Sabotage::KeepLeg, "leaves from both"),
        (Sabotage::ForgetSequence, "ended by a node"),
        (Sabotage::StaySilent, "and its call at []"),
    ] {
        let broken = (0..200).find_map(|seed| World::new(seed, sabotage).run().err());
        let broken = broken.unwrap_or_else(|| panic!("{sabotage:?} is not noticed"));
        assert!(broken.contains(expected), "{sabotage:?}: {broken}");
    }
}
