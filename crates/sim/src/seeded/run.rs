//! Runs seeds, one alone or many on all cores, and returns their reports. What happens in a world is decided by its
//! plan; what is judged, by the oracle.

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

/// Runs a seed.
pub fn run_seed(seed: u64, verbosity: Verbosity, canary: Option<Canary>) -> SeedReport {
    run_plan(&Plan { canary, ..Plan::of(seed) }, verbosity)
}

/// Runs a plan.
pub fn run_plan(plan: &Plan, verbosity: Verbosity) -> SeedReport {
    let seed = plan.seed;
    let mut world = World::new(plan, Journal::new(verbosity));
    world.run_to_the_end();
    world.record_differences();
    let World { now, rates, mut counts, violations, steps, journal, .. } = world;
    counts.lasted = now.0;
    SeedReport { seed, rates, counts, lasted: Span(now.0), violations, steps, journal: journal.into_text() }
}

/// The most reports that wait to be handled.
const WAITING: usize = 64;

/// Runs seeds on all cores, each core the next one that none has taken, until there are no more or `until` has
/// passed. A report is handled as soon as its seed has ended, in whatever order that is.
pub fn run_seeds(seeds: Range<u64>, until: Option<Instant>, mut handle: impl FnMut(SeedReport)) {
    let next = AtomicU64::new(seeds.start);
    let another = || {
        let in_time = until.is_none_or(|until| Instant::now() < until);
        let seed = in_time.then(|| next.fetch_add(1, Ordering::Relaxed));
        seed.filter(|seed| seeds.contains(seed))
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let (sender, reports) = sync_channel(WAITING);
        for _ in 0..cores {
            let (sender, another) = (sender.clone(), &another);
            scope.spawn(move || {
                while let Some(seed) = another() {
                    if sender.send(run_seed(seed, Verbosity::Sums, None)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        reports.into_iter().for_each(&mut handle);
    });
}
