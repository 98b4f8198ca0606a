//! Protection of a program at its edges: connection limits that no single source can exhaust, and escaping of
//! foreign text in logs and pages.
//!
//! Nothing here opens sockets, or knows what a node or a Management Node is.

pub mod places;

pub mod log;
pub mod text;
