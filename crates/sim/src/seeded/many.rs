//! Tells seeds on every core.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use super::{SeedReport, Verbosity, run_seed};

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
