//! What a seeded world is made from: size, load and fault rates, the single steps, and the file that holds them. A plan
//! is data, drawn from a seed or read from a file; nothing here acts on a world.

pub(crate) mod fault_rates;

pub(crate) mod kinds;
pub(crate) mod step;
pub(crate) mod switch;

pub(crate) mod compromised;
pub(crate) mod releases;

pub(crate) mod file;
