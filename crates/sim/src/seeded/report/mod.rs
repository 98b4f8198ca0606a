//! What a seeded world leaves to be read: the report of a seed, its counters, and the log with every change.

pub(crate) mod counts;

pub(crate) mod journal;

pub(crate) mod differences;
pub(crate) mod state;

use std::fmt::Write as _;

use fleet::check::Violation;
use fleet::time::Span;

use crate::seeded::plan::fault_rates::FaultRates;
use crate::seeded::plan::step::Step;

use counts::Counts;

/// The report of a seed.
#[derive(Clone, Debug)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// Size, load and fault rates of its world.
    pub rates: FaultRates,
    /// What happened, counted.
    pub counts: Counts,
    /// How long it took in simulated time.
    pub lasted: Span,
    /// Every broken promise; the world stops at the first event that breaks one.
    pub violations: Vec<Violation>,
    /// The actions, drawn or written down.
    pub steps: Vec<Step>,
    /// The log, as far as its verbosity was asked for.
    pub journal: String,
}

impl SeedReport {
    /// What is needed to investigate a failed seed.
    pub fn failure_summary(&self) -> String {
        let mut text = format!("seed {} breaks a promise after {}\n{}", self.seed, self.lasted, self.rates);
        for Violation { promise, subject } in &self.violations {
            let _ = writeln!(text, "  {promise}: {subject}");
        }
        let _ = writeln!(text, "  replay it with: cargo run -p sim --example replay -- {}", self.seed);
        text
    }
}
