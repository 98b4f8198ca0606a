//! The link to the Conferencing Nodes: TLS, identities, reports and desired states, package files.
//!
//! A node is identified by its certificate alone; `registration` says which registration that must belong to.
//! The link passes reports on to the core and never decides what is wanted of a node.

mod caller;
mod certificate;
mod connection;
mod connection_pools;
mod enrol;
mod linger;
mod min_rate;
mod packages;
mod presence;
mod refusal;
mod refusals;
mod routes;
mod serve;
mod slowdown;
mod sync;
mod tls;
mod verifier;

#[cfg(test)]
mod tests;

pub use caller::{Link, Timing};
pub use certificate::Certificate;
pub use connection_pools::ConnectionHandle;
pub use presence::Presence;
pub use refusal::Refusal;
pub use refusals::{Reason, Refusals, Refused};
pub use routes::router;
pub use serve::serve;
pub use slowdown::Slowdown;
pub use tls::{Limits, Peer, TlsListener, server_config};
pub(crate) use wire::report::SENTENCE_CHARACTERS;
