//! SIP (RFC 3261) without I/O: the syntax of messages, the rules of transports, transactions, and dialogs.
//!
//! [`message::datagram`] reads a datagram, [`framer::Framer`] the messages of a stream. Either gives a
//! [`message::Message`], or a [`refused::Refused`] that says what is wrong, which status is owed for it, and carries
//! the headers that an answer needs. [`draft`] and [`reply`] write requests and responses.
//!
//! [`transaction`] holds the four state machines of transactions, with [`transport`] below them: what a message came
//! over, and where an answer or a request goes. [`dialog`] holds dialogs, as plain data.
//!
//! What is read stays as it came: a message owns its bytes once, headers are ranges of them in their order, and an
//! accessor parses the one header that it is asked for. What goes out again is copied byte for byte.
//!
//! How strict: every form that a grammar of RFC 3261 and its extensions admits is read. A form outside of it is read
//! where it can be understood in one way only and is seen in the field (bytes that are not ASCII in a display name,
//! an IPv6 address without brackets in `received`); everything else is refused.
//!
//! Reading takes time linear in the length of the input, and holds memory of at most that length and a fixed
//! number of ranges: [`limits`] lists every bound. Nothing here panics on input, opens a socket, or reads a clock.
#![no_std]

extern crate alloc;

pub mod limits;

mod lex;
mod steps;

pub mod escape;
pub mod host;
pub mod params;
pub mod uri;
mod uri_equal;

pub mod method;
pub mod name;
pub mod status;

pub mod address;
pub mod auth;
pub mod media;
pub mod replaces;
pub mod sequence;
pub mod session;
pub mod value;
pub mod via;

pub mod error;
pub mod fields;
mod head;
pub mod headers;
pub mod list;
pub mod message;
pub mod refused;
mod start_line;

pub mod framer;

pub mod draft;
pub mod reply;

pub mod time;
pub mod transport;

pub mod transaction;

pub mod dialog;

#[cfg(test)]
mod tests;
