//! What a seeded world leaves to be read: the report of a seed, its counters, and the log with every change.

pub(crate) mod counts;
pub(crate) mod differences;
pub(crate) mod journal;
pub(crate) mod state;

use std::fmt::Write as _;

use fleet::check::Violation;
use fleet::time::Span;

use crate::seeded::plan::fault_rates::FaultRates;
use crate::seeded::plan::step::Step;

use counts::Counts;

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
