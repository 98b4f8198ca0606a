//! Calls by plain messages, without a socket: what is answered, what is released, what is counted.

mod calls;
mod keys;
pub(crate) mod kit;
mod outside;
mod refreshes;
mod routing;
