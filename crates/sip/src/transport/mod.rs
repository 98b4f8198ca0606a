//! Transport rules (RFC 3261 section 18, RFC 3581, RFC 5626 section 4.4.1): which flow a message came over, where its
//! answer goes, which transport and which connection a request takes, and what stands in its Via.
//!
//! It relies on the shell for sockets and for names: an address here is one that a socket has or can be sent to.
//! It never opens a connection; it requests one.

pub mod flow;
pub mod listeners;

pub mod arrival;
pub mod next_hop;

pub(crate) mod links;
