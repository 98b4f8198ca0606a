//! Runs seeds, one or many on every core, and returns their reports. It decides nothing about a world: that is the
//! plan's, and judging it is the oracle's.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use fleet::time::Span;

use super::canary::Canary;
use super::plan::file::Plan;
use super::report::SeedReport;
use super::report::journal::{Journal, Verbosity};
use super::world::World;

/// Lets a seed happen.
pub fn run_seed(seed: u64, verbosity: Verbosity, canary: Option<Canary>) -> SeedReport {
    run_plan(&Plan { canary, ..Plan::of(seed) }, verbosity)
}

/// Lets a plan happen.
pub fn run_plan(plan: &Plan, verbosity: Verbosity) -> SeedReport {
    let seed = plan.seed;
    let mut world = World::new(plan, Journal::new(verbosity));
    world.run_to_the_end();
    world.record_differences();
    let World { now, rates, mut counts, violations, steps, journal, .. } = world;
    counts.lasted = now.0;
    SeedReport { seed, rates, counts, lasted: Span(now.0), violations, steps, journal: journal.into_text() }
}

/// How many stories wait at most for whoever hears them.
const WAITING: usize = 64;

/// Tells seeds on every core, each core the next that nobody has, until there are no more or the time has
/// come. Each story is heard as soon as it is told, whichever that is.
pub fn run_seeds(seeds: Range<u64>, until: Option<Instant>, mut hear: impl FnMut(SeedReport)) {
    let next = AtomicU64::new(seeds.start);
    let another = || {
        let in_time = until.is_none_or(|until| Instant::now() < until);
        let seed = in_time.then(|| next.fetch_add(1, Ordering::Relaxed));
        seed.filter(|seed| seeds.contains(seed))
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let (told, stories) = sync_channel(WAITING);
        for _ in 0..cores {
            let (told, another) = (told.clone(), &another);
            scope.spawn(move || {
                while let Some(seed) = another() {
                    if told.send(run_seed(seed, Verbosity::Sums, None)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(told);
        stories.into_iter().for_each(&mut hear);
    });
}
