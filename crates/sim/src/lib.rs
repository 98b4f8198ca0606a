//! A simulated world around the core: the platform's brain and the brains of all its nodes, as they
//! ship, with machines, links and calls that do what a script says.
//!
//! Nothing of this is part of a product's program, but [`forecast`], which tells an operator how a run
//! would go.

mod machine;
mod manager;
mod script;
mod world;

pub mod seeded;

pub mod forecast;

pub use script::run_script;
pub use world::World;
