//! Calls by plain messages, without a socket: what is answered, what is released, what is counted.

mod calls;
mod handover;
pub(crate) mod kit;
mod outside;
mod recorded;
mod refreshes;
mod ringing;
mod routing;
