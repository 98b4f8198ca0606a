//! What both networked programs need where they meet others: permits for connections, foreign text in logs,
//! errors as one line.
//!
//! It relies on nothing of ours, and knows neither nodes nor the Management Node.

pub mod permit_pool;

pub mod error_chain;
pub mod log;
pub mod text;
