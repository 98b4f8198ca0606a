//! Whole fleets from a seed: the brains that ship, in a world where messages are lost and overtaken,
//! machines lose power at any point, releases fall back, clocks disagree and an operator interferes.
//! After every event everything is judged; in the end everything heals, and must come to its end.
//!
//! The same seed is the same world, byte for byte. Beside it, the scenario scripts show one rule each.

mod agenda;
mod bound;
mod canary;
mod clock;
mod clones;
mod compromised;
mod differences;
mod draw;
mod healing;
mod history;
mod holds;
mod journal;
mod kept;
mod kinds;
mod machine;
mod manager;
mod many;
mod odds;
mod operator;
mod oracle;
mod post;
mod process;
mod restores;
mod schedule;
mod shell;
mod shown;
mod shrink;
mod start_fault;
mod state;
mod step;
mod stops;
mod switch;
mod troubles;
mod truth;
mod wall_clocks;
mod watched;
mod world;

use std::fmt::Write as _;

use fleet::check::Violation;
use fleet::time::Span;

pub use canary::Canary;
pub use draw::Draw;
pub use journal::{Counts, Reached};
pub use kept::{Plan, PlanError};
pub use kinds::{Kind, KindCounts};
pub use many::run_seeds;
pub use step::{Action, Step, Way};
pub use switch::Switch;

use journal::Journal;
use odds::FaultRates;
use world::World;

/// What became of a seed.
#[derive(Clone, Debug)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// What it made of the platform.
    pub rates: FaultRates,
    /// What happened.
    pub counts: Counts,
    /// How long it took in the world.
    pub lasted: Span,
    /// Every promise that did not hold; the world stops at the first event that breaks one.
    pub violations: Vec<Violation>,
    /// What was done to the world, drawn or written down.
    pub steps: Vec<Step>,
    /// Every event, when it was asked for.
    pub journal: String,
}

/// Whether every event is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Only the sums.
    Sums,
    /// Every event, as text.
    Events,
    /// Every event, and after each what it has changed in what the brains hold and in what is true.
    Everything,
}

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

impl SeedReport {
    /// What a person needs who is to look into a seed that failed.
    pub fn failure_summary(&self) -> String {
        let mut said = format!("seed {} breaks a promise after {}\n{}", self.seed, self.lasted, self.rates);
        for Violation { promise, subject } in &self.violations {
            let _ = writeln!(said, "  {promise}: {subject}");
        }
        let _ = writeln!(said, "  replay it with: cargo run -p sim --example replay -- {}", self.seed);
        said
    }
}
