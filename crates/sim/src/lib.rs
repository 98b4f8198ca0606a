//! Simulations of a platform: the shipped state machines of the platform and of all its nodes, with machines, links and
//! calls that are driven by a script, by a seed or by a plan.
//!
//! Only [`forecast`] is part of a product's program: it shows an operator how long a run would take and what it costs.

mod machine;
mod manager;
mod script;
mod world;

pub mod seeded;

pub mod forecast;

pub use script::run_script;
pub use world::World;
