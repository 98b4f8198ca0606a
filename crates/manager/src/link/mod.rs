//! The link to the Conferencing Nodes: who they are, what they say, what they are told.
//!
//! A node is known by its certificate alone, and its row in the store says whether that is still good.

mod connection;
mod enrol;
mod packages;
mod presence;
mod refusal;
mod routes;
mod sync;
mod tls;

#[cfg(test)]
mod tests;

pub use presence::Presence;
pub use refusal::Refusal;
pub use routes::{Link, Timing, router};
pub(crate) use sync::SENTENCE_CHARACTERS;
pub use tls::{Limits, Peer, Strangers, TlsListener, identity_of, server_config};
