//! Forecast of a run: many random days over a fleet of a given size, load and policy. The state machines are those that
//! ship; machines take the times of the plan and never fail; calls are counts for each location until a node is taken
//! out of service.
//!
//! The same seed gives the same figures, however many threads draw them.

mod plan;

mod chance;
mod lengths;

mod crowd;
mod machine;
mod sample;

mod figures;

use std::num::NonZero;
use std::thread;

use fleet::platform::Blocker;

pub use figures::{Band, Forecast, LocationForecast, Spread};
pub use lengths::Lengths;
pub use plan::{Day, Location, Machines, Plan};

use chance::Chance;
use crowd::CallModel;
use sample::Sample;

use crate::seeded::Draw;

/// Draws `samples` runs and summarises them.
///
/// # Errors
/// The blockers of the start.
pub fn forecast(plan: &Plan, samples: u32, seed: u64) -> Result<Forecast, Vec<Blocker>> {
    let model = CallModel::new(plan);
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(samples.max(1) as usize);
    let (root, model) = (&Draw::new(seed), &model);
    let one = |nth: u32| sample::run(plan, model, Chance(root.child("sample", u64::from(nth))));
    let part = |first: usize| (first as u32..samples).step_by(threads).map(one).collect();
    let parts: Vec<Result<Vec<Sample>, _>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || part(first))).collect();
        let joined = |worker: thread::ScopedJoinHandle<'_, _>| match worker.join() {
            Ok(part) => part,
            Err(fault) => std::panic::resume_unwind(fault),
        };
        workers.into_iter().map(joined).collect()
    });
    let mut drawn = Vec::new();
    for part in parts {
        drawn.extend(part?);
    }
    Ok(figures::summed(plan, seed, &drawn))
}

#[cfg(test)]
mod tests;
