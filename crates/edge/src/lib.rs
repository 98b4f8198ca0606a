//! Protection of a program at its edges: connection permits that no single source can exhaust, escaping of foreign
//! text in logs and pages, errors as one line, addresses that exclude each other.
//!
//! Nothing here opens sockets, or knows what a node or a Management Node is.

pub mod permit_pool;

pub mod error_chain;
pub mod listen;
pub mod log;
pub mod text;
