//! Deterministic simulation of whole platforms from a seed. The state machines are those that ship; the world around
//! them loses, delays and reorders messages, cuts power at any point, lets releases fall back, sets clocks wrong, and
//! has an operator who interferes. After every event an oracle judges every promise; in the end all faults are ended,
//! and every run must end within a bound.
//!
//! The same seed gives the same world, byte for byte. The scenario scripts, which show one rule each, are elsewhere.

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
