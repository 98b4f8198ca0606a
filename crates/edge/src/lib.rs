//! What stands between a program and everybody else: places for connections that nobody can fill, and
//! text of others that cannot pass for the program's own.
//!
//! Nothing here knows what a node or a Management Node is.

pub mod permit_pool;

pub mod error_chain;
pub mod log;
pub mod text;
