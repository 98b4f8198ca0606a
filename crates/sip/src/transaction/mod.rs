//! Transactions (RFC 3261 section 17, RFC 6026) as one state machine without I/O, and the transport rules around
//! them.
//!
//! [`layer::Layer`] takes the time and an [`input::Input`] of the shell and gives [`effect::Effect`]s, among them
//! [`effect::Event`]s for its user, the dialog layer. The user responds to the requests of others, sends requests of
//! its own and cancels them.
//!
//! It relies on the shell for sockets, connections, names, and the bytes that branches are made of. It has no clock
//! and no randomness, and never reads a dialog: which requests belong together beyond a transaction, whether a
//! request is admitted, and what a response says is up to the user.
//!
//! What is refused is answered before there is any state for it. All that others can make grow has a bound in
//! [`settings::Settings`].

pub mod effect;
pub mod input;
pub mod settings;

pub mod layer;

pub mod outgoing;

mod carrying;
mod requests;
pub mod responding;
mod sending;
mod stateless;

mod key;
mod made;
mod record;
mod table;

mod invite_client;
mod invite_server;
mod machine;
mod other_client;
mod other_server;

/// The number of a transaction. A layer gives none twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionId(pub u64);
