//! What is done to a seeded world: its size, load and fault rates, the single steps, and the file that holds them.
//! Nothing here acts: a plan is data, drawn from a seed or read from a file.

pub(crate) mod compromised;
pub(crate) mod fault_rates;
pub(crate) mod file;
pub(crate) mod kinds;
pub(crate) mod releases;
pub(crate) mod step;
pub(crate) mod switch;
