//! Whole fleets from a seed: the brains that ship, in a world where messages are lost and overtaken,
//! machines lose power at any point, releases fall back, clocks disagree and an operator interferes.
//! After every event everything is judged; in the end everything heals, and must come to its end.
//!
//! The same seed is the same world, byte for byte. Beside it, the scenario scripts show one rule each.

pub(crate) mod draw;

mod plan;

mod world;

mod faults;

mod oracle;

mod canary;

mod report;

mod run;
mod shrink;

pub use canary::Canary;
pub use draw::Draw;
pub use plan::file::{Plan, PlanError};
pub use plan::kinds::{Kind, KindCounts};
pub use plan::step::{Action, Step, Way};
pub use plan::switch::Switch;
pub use report::SeedReport;
pub use report::counts::{Counts, Reached};
pub use report::journal::Verbosity;
pub use run::{run_plan, run_seed, run_seeds};
