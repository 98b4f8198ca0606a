//! Whole fleets from seeds, the machinery that judges them, and broken rules that it must notice.

use std::time::Instant;

use sim::seeded::{Canary, Counts, Telling, tell};

/// How many seeds a run of the tests takes: about twenty seconds on one core.
const SEEDS: u64 = 2_000;

/// How many seeds there are for a broken rule to be noticed in.
const SEEDS_FOR_A_CANARY: u64 = 60;

#[test]
fn no_seed_breaks_a_promise() {
    let (began, mut counts, mut broken) = (Instant::now(), Counts::default(), Vec::new());
    for seed in 1..=SEEDS {
        let story = tell(seed, Telling::Sums, None);
        counts.add(&story.counts);
        if !story.violations.is_empty() {
            broken.push(story.complaint());
        }
    }
    println!("{SEEDS} seeds in {} s: {counts:?}", began.elapsed().as_secs());
    assert!(broken.is_empty(), "{} seeds of {SEEDS}:\n{}", broken.len(), broken.join("\n"));
    // A world in which nothing happens keeps every promise.
    assert!(counts.restarts > SEEDS && counts.strikes > SEEDS && counts.calls > 10 * SEEDS, "{counts:?}");
    for (name, sum) in counts.reached.sums() {
        assert!(sum > 0, "{name}: no seed of {SEEDS} came to that");
    }
}

#[test]
fn the_same_seed_is_the_same_world_byte_for_byte() {
    for seed in [3, 77, 1_234] {
        let (one, other) = (tell(seed, Telling::Everything, None), tell(seed, Telling::Everything, None));
        assert!(one.journal.len() > 10_000, "seed {seed} tells next to nothing");
        assert!(one.journal == other.journal, "seed {seed} goes otherwise the second time");
        assert_eq!(one.counts, tell(seed, Telling::Sums, None).counts);
    }
}

#[test]
fn every_broken_rule_is_noticed_by_the_promise_that_it_breaks() {
    let mut missed = Vec::new();
    for (canary, promise) in Canary::ALL {
        let noticed = (1..=SEEDS_FOR_A_CANARY).find(|seed| {
            let story = tell(*seed, Telling::Sums, Some(canary));
            story.violations.iter().any(|violation| violation.promise == promise)
        });
        match noticed {
            Some(seed) => println!("{canary:?}: in seed {seed}, by {promise:?}"),
            None => missed.push(canary),
        }
    }
    assert!(missed.is_empty(), "not noticed in {SEEDS_FOR_A_CANARY} seeds: {missed:?}");
}
